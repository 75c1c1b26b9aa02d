// Package microsoftsim is a small Microsoft cloud inside this process, for `dirsyncd demo` and for tests: the token
// endpoint of Entra ID, the parts of Microsoft Graph v1.0 that directory connectors read, and the Partner Center
// API, for many tenants behind one TLS listener on the loopback interface. Its own authority signs its
// certificate (CA).
//
// Every tenant holds a population that the program can change while the server runs (Tenant.AddUser, Set,
// SoftDelete, AddMember, ...). Each change is an event of the tenant's log; a delta token is a position in that log,
// so that a delta tells exactly what happened since, in the shapes that the real service uses. A tenant that
// nobody has changed is made up from its seed when somebody looks at it, and forgotten again when it has not been
// looked at for a while: a thousand tenants cost little.
//
// It misbehaves on command: Misbehave arms faults for single requests, SetQuirks switches on the lawful oddities
// of the service (replays, empty pages, split groups, late changes), RefuseTokens answers with a code of the
// token endpoint, BlackHole makes everything about a tenant hang, ExpireTokens ends every delta token, Revoke
// takes a permission away. It counts requests and the resource units that they cost.
//
// Time is Options.Now for everything whose age matters over days: delta tokens, refresh tokens, relationships.
// Access tokens live by the real clock, because the client libraries cache them by it.
package microsoftsim
