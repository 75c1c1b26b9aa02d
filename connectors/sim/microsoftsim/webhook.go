package microsoftsim

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// subscription asks for notifications of changes.
type subscription struct {
	id, app, tenant string
	doc             map[string]any
	expires         time.Time
	// position is how much of the tenant's log was told.
	position int
}

const longestSubscription = 41_760 * time.Minute

// subscriptions answers for /subscriptions and /subscriptions/{id}.
func (x *exchange) subscriptions(parts []string) {
	x.spend(1)
	switch {
	case len(parts) == 1 && x.r.Method == http.MethodPost:
		x.subscribe()
	case len(parts) == 1:
		var items []map[string]any
		for _, sub := range x.s.subscriptionsOf(x.claims.App, x.tenant.id) {
			items = append(items, sub.doc)
		}
		x.list("subscriptions", items)
	default:
		x.oneSubscription(parts[1], parts[2:])
	}
}

// subscriptionsOf returns copies of the subscriptions of an application, or of all, in a tenant.
func (s *Server) subscriptionsOf(app, tenant string) []*subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*subscription
	for _, id := range slices.Sorted(maps.Keys(s.subs)) {
		if sub := s.subs[id]; sub.tenant == tenant && (app == "" || sub.app == app) {
			same := *sub
			same.doc = maps.Clone(sub.doc)
			list = append(list, &same)
		}
	}
	return list
}

func (x *exchange) subscribe() {
	raw, ok := x.graphBody()
	if !ok {
		return
	}
	var doc map[string]any
	if json.Unmarshal(raw, &doc) != nil {
		x.refuse(http.StatusBadRequest, "BadRequest", "The body is not JSON.")
		return
	}
	name, _ := doc["resource"].(string)
	first, _, _ := strings.Cut(strings.Trim(name, "/"), "/")
	res, known := resourceNamed(first)
	if !known || x.tenant.kind != Workforce {
		x.refuse(http.StatusBadRequest, "ExtensionError", "Operation: Create; Exception: [Status Code: BadRequest; Reason: Unsupported resource.]")
		return
	}
	if !x.allow(permissions(res)...) {
		return
	}
	address, _ := doc["notificationUrl"].(string)
	until, err := time.Parse(time.RFC3339, fmt.Sprint(doc["expirationDateTime"]))
	if err != nil || until.Sub(x.s.o.Now()) > longestSubscription {
		x.refuse(http.StatusBadRequest, "InvalidRequest", "Subscription expiration can only be 41760 minutes in the future.")
		return
	}
	if err := x.s.validate(x.r.Context(), address); err != nil {
		x.refuse(http.StatusBadRequest, "InvalidRequest", "Subscription validation request failed. "+err.Error())
		return
	}
	sub := &subscription{id: newGUID(), app: x.claims.App, tenant: x.tenant.id, doc: doc, expires: until}
	x.tenant.read(func(d *directoryData) { sub.position = len(d.log) })
	doc["id"], doc["applicationId"], doc["creatorId"] = sub.id, sub.app, x.claims.Object
	answer := maps.Clone(doc)
	x.s.mu.Lock()
	x.s.subs[sub.id] = sub
	x.s.mu.Unlock()
	x.document(http.StatusCreated, answer)
}

func (x *exchange) document(status int, doc map[string]any) {
	body, _ := json.Marshal(doc) // it was decoded from JSON
	x.answer(status, body)
}

func (x *exchange) oneSubscription(id string, rest []string) {
	s := x.s
	s.mu.Lock()
	sub := s.subs[id]
	found := sub != nil && sub.tenant == x.tenant.id && sub.app == x.claims.App
	s.mu.Unlock()
	if !found {
		x.refuse(http.StatusNotFound, "ResourceNotFound", "The object was not found.")
		return
	}
	switch {
	case x.r.Method == http.MethodDelete:
		s.mu.Lock()
		delete(s.subs, id)
		s.mu.Unlock()
		x.status = http.StatusNoContent
	case x.r.Method == http.MethodPatch:
		raw, ok := x.graphBody()
		if !ok {
			return
		}
		var in struct {
			Expires time.Time `json:"expirationDateTime"`
		}
		if json.Unmarshal(raw, &in) != nil || in.Expires.Sub(s.o.Now()) > longestSubscription {
			x.refuse(http.StatusBadRequest, "InvalidRequest", "Invalid expiration.")
			return
		}
		s.mu.Lock()
		sub.expires = in.Expires
		sub.doc["expirationDateTime"] = in.Expires.UTC().Format(time.RFC3339)
		doc := maps.Clone(sub.doc)
		s.mu.Unlock()
		x.document(http.StatusOK, doc)
	case len(rest) == 1 && rest[0] == "reauthorize":
		x.status = http.StatusNoContent
	default:
		x.document(http.StatusOK, sub.doc)
	}
}

