package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"dirsyncd/sync/notices/recipient"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/settings/strict"
	"dirsyncd/sync/spelling"
)

// Notices says who is told what.
type Notices struct {
	// Unproven is how long what is stored may not be proven to agree with a source; zero: so long as its schedule says.
	Unproven settings.Duration
	// Late is how long an action may wait for a target.
	Late settings.Duration
	// Expiring is how long before its end it is told that something runs out.
	Expiring settings.Duration
	// Gather, Repeat and AtMost are the pace (notices.Pace).
	Gather, Repeat settings.Duration
	AtMost         int
	To             []Recipient // sorted by name
}

// Recipient is somebody who is told.
type Recipient struct {
	Name string
	// About are the kinds of notice; none: all.
	About []string
	// One of them.
	Mail    *recipient.Mail
	Webhook *recipient.Webhook
}

// Open makes what sends to the recipient, without network I/O.
func (r *Recipient) Open() (recipient.Sender, error) {
	if r.Mail != nil {
		return r.Mail.Open()
	}
	return r.Webhook.Open()
}

// The defaults of `notices`.
const (
	noticesLate     = settings.Duration(4 * time.Hour)
	noticesExpiring = settings.Duration(30 * 24 * time.Hour)
	noticesGather   = settings.Duration(2 * time.Minute)
	noticesRepeat   = settings.Duration(24 * time.Hour)
	noticesAtMost   = 12
)

// DefaultNotices is what counts where nothing is written: nobody is told.
func DefaultNotices() *Notices {
	return &Notices{Late: noticesLate, Expiring: noticesExpiring, Gather: noticesGather, Repeat: noticesRepeat, AtMost: noticesAtMost}
}

// noticesBlock is `notices:` as it stands in the file.
type noticesBlock struct{ strict.Value }

// DecodeStrict implements strict.Decoder.
func (b *noticesBlock) DecodeStrict(v strict.Value) { b.Value = v }

type noticesKeys struct {
	Unproven settings.Duration `yaml:"unproven"`
	Late     settings.Duration `yaml:"late"`
	Expiring settings.Duration `yaml:"expiring"`
	Gather   settings.Duration `yaml:"gather"`
	Repeat   settings.Duration `yaml:"repeat"`
	AtMost   int               `yaml:"at_most"`
	To       noticesBlock      `yaml:"to" strict:"required"`
}

type recipientKeys struct {
	About   []string     `yaml:"about"`
	Mail    noticesBlock `yaml:"mail"`
	Webhook noticesBlock `yaml:"webhook"`
}

// readNotices reads `notices:`; nil without it.
func (l *loader) readNotices(v strict.Value) *Notices {
	if v.Kind() == strict.None {
		return nil
	}
	d := DefaultNotices()
	k := noticesKeys{Late: d.Late, Expiring: d.Expiring, Gather: d.Gather, Repeat: d.Repeat, AtMost: d.AtMost}
	v.Into(&k)
	for _, d := range []struct {
		key  string
		is   settings.Duration
		zero bool
	}{{"unproven", k.Unproven, true}, {"late", k.Late, false}, {"expiring", k.Expiring, false}, {"gather", k.Gather, true}, {"repeat", k.Repeat, true}} {
		if at := v.Get(d.key); d.is < 0 || d.is == 0 && !d.zero {
			at.Problem("write a duration, such as 4h", "notices.%s: must be longer than nothing", d.key)
		}
	}
	if at := v.Get("at_most"); k.AtMost < 1 {
		at.Problem("write how many messages a recipient gets in an hour at most", "notices.at_most: %d is less than 1", k.AtMost)
	}
	n := &Notices{Unproven: k.Unproven, Late: k.Late, Expiring: k.Expiring, Gather: k.Gather, Repeat: k.Repeat, AtMost: k.AtMost}
	for _, e := range l.section([]strict.Value{k.To.Value}, "recipient", checkName) {
		n.To = append(n.To, l.readRecipient(e.Key, e.Value.In(quoted("recipient", e.Key))))
	}
	slices.SortFunc(n.To, func(a, b Recipient) int { return strings.Compare(a.Name, b.Name) })
	return n
}

func (l *loader) readRecipient(name string, v strict.Value) Recipient {
	var k recipientKeys
	r := Recipient{Name: name}
	if !v.Into(&k) && v.Kind() != strict.Block {
		return r
	}
	for i, kind := range k.About {
		if known := recipient.Kinds(); !slices.Contains(known, kind) {
			at, _ := v.Get("about").At(fmt.Sprintf("[%d]", i))
			at.Problem(spelling.Suggest(kind, known), "about: there is no notice %q", short(kind))
		}
	}
	r.About = k.About
	mail, hook := k.Mail.Value.Kind() != strict.None, k.Webhook.Value.Kind() != strict.None
	switch {
	case mail && hook:
		v.KeyProblem("make two recipients of it", "recipient %q has a mail and a webhook", short(name))
	case mail:
		r.Mail, _ = ownBlock(v, k.Mail.Value, "mail", func() any { return recipient.NewMail() }).(*recipient.Mail)
	case hook:
		r.Webhook, _ = ownBlock(v, k.Webhook.Value, "webhook", func() any { return recipient.NewWebhook() }).(*recipient.Webhook)
	default:
		v.KeyProblem("write mail or webhook", "recipient %q has neither a mail nor a webhook", short(name))
	}
	return r
}

func (p *printer) notices(n *Notices) any {
	if n == nil {
		return nil
	}
	var to []pair
	for i := range n.To {
		r := &n.To[i]
		about := pair{"about", nil}
		if len(r.About) > 0 {
			about.value = r.About
		}
		block := pair{"webhook", p.own(r.Webhook)}
		if r.Mail != nil {
			block = pair{"mail", p.own(r.Mail)}
		}
		to = append(to, pair{r.Name, p.block(about, block)})
	}
	unproven := pair{"unproven", nil}
	if n.Unproven > 0 {
		unproven.value = n.Unproven
	}
	return p.block(unproven, pair{"late", n.Late}, pair{"expiring", n.Expiring}, pair{"gather", n.Gather}, pair{"repeat", n.Repeat},
		pair{"at_most", n.AtMost}, pair{"to", p.block(to...)})
}
