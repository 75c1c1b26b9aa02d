// Code generated from github.com/microsoftgraph/msgraph-sdk-go by sdk_test.go (make sdk). DO NOT EDIT.

package entra

const (
	templateUsers          = "{+baseurl}/users{?%24count,%24expand,%24filter,%24orderby,%24search,%24select,%24top}"
	templateUsersDelta     = "{+baseurl}/users/delta(){?%24count,%24expand,%24filter,%24orderby,%24search,%24select,%24skip,%24top}"
	templateUser           = "{+baseurl}/users/{user%2Did}{?%24expand,%24select}"
	templatePhoto          = "{+baseurl}/users/{user%2Did}/photo{?%24expand,%24select}"
	templateGroups         = "{+baseurl}/groups{?%24count,%24expand,%24filter,%24orderby,%24search,%24select,%24skip,%24top}"
	templateGroupsDelta    = "{+baseurl}/groups/delta(){?%24count,%24expand,%24filter,%24orderby,%24search,%24select,%24skip,%24top}"
	templateGroup          = "{+baseurl}/groups/{group%2Did}{?%24expand,%24select}"
	templateMembers        = "{+baseurl}/groups/{group%2Did}/members{?%24count,%24expand,%24filter,%24orderby,%24search,%24select,%24skip,%24top}"
	templateOwners         = "{+baseurl}/groups/{group%2Did}/owners{?%24count,%24expand,%24filter,%24orderby,%24search,%24select,%24skip,%24top}"
	templateParents        = "{+baseurl}/groups/{group%2Did}/memberOf{?%24count,%24expand,%24filter,%24orderby,%24search,%24select,%24skip,%24top}"
	templateSubscribedSKUs = "{+baseurl}/subscribedSkus{?%24count,%24expand,%24filter,%24orderby,%24search,%24select,%24skip,%24top}"
	templateSubscriptions  = "{+baseurl}/subscriptions{?%24count,%24expand,%24filter,%24orderby,%24search,%24select,%24skip,%24top}"
	templateSubscription   = "{+baseurl}/subscriptions/{subscription%2Did}{?%24select}"
	templateManagedDevices = "{+baseurl}/deviceManagement/managedDevices{?%24count,%24expand,%24filter,%24orderby,%24search,%24select,%24skip,%24top}"
	templateManagedDevice  = "{+baseurl}/deviceManagement/managedDevices/{managedDevice%2Did}{?%24expand,%24select}"
)
