//go:build sdk

package entra

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"go/format"
	"os"
	"slices"
	"strings"
	"testing"

	abstractions "github.com/microsoft/kiota-abstractions-go"
	"github.com/microsoft/kiota-abstractions-go/serialization"
	"github.com/microsoftgraph/msgraph-sdk-go/devicemanagement"
	"github.com/microsoftgraph/msgraph-sdk-go/groups"
	"github.com/microsoftgraph/msgraph-sdk-go/models"
	"github.com/microsoftgraph/msgraph-sdk-go/models/odataerrors"
	"github.com/microsoftgraph/msgraph-sdk-go/subscribedskus"
	"github.com/microsoftgraph/msgraph-sdk-go/subscriptions"
	"github.com/microsoftgraph/msgraph-sdk-go/users"
)

// These tests hold what we believe about the service against Microsoft's SDK. They have a tag of their own, and the gate a step,
// because the SDK takes minutes to compile. When one fails after an update of the SDK, Microsoft has changed something: see docs/sdks.md.

var update = flag.Bool("update", false, "write client_templates.go anew from the SDK")

// neverSends is the adapter that the builders insist on. None of its methods is called.
type neverSends struct{ abstractions.RequestAdapter }

// TestSDKTemplates: client_templates.go has the templates of the SDK's request builders.
func TestSDKTemplates(t *testing.T) {
	ctx, parameters := context.Background(), map[string]string{"baseurl": "https://graph.test"}
	user := users.NewUsersRequestBuilderInternal(parameters, neverSends{})
	group := groups.NewGroupsRequestBuilderInternal(parameters, neverSends{})
	device := devicemanagement.NewManagedDevicesRequestBuilderInternal(parameters, neverSends{})
	subscription := subscriptions.NewSubscriptionsRequestBuilderInternal(parameters, neverSends{})
	of := func(info *abstractions.RequestInformation, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return info.UrlTemplate
	}
	var text bytes.Buffer
	text.WriteString("// Code generated from github.com/microsoftgraph/msgraph-sdk-go by sdk_test.go (make sdk). DO NOT EDIT.\n\npackage entra\n\nconst (\n")
	for _, line := range []struct{ name, template string }{
		{"Users", of(user.ToGetRequestInformation(ctx, nil))},
		{"UsersDelta", of(user.Delta().ToGetRequestInformation(ctx, nil))},
		{"User", of(user.ByUserId("").ToGetRequestInformation(ctx, nil))},
		{"Photo", of(user.ByUserId("").Photo().ToGetRequestInformation(ctx, nil))},
		{"Groups", of(group.ToGetRequestInformation(ctx, nil))},
		{"GroupsDelta", of(group.Delta().ToGetRequestInformation(ctx, nil))},
		{"Group", of(group.ByGroupId("").ToGetRequestInformation(ctx, nil))},
		{"Members", of(group.ByGroupId("").Members().ToGetRequestInformation(ctx, nil))},
		{"Owners", of(group.ByGroupId("").Owners().ToGetRequestInformation(ctx, nil))},
		{"Parents", of(group.ByGroupId("").MemberOf().ToGetRequestInformation(ctx, nil))},
		{"SubscribedSKUs", of(subscribedskus.NewSubscribedSkusRequestBuilderInternal(parameters, neverSends{}).ToGetRequestInformation(ctx, nil))},
		{"Subscriptions", of(subscription.ToGetRequestInformation(ctx, nil))},
		{"Subscription", of(subscription.BySubscriptionId("").ToGetRequestInformation(ctx, nil))},
		{"ManagedDevices", of(device.ToGetRequestInformation(ctx, nil))},
		{"ManagedDevice", of(device.ByManagedDeviceId("").ToGetRequestInformation(ctx, nil))},
	} {
		fmt.Fprintf(&text, "template%s = %q\n", line.name, line.template)
	}
	text.WriteString(")\n")
	want, err := format.Source(text.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("client_templates.go", want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile("client_templates.go"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("client_templates.go (%v) has not what the SDK says (make sdk TESTFLAGS=-update writes it):\n%s", err, want)
	}
}

// TestSDKSelects: what first requests select is in the SDK's models.
func TestSDKSelects(t *testing.T) {
	sel := Selection{Licences: true, LeaveDate: true, SignInActivity: true, TenantType: B2C} // everything that there is
	for _, tc := range []struct {
		model   serialization.Parsable
		selects []string
	}{
		{models.NewUser(), sel.userProperties()},
		{models.NewGroup(), groupProperties()},
		{models.NewDirectoryObject(), []string{"id"}},
		{models.NewManagedDevice(), deviceProperties(true)},
	} {
		has := tc.model.GetFieldDeserializers()
		for _, name := range tc.selects {
			if _, ok := has[name]; !ok {
				t.Errorf("%T has no %s", tc.model, name)
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
		{models.NewGroup(), []string{"id", "members", "owners"}, map[string]string{"members@delta": "as manager@delta", "owners@delta": "as manager@delta", "@removed": "an annotation"}},
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
