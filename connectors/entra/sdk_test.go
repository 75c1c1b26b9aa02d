package entra

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/microsoft/kiota-abstractions-go/serialization"
	"github.com/microsoftgraph/msgraph-sdk-go/models"
	"github.com/microsoftgraph/msgraph-sdk-go/models/odataerrors"
)

// The SDK makes the addresses and nothing else; these tests hold what we believe about the service against the rest of it.
// When one fails after an update of the SDK, Microsoft has changed something: see docs/sdks.md.

// TestSDKRequests: all first requests are addresses as we expect them from the SDK's builders, and what they select is in
// its models.
func TestSDKRequests(t *testing.T) {
	r := newRequests("https://graph.test")
	sel := Selection{Licences: true, SignInActivity: true, TenantType: B2C} // everything that there is
	users, groups, devices, id := sel.userProperties(), groupProperties(), deviceProperties(true), []string{"id"}
	made := func(u *url.URL, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		text, err := url.PathUnescape(strings.TrimPrefix(u.String(), "https://graph.test/v1.0"))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for _, tc := range []struct {
		model   serialization.Parsable // what the answer describes, or each entry of it
		selects []string
		made    string
		want    string // {} stands for the selected properties
	}{
		{models.NewUser(), users, made(r.usersDelta(users)), "/users/delta()?$select={}"},
		{models.NewUser(), users, made(r.userList(users, false, 999, "")), "/users?$select={}&$top=999"},
		{models.NewUser(), users, made(r.userList(users, true, 999, "")), "/users?$expand=manager($select=id)&$select={}&$top=999"},
		{models.NewUser(), users, made(r.userList(users, true, 0, "id in ('a','b')")), "/users?$expand=manager($select=id)&$filter=id in ('a','b')&$select={}"},
		{models.NewProfilePhoto(), nil, made(r.photo("{id}")), "/users/{id}/photo"},
		{models.NewGroup(), groups, made(r.groupsDelta(groups)), "/groups/delta()?$select={}"},
		{models.NewGroup(), groups, made(r.groupList(groups, 50)), "/groups?$select={}&$top=50"},
		{models.NewGroup(), groups, made(r.group("{id}", groups)), "/groups/{id}?$select={}"},
		{models.NewDirectoryObject(), id, made(r.members("{id}", 999)), "/groups/{id}/members?$select={}&$top=999"},
		{models.NewDirectoryObject(), id, made(r.parents("{id}", 999)), "/groups/{id}/memberOf?$select={}&$top=999"},
		{models.NewSubscribedSku(), nil, made(r.subscribedSKUs()), "/subscribedSkus"},
		{models.NewSubscription(), nil, made(r.subscriptions()), "/subscriptions"},
		{models.NewSubscription(), nil, made(r.subscription("{id}")), "/subscriptions/{id}"},
		{models.NewManagedDevice(), devices, made(r.managedDevices(devices, 999)), "/deviceManagement/managedDevices?$select={}&$top=999"},
	} {
		if want := strings.Replace(tc.want, "={}", "="+strings.Join(tc.selects, ","), 1); tc.made != want {
			t.Errorf("the SDK makes\n%s, not\n%s", tc.made, want)
		}
		has := tc.model.GetFieldDeserializers()
		for _, name := range tc.selects {
			if _, ok := has[name]; !ok {
				t.Errorf("%s: %T has no %s", tc.want, tc.model, name)
			}
		}
	}
}

// TestSDKProperties: the SDK's models have what our decoders look for besides the selected properties, except for what
// they are known to lack.
func TestSDKProperties(t *testing.T) {
	for _, tc := range []struct {
		model serialization.Parsable
		names []string
		lacks map[string]string // a name and why
	}{
		{models.NewUser(), []string{"id", "manager", "@odata.type"}, map[string]string{
			"manager@delta": "a change of a navigation property: annotations are not in models",
			"@removed":      "an annotation",
		}},
		{models.NewGroup(), []string{"id", "members"}, map[string]string{"members@delta": "as manager@delta", "@removed": "an annotation"}},
		{models.NewAssignedLicense(), []string{"skuId"}, nil},
		{models.NewObjectIdentity(), []string{"signInType", "issuerAssignedId"}, nil},
		{models.NewSignInActivity(), []string{"lastSuccessfulSignInDateTime", "lastSignInDateTime", "lastNonInteractiveSignInDateTime"}, nil},
		{models.NewLicenseAssignmentState(), []string{"skuId", "assignedByGroup", "state", "error"}, nil},
		{models.NewOnPremisesExtensionAttributes(), []string{"extensionAttribute1", "extensionAttribute15"}, map[string]string{
			"extensionAttribute16": "there are fifteen, and CheckAttribute refuses others",
		}},
		{models.NewSubscribedSku(), []string{"skuId", "skuPartNumber", "capabilityStatus", "consumedUnits", "prepaidUnits"}, nil},
		{models.NewLicenseUnitsDetail(), []string{"enabled", "warning"}, nil},
		{models.NewProfilePhoto(), []string{"id", "width", "height"}, map[string]string{"@odata.mediaEtag": "an annotation"}},
		{models.NewSubscription(), []string{
			"id", "changeType", "resource", "notificationUrl", "lifecycleNotificationUrl", "clientState", "latestSupportedTlsVersion", "expirationDateTime",
		}, nil},
		{models.NewChangeNotification(), []string{"subscriptionId", "tenantId", "clientState", "lifecycleEvent"}, nil},
		{models.NewBaseDeltaFunctionResponse(), []string{"@odata.nextLink", "@odata.deltaLink"}, nil},
		{models.NewBaseCollectionPaginationCountResponse(), []string{"@odata.nextLink"}, nil},
		{models.NewUserCollectionResponse(), []string{"value"}, nil},
		{odataerrors.NewODataError(), []string{"error"}, nil},
		{odataerrors.NewMainError(), []string{"code", "message", "innerError"}, nil},
		{odataerrors.NewInnerError(), []string{"request-id"}, map[string]string{"code": "older answers have it, and the most exact code is the innermost"}},
	} {
		has := tc.model.GetFieldDeserializers()
		for _, name := range tc.names {
			if _, ok := has[name]; !ok {
				t.Errorf("%T has no %s any more", tc.model, name)
			}
		}
		for name, why := range tc.lacks {
			if _, ok := has[name]; ok {
				t.Errorf("%T has %s now, which it lacked: %s", tc.model, name, why)
			}
		}
	}
}

// TestSDKNeverRead: what is refused as an attribute is still what it is refused for.
func TestSDKNeverRead(t *testing.T) {
	var has []string
	for name := range models.NewUser().GetFieldDeserializers() {
		has = append(has, strings.ToLower(name))
	}
	for _, name := range slices.Concat(neverRead(), elsewhere(), relationships(), []string{"photo", "signinactivity"}) {
		if !slices.Contains(has, name) {
			t.Errorf("%s is refused as an attribute, and no property of users", name)
		}
	}
}
