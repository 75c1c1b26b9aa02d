// Package oktasim is an Okta org on the loopback interface, for tests and demonstrations: users, groups,
// applications, the System Log, quotas and the OAuth token endpoint, as far as a reader of the management API
// meets them. Its population can be changed while it runs, it counts requests, and it misbehaves on command.
//
// It speaks the wire format of the Okta management API: Link headers, error documents, X-Rate-Limit headers,
// SCIM filters. What its answers mean is written down at the Okta developer site; what that leaves open can be
// switched (see Options).
package oktasim
