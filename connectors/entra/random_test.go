package entra

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors/connectortest"
	"dirsyncd/connectors/sim/microsoftsim"
	"dirsyncd/sync/fault"
)

// TestRandomHistory makes thousands of changes under every oddity and fault of the simulated service and compares
// what deltas have made of them with the service's own state, again and again.
func TestRandomHistory(t *testing.T) {
	for seed, quirks := range []microsoftsim.Quirks{
		{},
		{FirstRoundRemoved: true, EmptyPages: true, Duplicates: true},
		{Replays: true, Interleave: true, ExtensionEcho: true, PurgeInGroups: true},
		{FirstRoundRemoved: true, EmptyPages: true, Duplicates: true, Replays: true, Interleave: true, ExtensionEcho: true, Shuffle: true, BlankPhotos: true},
	} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			randomHistory(t, uint64(seed), quirks, seed%2 == 1)
		})
	}
}

func randomHistory(t *testing.T, seed uint64, quirks microsoftsim.Quirks, terse bool) {
	w := newWorld(t, microsoftsim.TenantOptions{Population: microsoftsim.Population{
		Seed: seed + 1, People: 120, Guests: 10, Groups: 25, SKUs: 4, Extension: true, Photos: seed > 1,
	}}, microsoftsim.Pages{Users: 17, Groups: 6, Members: 40, Most: 40})
	w.s.SetQuirks(quirks)
	w.owners = seed != 1
	c := w.open(func(c *Config) {
		c.Attributes, c.Photos, c.GroupOwners = []string{microsoftsim.ExtensionName}, seed > 1, w.owners
	})
	if terse {
		c = w.reader(c.sel, editing(withoutManagers))
	}
	m := newModel(t, c)
	chance := connectortest.Seed(t)
	h := &history{world: w, m: m, pictured: c.sel.Photos, rng: rand.New(rand.NewPCG(chance+seed, 7)), owning: rand.New(rand.NewPCG(chance+seed, 8))}
	changes := 0
	for round := range 80 {
		for range h.rng.IntN(20) {
			h.change()
			changes++
		}
		h.trouble()
		err := m.sync(round%29 == 28)
		w.s.Behave()
		if err != nil {
			if class := fault.ClassOf(err); class != fault.Transient && class != fault.Throttled && class != fault.Auth && class != fault.Invalid {
				t.Fatalf("round %d: %v", round, err)
			}
			if err = m.sync(false); err != nil {
				t.Fatalf("round %d, again without faults: %v", round, err)
			}
		}
		if d := differences(people(m.dump()), w.truth()); d != "" {
			t.Fatalf("round %d, after %d changes:\n%s", round, changes, d)
		}
	}
	for changes < 2000 && !testing.Short() {
		for range 100 {
			h.change()
			changes++
		}
		if err := m.sync(false); err != nil {
			t.Fatal(err)
		}
	}
	if d := differences(people(m.dump()), w.truth()); d != "" {
		t.Fatalf("after %d changes:\n%s", changes, d)
	}
	t.Logf("%d changes, %d restored, full reads %v, expired cursors %d", changes, h.restored, m.fulls, m.expired)
	if chance == 0 && (h.restored < 5 || m.expired < 5) { // of other seeds some are
		t.Error("the history was too tame")
	}
}

// withoutManagers leaves managers out of every page of later rounds, as the service does for those who have not
// changed.
func withoutManagers(req *http.Request, body []byte) []byte {
	if !strings.Contains(req.URL.Path, "/users/delta") || !strings.Contains(req.URL.RawQuery, "deltatoken") {
		return body
	}
	return bytes.ReplaceAll(body, []byte(`"manager@delta"`), []byte(`"other@delta"`))
}

// people leaves licences out, whose numbers of used ones the truth does not list.
func people(lines []string) []string {
	return slices.DeleteFunc(lines, func(l string) bool { return l[:3] == "lic" })
}

// history makes changes.
type history struct {
	*world
	m       *model
	rng     *rand.Rand
	owning  *rand.Rand // for owners alone, so that all else is as it is without
	deleted []deletion

	restored, photos int
	// pictured: photos are read, and change.
	pictured bool
}

// deletion is a restorable object, and how many full reads of groups there had been when it was deleted.
type deletion struct {
	id    string
	fulls int
}

func (h *history) pick(list []string) string { return list[h.rng.IntN(len(list))] }

// own gives a group other owners, often none or several.
func (h *history) own(group string, users []string) {
	owners := map[string]bool{}
	for range h.owning.IntN(4) {
		owners[users[h.owning.IntN(len(users))]] = true
	}
	h.tenant.SetOwners(group, slices.Sorted(maps.Keys(owners))...)
}

// disown takes all groups from somebody who was restored: that he owns them again the service says nowhere.
func (h *history) disown(id string) {
	for _, group := range h.tenant.GroupIDs() {
		if owners := h.tenant.Owners(group); slices.Contains(owners, id) {
			h.tenant.SetOwners(group, slices.DeleteFunc(owners, func(o string) bool { return o == id })...)
		}
	}
}

