package entra

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/sim/microsoftsim"
	"dirsyncd/sync/fault"
)

// Graph's lists with an error beside their entries are not whole, whatever their status says.
func TestErrorBesideData(t *testing.T) {
	for stream, path := range map[string]string{
		streamUsers: "/users/delta", streamGroups: "/groups/delta", streamLicences: "/subscribedSkus", streamDevices: "/managedDevices",
	} {
		w := small(t)
		w.s.Misbehave(microsoftsim.Fault{Kind: microsoftsim.ErrorBeside, Path: path})
		_, last, err := readAll(t, w.open(func(cfg *Config) { cfg.Devices = true }), stream, connectors.Full, nil)
		if fault.ClassOf(err) != fault.Transient || !strings.Contains(err.Error(), "error beside") || last.Proof != nil {
			t.Errorf("%s: %s, %v", stream, fault.ClassOf(err), err)
		}
	}
}

// Intune's list of devices is short at times. Who is missing is asked for one by one.
func TestShortListOfDevices(t *testing.T) {
	w := small(t)
	c := w.open(func(cfg *Config) { cfg.Devices = true })
	ids := w.tenant.ManagedIDs()
	w.tenant.DeleteManaged(ids[0])
	w.s.Misbehave(microsoftsim.Fault{Kind: microsoftsim.Short, Path: "/managedDevices", Times: 1})
	objects, last, err := readAll(t, c, streamDevices, connectors.Full, nil)
	if err != nil || len(objects) != len(ids)-2 || !last.Proof.MayBeShort {
		t.Fatalf("%d devices, %v", len(objects), err)
	}
	there, err := last.Look(t.Context(), []string{ids[0], ids[len(ids)-1]})
	if err != nil || len(there) != 1 || there[0] != ids[len(ids)-1] {
		t.Errorf("there: %v, %v", there, err)
	}
	w.s.Misbehave(microsoftsim.ErrorAnswer("/managedDevices/", 0, 404, "UnknownError", ""))
	if there, err := last.Look(t.Context(), ids); err == nil || len(there) > 0 {
		t.Errorf("404 UnknownError is no word about a device: %v, %v", there, err)
	}
}

// People and groups of a tenant that tracks no changes are lists like that.
func TestShortListsWithoutTracking(t *testing.T) {
	for _, stream := range []string{streamUsers, streamGroups} {
		w := small(t)
		w.s.Misbehave(microsoftsim.ErrorAnswer("/delta", 0, 400, "Request_UnsupportedQuery", "Change enumeration is not supported for requested tenant."))
		objects, last, err := readAll(t, w.open(nil), stream, connectors.Full, nil)
		if err != nil || !last.Proof.MayBeShort {
			t.Fatalf("%s: %+v, %v", stream, last.Proof, err)
		}
		one := slices.Sorted(maps.Keys(objects))[0]
		there, err := last.Look(t.Context(), []string{one, "00000000-0000-4000-8000-00000000dead"})
		if err != nil || len(there) != 1 || there[0] != one {
			t.Errorf("%s: there %v, %v", stream, there, err)
		}
	}
}

// 404 UnknownError says nothing about a list: once is nothing, for ever is no reason to look at the configuration.
func TestUnknownError(t *testing.T) {
	for _, times := range []int{1, 0} {
		w := small(t)
		w.s.Misbehave(microsoftsim.ErrorAnswer("/subscribedSkus", times, 404, "UnknownError", ""))
		_, _, err := readAll(t, w.open(nil), streamLicences, connectors.Full, nil)
		if times == 1 && err != nil || times == 0 && fault.ClassOf(err) != fault.Transient {
			t.Errorf("%d times: %s, %v", times, fault.ClassOf(err), err)
		}
	}
}

// Where groups are listed one by one, one whose members cannot be read is named and stops nobody else. When that is so
// of all of them, a permission is missing.
func TestOneUnreadableGroup(t *testing.T) {
	untracked := microsoftsim.ErrorAnswer("/delta", 0, 400, "Request_UnsupportedQuery", "Change enumeration is not supported for requested tenant.")
	for _, test := range []struct {
		status int
		code   string
	}{{403, "Authorization_RequestDenied"}, {404, "Request_ResourceNotFound"}, {400, "Request_BadRequest"}} {
		w := small(t)
		w.s.Misbehave(untracked)
		objects, _, err := readAll(t, w.open(nil), streamGroups, connectors.Full, nil)
		if err != nil || len(objects) == 0 {
			t.Fatal(err)
		}
		one := slices.Sorted(maps.Keys(objects))[1]
		disarm := w.s.Misbehave(microsoftsim.ErrorAnswer("/groups/"+one+"/members", 0, test.status, test.code, "x"))
		rest, last, err := readAll(t, w.open(nil), streamGroups, connectors.Full, nil)
		if err != nil || len(rest) != len(objects)-1 || last.Proof == nil || len(last.Invalid) != 1 || last.Invalid[0].ID != one {
			t.Errorf("%s: %d of %d groups, %+v, %v", test.code, len(rest), len(objects), last.Invalid, err)
		}
		disarm()
		w.s.Misbehave(microsoftsim.ErrorAnswer("/members", 0, test.status, test.code, "x"))
		if _, last, err := readAll(t, w.open(nil), streamGroups, connectors.Full, nil); err == nil || last.Proof != nil {
			t.Errorf("%s: no group can be read, and the read is proven", test.code)
		}
	}
}

