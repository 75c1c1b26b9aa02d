package entra

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"dirsyncd/sync/fault"
)

// lifetime is for how long a subscription is asked for. Graph gives users and groups 41,760 minutes at most; what a
// killed process leaves behind should end sooner.
const lifetime = 72 * time.Hour

// subscription is what Graph was asked to tell of.
type subscription struct {
	resource string
	id       string
	renew    time.Time // when to renew it
}

// subscriber asks for notifications and looks after what it asked for.
type subscriber struct {
	client *Client
	url    string
	state  string
}

const opSubscribe = "ask for notifications"

// subscribe asks for the changes of a resource. The receiver must be listening: Graph calls it before it answers.
func (s *subscriber) subscribe(ctx context.Context, resource string) (subscription, error) {
	now := s.client.now()
	u, err := s.client.requests.subscriptions()
	if err != nil {
		return subscription{}, err
	}
	body := encode(map[string]string{
		"changeType": "updated,deleted", "resource": resource, "notificationUrl": s.url, "lifecycleNotificationUrl": s.url,
		"clientState": s.state, "latestSupportedTlsVersion": "v1_2", "expirationDateTime": stampOf(now.Add(lifetime)),
	})
	answer, err := s.client.call(ctx, http.MethodPost, u, "", body)
	if err != nil {
		return subscription{}, refusedSubscription(resource, err)
	}
	sub := subscription{resource: resource}
	if sub.id, sub.renew, err = s.read(answer, now); err != nil {
		return subscription{}, err
	}
	return sub, nil
}

// refusedSubscription says what helps. Whether Graph reaches the receiver can change at any time, so a refusal is worth
// another try; a missing permission and credentials that do not work keep their class.
func refusedSubscription(resource string, err error) error {
	var f *fault.Error
	if !errors.As(err, &f) {
		return err
	}
	told := *f
	told.Op = opSubscribe
	switch f.Class {
	case fault.Forbidden:
		told.Hint = "grant User.Read.All with admin consent, or remove subscriptions that nobody needs: there may be 100 for an application"
		if resource == resourceGroups {
			told.Hint = "grant Group.Read.All with admin consent: for notifications of groups GroupMember.Read.All may not do"
		}
	case fault.Invalid, fault.Gone, fault.Conflict:
		told.Class = fault.Transient
		told.Hint = "Graph must reach `web.url` from the internet and find this program behind it: look at name, certificate and reverse proxy"
	}
	return &told
}

// read takes the id and the time of renewal, after half of the life that the service gives, from an answer.
func (s *subscriber) read(answer []byte, now time.Time) (id string, renew time.Time, err error) {
	var doc struct {
		ID      string    `json:"id"`
		Expires time.Time `json:"expirationDateTime"`
	}
	if json.Unmarshal(answer, &doc) != nil || !tenantID.MatchString(doc.ID) {
		return "", time.Time{}, &fault.Error{
			Class: fault.Transient, Op: opSubscribe, Where: s.client.graph.Host, Err: errors.New("the answer describes no subscription"),
		}
	}
	life := doc.Expires.Sub(now)
	if doc.Expires.IsZero() || life > lifetime {
		life = lifetime
	}
	return doc.ID, now.Add(max(life/2, time.Minute)), nil
}

// prolong renews a subscription, which also tells Graph that the application may still read what it asks for. found
// is false when there is no such subscription any more.
func (s *subscriber) prolong(ctx context.Context, sub *subscription) (found bool, err error) {
	now := s.client.now()
	u, err := s.client.requests.subscription(sub.id)
	if err != nil {
		return false, err
	}
	answer, err := s.client.call(ctx, http.MethodPatch, u, "", encode(map[string]string{"expirationDateTime": stampOf(now.Add(lifetime))}))
	switch {
	case err != nil && fault.ClassOf(err) == fault.Gone:
		return false, nil
	case err != nil:
		return false, err
	}
	id, renew, err := s.read(answer, now)
	if err == nil && id == sub.id {
		sub.renew = renew
	} else {
		sub.renew = now.Add(lifetime / 2) // it was taken, whatever the answer looks like
	}
	return true, nil
}

// remove ends a subscription. One that is gone already is fine.
func (s *subscriber) remove(ctx context.Context, id string) error {
	u, err := s.client.requests.subscription(id)
	if err == nil {
		_, err = s.client.call(ctx, http.MethodDelete, u, "", nil)
	}
	if fault.ClassOf(err) == fault.Gone {
		return nil
	}
	return err
}

// sweep removes what a process that was killed has left behind: subscriptions of this application that lead to this
// very address. It is a courtesy: what is not removed ends by itself.
func (s *subscriber) sweep(ctx context.Context) {
	u, err := s.client.requests.subscriptions()
	if err != nil {
		return
	}
	body, err := s.client.get(ctx, u, "")
	if err != nil {
		return
	}
	var doc struct {
		Value []struct {
			ID  string `json:"id"`
			URL string `json:"notificationUrl"`
		} `json:"value"`
	}
	if json.Unmarshal(body, &doc) != nil {
		return
	}
	for _, one := range doc.Value {
		if one.URL == s.url && tenantID.MatchString(one.ID) && s.remove(ctx, one.ID) != nil {
			return
		}
	}
}

func stampOf(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func encode(doc map[string]string) []byte {
	body, err := json.Marshal(doc)
	if err != nil {
		panic(err) // texts only
	}
	return body
}
