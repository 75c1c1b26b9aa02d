package entra

import (
	"net/url"
	"strings"

	stduritemplate "github.com/std-uritemplate/std-uritemplate/go/v2"

	"dirsyncd/sync/fault"
)

// requests makes the addresses of first requests from the URI templates (RFC 6570) of Microsoft's SDK, which know the
// paths, the options and their spelling. Later addresses come from the service and are used as they are.
//
// The templates are copied (client_templates.go) instead of asked from the SDK's builders: the builders cannot be had
// without the SDK's models, 590,000 lines that take longer to compile than the rest of the program, and of
// which nothing is used. sdk_test.go writes the copy, and fails when the SDK has other ones.
type requests struct {
	base string // address of the service with its version, without a slash at the end
}

// options are the query parameters of OData by their names, such as $select, and the parameters of a path by theirs.
type options map[string]any

func newRequests(root string) requests { return requests{root + "/v1.0"} }

// address fills a template in. An option that the template does not have would be left out without a word:
// the tests say for each request what its address is.
func (r requests) address(template string, o options) (*url.URL, error) {
	values := stduritemplate.Substitutions{"baseurl": r.base}
	for name, value := range o {
		values[strings.NewReplacer("$", "%24", "-", "%2D").Replace(name)] = value
	}
	text, err := stduritemplate.Expand(template, values)
	if err == nil {
		var u *url.URL
		if u, err = url.Parse(text); err == nil {
			return u, nil
		}
	}
	return nil, &fault.Error{Class: fault.Internal, Op: "make a request", Err: err}
}

// usersDelta begins a round of changes of users.
func (r requests) usersDelta(properties []string) (*url.URL, error) {
	return r.address(templateUsersDelta, options{"$select": properties})
}

// userList lists users, with the id of each one's manager when asked.
func (r requests) userList(properties []string, manager bool, top int32, filter string) (*url.URL, error) {
	o := options{"$select": properties, "$top": top}
	if manager {
		o["$expand"] = []string{"manager($select=id)"}
	}
	if filter != "" {
		delete(o, "$top")
		o["$filter"] = filter
	}
	return r.address(templateUsers, o)
}

// userSize lists one user, and says how many there are.
func (r requests) userSize() (*url.URL, error) {
	return r.address(templateUsers, options{"$count": true, "$top": 1, "$select": "id"})
}

// groupSize lists one group, and says how many there are.
func (r requests) groupSize() (*url.URL, error) {
	return r.address(templateGroups, options{"$count": true, "$top": 1, "$select": "id"})
}

// groupThere is the least of one group.
func (r requests) groupThere(id string) (*url.URL, error) { return r.group(id, []string{"id"}) }

// user is one user.
func (r requests) user(id string) (*url.URL, error) {
	return r.address(templateUser, options{"user-id": id, "$select": "id"})
}

// photo is what there is to know of a user's photo, in its largest size, without what is in it.
func (r requests) photo(user string) (*url.URL, error) {
	return r.address(templatePhoto, options{"user-id": user})
}

// root is what all addresses begin with.
func (r requests) root() string { return r.base }

// batch is where several requests are sent in one.
func (r requests) batch() *url.URL {
	u, _ := url.Parse(r.base + "/$batch") // NewClient has read the address
	return u
}

// groupsDelta begins a round of changes of groups and their members.
func (r requests) groupsDelta(properties []string) (*url.URL, error) {
	return r.address(templateGroupsDelta, options{"$select": properties})
}

// groupList lists groups, with the ids of the first twenty owners of each when asked.
func (r requests) groupList(properties []string, owners bool, top int32) (*url.URL, error) {
	o := options{"$select": properties, "$top": top}
	if owners {
		o["$expand"] = []string{"owners($select=id)"}
	}
	return r.address(templateGroups, o)
}

// group is one group.
func (r requests) group(id string, properties []string) (*url.URL, error) {
	return r.address(templateGroup, options{"group-id": id, "$select": properties})
}

// members lists who is in a group itself, not in groups within it.
func (r requests) members(group string, top int32) (*url.URL, error) {
	return r.address(templateMembers, options{"group-id": group, "$select": "id", "$top": top})
}

// owners lists who owns a group.
func (r requests) owners(group string, top int32) (*url.URL, error) {
	return r.address(templateOwners, options{"group-id": group, "$select": "id", "$top": top})
}

// parents lists what a group itself is in.
func (r requests) parents(group string, top int32) (*url.URL, error) {
	return r.address(templateParents, options{"group-id": group, "$select": "id", "$top": top})
}

func (r requests) subscribedSKUs() (*url.URL, error) { return r.address(templateSubscribedSKUs, nil) }

// subscriptions lists the subscriptions for notifications of the application; new ones are posted there.
func (r requests) subscriptions() (*url.URL, error) { return r.address(templateSubscriptions, nil) }

// subscription is one of them.
func (r requests) subscription(id string) (*url.URL, error) {
	return r.address(templateSubscription, options{"subscription-id": id})
}

// managedDevice is one of Intune's devices.
func (r requests) managedDevice(id string) (*url.URL, error) {
	return r.address(templateManagedDevice, options{"managedDevice-id": id, "$select": "id"})
}

func (r requests) managedDevices(properties []string, top int32) (*url.URL, error) {
	return r.address(templateManagedDevices, options{"$select": properties, "$top": top})
}
