package api

import "context"

type userKey struct{}

// WithUser says which user of the machine asks for an operation.
func WithUser(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, userKey{}, name)
}

// UserOf is the user who asks for an operation; empty when that is not known.
func UserOf(ctx context.Context) string {
	name, _ := ctx.Value(userKey{}).(string)
	return name
}

// UserName is a user in words, who may be one whom sudo let act as another: "ann (as root)".
func UserName(name, sudo string) string {
	if sudo == "" || sudo == name {
		return name
	}
	return sudo + " (as " + name + ")"
}
