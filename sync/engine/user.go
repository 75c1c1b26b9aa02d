package engine

import "context"

type userKey struct{}

// WithUser says which user asks for what is done under a context. It is kept with the run, and with a plan that the user
// approved or discarded.
func WithUser(ctx context.Context, name string) context.Context {
	if name == "" {
		return ctx
	}
	return context.WithValue(ctx, userKey{}, name)
}

func userOf(ctx context.Context) string {
	name, _ := ctx.Value(userKey{}).(string)
	return name
}
