package okta

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
)

// fingerprint changes with everything that changes what objects look like or which are read. Secrets are left out.
func (c *Connector) fingerprint(f orgAccess, stream string) string {
	data, err := json.Marshal([]any{
		1, stream, c.host, f.org, f.everyone, f.reader, c.cfg.Attributes, c.cfg.attributesOf(), c.cfg.Fields, c.cfg.Statuses.Active,
		c.cfg.Users, c.cfg.Groups, c.cfg.Apps, c.cfg.Log, c.cfg.LastLogin,
	})
	if err != nil {
		panic(err) // texts and truth values only
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:12])
}

// scope says in words what a full read lists.
func (c *Connector) scope(f orgAccess, stream string) string {
	var what []string
	switch {
	case stream == streamUsers && c.cfg.Users.Filter != "":
		what = append(what, "users with filter "+c.cfg.Users.Filter)
	case stream == streamUsers && c.cfg.Users.Search != "":
		what = append(what, "users with search "+c.cfg.Users.Search)
	case stream == streamUsers:
		what = append(what, "all users")
	default:
		types := "all types"
		if len(c.cfg.Groups.Types) > 0 {
			types = strings.Join(c.cfg.Groups.Types, ", ")
		}
		what = append(what, "groups of "+types)
		if c.cfg.Groups.Filter != "" {
			what = append(what, "with filter "+c.cfg.Groups.Filter)
		}
		if c.cfg.Apps {
			what = append(what, "active applications")
		}
	}
	part := "as the whole org"
	if !f.everyone {
		part = "as far as a restricted administrator sees, who does not see the group Everyone"
	}
	return fmt.Sprintf("%s of org %s at %s, read by %s, %s", strings.Join(what, " "), f.org, c.host, f.reader, part)
}