func (h *history) change() {
	t := h.tenant
	if h.pictured && h.rng.IntN(10) == 0 {
		h.picture(h.pick(t.UserIDs()))
		return
	}
	users, groups := t.UserIDs(), t.GroupIDs()
	user, group := h.pick(users), h.pick(groups)
	if h.owners && h.owning.IntN(12) == 0 {
		h.own(group, users)
	}
	switch h.rng.IntN(22) {
	case 0:
		t.AddUser(microsoftsim.Props{"mail": "new@x.test", "department": "New"})
	case 1:
		if len(users) > 60 {
			t.SoftDelete(user)
			h.deleted = append(h.deleted, deletion{user, h.m.fulls[streamGroups]})
		}
	case 2:
		if len(users) > 60 {
			t.Purge(user)
		}
	case 3:
		if n := len(h.deleted); n > 0 {
			// Whoever is restored is back in the groups that he was in, and the service says so nowhere. Who left
			// the lists by a full read in between is back after the next one; a test of its own shows that.
			if d := h.deleted[n-1]; d.fulls == h.m.fulls[streamGroups] {
				h.restored++
				t.Restore(d.id)
				h.disown(d.id)
			}
			h.deleted = h.deleted[:n-1]
		}
	case 4:
		if len(groups) > 12 {
			t.SoftDelete(group)
			h.deleted = append(h.deleted, deletion{group, h.m.fulls[streamGroups]})
		}
	case 5:
		t.AddGroup(microsoftsim.Props{"displayName": fmt.Sprint("Group ", h.rng.IntN(1000))})
	case 6, 7, 8, 9:
		t.AddMember(group, user)
	case 10, 11, 12:
		if list := t.Members(group); len(list) > 0 {
			t.RemoveMember(group, h.pick(list))
		}
	case 13:
		t.SetManager(user, h.pick(users))
	case 14:
		t.SetManager(user, "")
	case 15:
		t.Assign(user)
	case 16:
		list := t.SKUs()
		t.Assign(user, list[h.rng.IntN(len(list))].ID, list[0].ID)
	case 17:
		t.Set(user, microsoftsim.Props{"jobTitle": nil, "mobilePhone": nil})
	case 18:
		t.Set(user, microsoftsim.Props{"jobTitle": fmt.Sprint("Title ", h.rng.IntN(9)), microsoftsim.ExtensionName: fmt.Sprint(h.rng.IntN(9))})
	case 19:
		t.Set(user, microsoftsim.Props{"accountEnabled": h.rng.IntN(2) == 0, "otherMails": []string{fmt.Sprintf("o%d@x.test", h.rng.IntN(9))}})
	case 20:
		t.Set(group, microsoftsim.Props{"description": []any{nil, "a", "b"}[h.rng.IntN(3)]})
	default:
		t.Set(group, []microsoftsim.Props{{"mailEnabled": h.rng.IntN(2) == 0}, {"groupTypes": []string{"Unified"}}, {"securityEnabled": h.rng.IntN(2) == 0}}[h.rng.IntN(3)])
	}
}

// picture gives somebody another photo, or none. That alone is no change of the person, so there is another.
func (h *history) picture(user string) {
	h.photos++
	h.tenant.SetPhoto(user, 48+h.photos%9, fmt.Sprint("photo ", h.photos))
	if h.rng.IntN(3) == 0 {
		h.tenant.RemovePhoto(user)
	}
	h.tenant.Set(user, microsoftsim.Props{"jobTitle": fmt.Sprint("Pictured ", h.photos)})
}

// trouble arms a fault, often.
func (h *history) trouble() {
	if h.pictured && h.rng.IntN(4) == 0 {
		f := microsoftsim.Fault{Path: "/photo", Skip: h.rng.IntN(4), Times: 1 + h.rng.IntN(9), Kind: microsoftsim.Omit}
		if h.rng.IntN(2) == 0 {
			f.Kind, f.Status, f.Body = microsoftsim.Answer, http.StatusTooManyRequests, `{"error":{"code":"TooManyRequests"}}`
		}
		h.s.Misbehave(f)
		return
	}
	path := []string{"/users/delta", "/groups/delta", "/v1.0/", "/members", "/token"}[h.rng.IntN(5)]
	f := microsoftsim.Fault{Path: path, Skip: h.rng.IntN(4), Times: 1 + h.rng.IntN(2)}
	switch h.rng.IntN(24) {
	case 0:
		f.Kind = microsoftsim.Cut
	case 1:
		f.Kind = microsoftsim.Reset
	case 2:
		f.Kind = microsoftsim.Empty
	case 3:
		f.Kind = microsoftsim.HTML
	case 4:
		f.Kind = microsoftsim.Loop
	case 5:
		f.Kind = microsoftsim.Foreign
	case 6:
		f.Kind = microsoftsim.NoValue
	case 7:
		f.Kind = microsoftsim.Repeat
	case 8:
		f.Kind = microsoftsim.NoLink
	case 9:
		f.Kind, f.Path = microsoftsim.Gone, "/delta"
	case 10:
		f.Kind, f.Path, f.Times = microsoftsim.Endless, "/delta", 0
	case 11:
		h.s.ExpireTokens(h.rng.IntN(2) == 0)
		return
	case 12:
		f = microsoftsim.Throttle(path, []string{"", "2", "0.5", "Wed, 21 Oct 2065 07:28:00 GMT", "100000", "nonsense"}[h.rng.IntN(6)], 2)
	case 13:
		f = microsoftsim.BadGateway(path, 3)
	case 14:
		f = microsoftsim.Challenge("/v1.0/", 1)
	case 15:
		f = microsoftsim.ErrorAnswer("/v1.0/", 1, http.StatusServiceUnavailable, "serviceNotAvailable", "x")
	case 16:
		h.shift.Add(int64(200 * time.Hour))
		return
	case 17:
		f = microsoftsim.ErrorAnswer("/v1.0/", 1, http.StatusUnauthorized, "InvalidAuthenticationToken", "x")
	default:
		return
	}
	h.s.Misbehave(f)
}