// A permission that the token holds is not to be granted once more, and a directory that lacks what all have is no
// matter of attributes.
func TestHintsThatHelp(t *testing.T) {
	w := small(t)
	c := w.open(nil)
	w.s.Misbehave(microsoftsim.ErrorAnswer("/users", 1, 403, "Authorization_RequestDenied", ""))
	if _, _, err := readAll(t, c, streamUsers, connectors.Full, nil); !strings.Contains(fault.Hint(err), "the token holds User.Read.All") {
		t.Errorf("403 with the permission in the token: %v", err)
	}
	w.tenant.Revoke(testClient, "User.Read.All")
	if _, _, err := readAll(t, w.open(nil), streamUsers, connectors.Full, nil); !strings.Contains(fault.Hint(err), "grant the application permission User.Read.All") {
		t.Errorf("403 without it: %v", err)
	}
	w = small(t)
	w.s.Misbehave(microsoftsim.ErrorAnswer("/users", 0, 400, "BadRequest", "Could not find a property named 'id' on type 'Microsoft.OData.User'."))
	if _, _, err := readAll(t, w.open(nil), streamUsers, connectors.Full, nil); fault.ClassOf(err) != fault.Configuration || !strings.Contains(fault.Hint(err), "consumer directory") {
		t.Errorf("a directory without ids: %v", err)
	}
	w = small(t)
	w.s.RefuseTokens(w.tenant.ID(), "", 7000229)
	found, err := w.open(nil).Check(t.Context())
	if err != nil || !has(found, "sign-in", "/"+w.tenant.ID()+"/adminconsent?client_id="+testClient) {
		t.Errorf("no service principal: %+v, %v", found, err)
	}
}

// A first round that lacks somebody and ends as it should is held against the service's own count. Who counts must ask for
// it once, and only where changes are tracked.
func TestFirstRoundIsCounted(t *testing.T) {
	for _, stream := range []string{streamUsers, streamGroups} {
		w := small(t)
		objects, last, err := readAll(t, w.open(nil), stream, connectors.Full, nil)
		if err != nil || last.Proof.MayBeShort || last.Proof.CountedMore != 0 || last.Look != nil {
			t.Fatalf("%s: %+v, %v", stream, last.Proof, err)
		}
		if asked := w.s.Requests("/v1.0/"+stream) - w.s.Requests("/v1.0/"+stream+"/"); asked != 1 {
			t.Errorf("%s: %d requests for a count", stream, asked)
		}
		w.s.Misbehave(microsoftsim.Fault{Kind: microsoftsim.Lacks, Path: "/" + stream + "/delta"})
		some, last, err := readAll(t, w.open(nil), stream, connectors.Full, nil)
		more := len(objects) - len(some)
		if err != nil || more < 1 || !last.Proof.MayBeShort || last.Proof.CountedMore != more {
			t.Fatalf("%s: %d of %d, %+v, %v", stream, len(some), len(objects), last.Proof, err)
		}
		ids := slices.Sorted(maps.Keys(objects))
		there, err := last.Look(t.Context(), append(ids, "00000000-0000-4000-8000-00000000dead"))
		if err != nil || !slices.Equal(there, ids) || !last.Definite {
			t.Errorf("%s: %d of %d are there when asked for, %v", stream, len(there), len(ids), err)
		}
	}
}

// A count that is behind the list, that there is none of, or that is refused is no doubt.
func TestCountThatSaysNothing(t *testing.T) {
	for name, f := range map[string]microsoftsim.Fault{
		"behind":      {Status: 200, Body: `{"@odata.count":1,"value":[]}`},
		"none":        {Status: 200, Body: `{"value":[]}`},
		"no number":   {Status: 200, Body: `{"@odata.count":"many","value":[]}`},
		"negative":    {Status: 200, Body: `{"@odata.count":-7,"value":[]}`},
		"nothing":     {Status: 200},
		"refused":     microsoftsim.ErrorAnswer("", 0, 400, "Request_BadRequest", "$count is not currently supported."),
		"forbidden":   microsoftsim.ErrorAnswer("", 0, 403, "Authorization_RequestDenied", "x"),
		"unavailable": microsoftsim.ErrorAnswer("", 0, 503, "serviceNotAvailable", "x"),
	} {
		w := small(t)
		f.Path, f.Query = "/v1.0/users", "$count=true"
		w.s.Misbehave(f)
		_, last, err := readAll(t, w.open(nil), streamUsers, connectors.Full, nil)
		if err != nil || last.Proof == nil || last.Proof.MayBeShort || last.Proof.CountedMore != 0 {
			t.Errorf("%s: %+v, %v", name, last.Proof, err)
		}
	}
}

// A round that is gone on with in another life counts what the first one has listed.
func TestResumedRoundIsCounted(t *testing.T) {
	w := small(t)
	stop := errors.New("killed")
	var resume []byte
	err := w.open(nil).Read(t.Context(), connectors.Request{Stream: streamUsers, Mode: connectors.Full}, func(p *connectors.Page) error {
		if p.Resumable {
			resume = slices.Clone(p.Cursor)
		}
		return stop
	})
	if !errors.Is(err, stop) || len(resume) == 0 {
		t.Fatal(err)
	}
	rest, last, err := readAll(t, w.open(nil), streamUsers, connectors.Full, resume)
	if err != nil || len(rest) == 0 || last.Proof.CountedMore != 0 {
		t.Errorf("%d after the first page, %+v, %v", len(rest), last.Proof, err)
	}
}
