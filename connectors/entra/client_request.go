package entra

import (
	"context"
	"net/url"

	abstractions "github.com/microsoft/kiota-abstractions-go"
	"github.com/microsoftgraph/msgraph-sdk-go/devicemanagement"
	"github.com/microsoftgraph/msgraph-sdk-go/groups"
	"github.com/microsoftgraph/msgraph-sdk-go/subscribedskus"
	"github.com/microsoftgraph/msgraph-sdk-go/subscriptions"
	"github.com/microsoftgraph/msgraph-sdk-go/users"

	"dirsyncd/sync/fault"
)

// requests makes the addresses of first requests with the SDK's request builders, which know the paths and the
// spelling of the options. Nothing is sent through them. Later addresses come from the
// service and are used as they are.
type requests struct {
	// parameters are those of the builders' templates.
	parameters map[string]string
}

// neverSends is the adapter that the builders insist on. None of its methods is called.
type neverSends struct{ abstractions.RequestAdapter }

func newRequests(root string) requests {
	return requests{map[string]string{"baseurl": root + "/v1.0"}}
}

// address turns a builder's request into an address.
func address(info *abstractions.RequestInformation, err error) (*url.URL, error) {
	if err == nil {
		var u *url.URL
		if u, err = info.GetUri(); err == nil {
			return u, nil
		}
	}
	return nil, &fault.Error{Class: fault.Internal, Op: "make a request", Err: err}
}

func (r requests) users() *users.UsersRequestBuilder {
	return users.NewUsersRequestBuilderInternal(r.parameters, neverSends{})
}

func (r requests) groups() *groups.GroupsRequestBuilder {
	return groups.NewGroupsRequestBuilderInternal(r.parameters, neverSends{})
}

// usersDelta begins a round of changes of users.
func (r requests) usersDelta(properties []string) (*url.URL, error) {
	return address(r.users().Delta().ToGetRequestInformation(context.Background(), &users.DeltaRequestBuilderGetRequestConfiguration{
		QueryParameters: &users.DeltaRequestBuilderGetQueryParameters{Select: properties},
	}))
}

// userList lists users, with the id of each one's manager when asked.
func (r requests) userList(properties []string, manager bool, top int32, filter string) (*url.URL, error) {
	q := &users.UsersRequestBuilderGetQueryParameters{Select: properties, Top: &top}
	if manager {
		q.Expand = []string{"manager($select=id)"}
	}
	if filter != "" {
		q.Filter, q.Top = &filter, nil
	}
	return address(r.users().ToGetRequestInformation(context.Background(), &users.UsersRequestBuilderGetRequestConfiguration{QueryParameters: q}))
}

// photo is what there is to know of a user's photo, in its largest size, without what is in it.
func (r requests) photo(user string) (*url.URL, error) {
	return address(r.users().ByUserId(user).Photo().ToGetRequestInformation(context.Background(), nil))
}

// root is what all addresses begin with.
func (r requests) root() string { return r.parameters["baseurl"] }

// batch is where several requests are sent in one.
func (r requests) batch() *url.URL {
	u, _ := url.Parse(r.root() + "/$batch") // NewClient has read the address
	return u
}

// groupsDelta begins a round of changes of groups and their members.
func (r requests) groupsDelta(properties []string) (*url.URL, error) {
	return address(r.groups().Delta().ToGetRequestInformation(context.Background(), &groups.DeltaRequestBuilderGetRequestConfiguration{
		QueryParameters: &groups.DeltaRequestBuilderGetQueryParameters{Select: properties},
	}))
}

func (r requests) groupList(properties []string, top int32) (*url.URL, error) {
	return address(r.groups().ToGetRequestInformation(context.Background(), &groups.GroupsRequestBuilderGetRequestConfiguration{
		QueryParameters: &groups.GroupsRequestBuilderGetQueryParameters{Select: properties, Top: &top},
	}))
}

// group is one group.
func (r requests) group(id string, properties []string) (*url.URL, error) {
	return address(r.groups().ByGroupId(id).ToGetRequestInformation(context.Background(), &groups.GroupItemRequestBuilderGetRequestConfiguration{
		QueryParameters: &groups.GroupItemRequestBuilderGetQueryParameters{Select: properties},
	}))
}

// members lists who is in a group itself, not in groups within it.
func (r requests) members(group string, top int32) (*url.URL, error) {
	return address(r.groups().ByGroupId(group).Members().ToGetRequestInformation(context.Background(), &groups.ItemMembersRequestBuilderGetRequestConfiguration{
		QueryParameters: &groups.ItemMembersRequestBuilderGetQueryParameters{Select: []string{"id"}, Top: &top},
	}))
}

// parents lists what a group itself is in.
func (r requests) parents(group string, top int32) (*url.URL, error) {
	return address(r.groups().ByGroupId(group).MemberOf().ToGetRequestInformation(context.Background(), &groups.ItemMemberOfRequestBuilderGetRequestConfiguration{
		QueryParameters: &groups.ItemMemberOfRequestBuilderGetQueryParameters{Select: []string{"id"}, Top: &top},
	}))
}

func (r requests) subscribedSKUs() (*url.URL, error) {
	return address(subscribedskus.NewSubscribedSkusRequestBuilderInternal(r.parameters, neverSends{}).ToGetRequestInformation(context.Background(), nil))
}

// subscriptions lists the subscriptions for notifications of the application; new ones are posted there.
func (r requests) subscriptions() (*url.URL, error) {
	return address(subscriptions.NewSubscriptionsRequestBuilderInternal(r.parameters, neverSends{}).ToGetRequestInformation(context.Background(), nil))
}

// subscription is one of them.
func (r requests) subscription(id string) (*url.URL, error) {
	b := subscriptions.NewSubscriptionsRequestBuilderInternal(r.parameters, neverSends{}).BySubscriptionId(id)
	return address(b.ToGetRequestInformation(context.Background(), nil))
}

// managedDevice is one of Intune's devices.
func (r requests) managedDevice(id string) (*url.URL, error) {
	b := devicemanagement.NewManagedDevicesRequestBuilderInternal(r.parameters, neverSends{}).ByManagedDeviceId(id)
	return address(b.ToGetRequestInformation(context.Background(), &devicemanagement.ManagedDevicesManagedDeviceItemRequestBuilderGetRequestConfiguration{
		QueryParameters: &devicemanagement.ManagedDevicesManagedDeviceItemRequestBuilderGetQueryParameters{Select: []string{"id"}},
	}))
}

func (r requests) managedDevices(properties []string, top int32) (*url.URL, error) {
	b := devicemanagement.NewManagedDevicesRequestBuilderInternal(r.parameters, neverSends{})
	return address(b.ToGetRequestInformation(context.Background(), &devicemanagement.ManagedDevicesRequestBuilderGetRequestConfiguration{
		QueryParameters: &devicemanagement.ManagedDevicesRequestBuilderGetQueryParameters{Select: properties, Top: &top},
	}))
}