// receiver is the client that calls those who asked for notifications. It takes any certificate: receivers of tests
// and demonstrations sign their own. The service waits for ten seconds; here one may be slow because the machine is busy.
func receiver() *http.Client {
	return &http.Client{
		Timeout:   time.Minute,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}, //nolint:gosec // see above
	}
}

// validate makes the call by which the service finds out whether the receiver is there.
func (s *Server) validate(ctx context.Context, address string) error {
	token := "Validation: " + newGUID()
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return fmt.Errorf("notificationUrl is not an address")
	}
	query := u.Query()
	query.Set("validationToken", token)
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	resp, err := receiver().Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	switch {
	case err != nil:
		return err
	case resp.StatusCode != http.StatusOK, string(body) != token, !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain"):
		return fmt.Errorf("the receiver did not answer with the token as text/plain")
	default:
		return nil
	}
}

// Subscriptions returns how many subscriptions for notifications a tenant has.
func (s *Server) Subscriptions(tenant string) int {
	return len(s.subscriptionsOf("", strings.ToLower(tenant)))
}

// SubscriptionEnds returns when each of a tenant's subscriptions ends, by its id.
func (s *Server) SubscriptionEnds(tenant string) map[string]time.Time {
	ends := map[string]time.Time{}
	for _, sub := range s.subscriptionsOf("", strings.ToLower(tenant)) {
		ends[sub.id] = sub.expires
	}
	return ends
}

// DropSubscriptions forgets a tenant's subscriptions without a word to anybody.
func (s *Server) DropSubscriptions(tenant string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.subs, func(_ string, sub *subscription) bool { return sub.tenant == strings.ToLower(tenant) })
}

// Notify delivers what has changed in a tenant since the last delivery, one call per subscription, and returns how
// many calls were taken.
func (s *Server) Notify(ctx context.Context, t *Tenant) (int, error) {
	taken := 0
	for _, sub := range s.subscriptionsOf("", t.id) {
		var list []map[string]any
		t.read(func(d *directoryData) {
			list = sub.news(d, t.id)
			s.mu.Lock()
			defer s.mu.Unlock()
			if same := s.subs[sub.id]; same != nil {
				same.position = len(d.log)
			}
		})
		if len(list) == 0 || s.o.Now().After(sub.expires) {
			continue
		}
		if err := s.deliver(ctx, fmt.Sprint(sub.doc["notificationUrl"]), list); err != nil {
			return taken, err
		}
		taken++
	}
	return taken, nil
}

// NotifyLifecycle delivers a lifecycle event (reauthorizationRequired, subscriptionRemoved, missed) for every
// subscription of a tenant.
func (s *Server) NotifyLifecycle(ctx context.Context, t *Tenant, what string) error {
	for _, sub := range s.subscriptionsOf("", t.id) {
		address := fmt.Sprint(cmp.Or(sub.doc["lifecycleNotificationUrl"], sub.doc["notificationUrl"]))
		err := s.deliver(ctx, address, []map[string]any{{
			"subscriptionId": sub.id, "subscriptionExpirationDateTime": sub.expires.UTC().Format(time.RFC3339), "tenantId": t.id,
			"clientState": sub.doc["clientState"], "lifecycleEvent": what,
		}})
		if err != nil {
			return err
		}
	}
	return nil
}

// news lists the notifications for what has happened since the last ones.
func (u *subscription) news(d *directoryData, tenant string) []map[string]any {
	name, _ := u.doc["resource"].(string)
	first, _, _ := strings.Cut(strings.Trim(name, "/"), "/")
	res, _ := resourceNamed(first)
	var list []map[string]any
	for _, e := range d.log[min(u.position, len(d.log)):] {
		if e.object.res != res {
			continue
		}
		how := "updated"
		if e.what == removed && e.object.state == deleted {
			how = "deleted"
		}
		at := strings.ToUpper(res.String()[:1]) + res.String()[1:] + "/" + e.object.id
		list = append(list, map[string]any{
			"subscriptionId": u.id, "subscriptionExpirationDateTime": u.expires.UTC().Format(time.RFC3339), "clientState": u.doc["clientState"],
			"changeType": how, "resource": at, "tenantId": tenant,
			"resourceData": map[string]any{"@odata.type": "#Microsoft.Graph." + strings.TrimPrefix(res.odataType(), "#microsoft.graph."), "@odata.id": at, "id": e.object.id},
		})
	}
	return list
}

func (s *Server) deliver(ctx context.Context, address string, list []map[string]any) error {
	body, err := json.Marshal(map[string]any{"value": list})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := receiver().Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the receiver answered %d", resp.StatusCode)
	}
	return nil
}
