package api

import "time"

// SigninRequest says which attempts to sign in are wanted.
type SigninRequest struct {
	ID      string    `json:"id,omitempty"`      // one attempt; the rest is ignored
	Refused bool      `json:"refused,omitempty"` // only those that were refused
	Since   time.Time `json:"since,omitzero"`
	Limit   int       `json:"limit,omitempty"` // 0: all
}

// SigninAttempt is one attempt to sign in, from the moment at which a provider sent a browser back.
type SigninAttempt struct {
	ID       string        `json:"id"` // what the person was shown
	At       time.Time     `json:"at"`
	Millis   int64         `json:"millis"` // how long it took
	Provider string        `json:"provider"`
	App      string        `json:"app,omitempty"`
	Record   string        `json:"record,omitempty"` // key of the record of whoever was found
	Object   string        `json:"object,omitempty"` // at the source, "hq/1"
	By       string        `json:"by,omitempty"`     // by what they were found: id, link, mail, …
	Reason   string        `json:"reason,omitempty"` // why they are not in; empty: they are
	Detail   string        `json:"detail,omitempty"`
	Hint     string        `json:"hint,omitempty"` // what to do
	Code     string        `json:"code,omitempty"` // the provider's own
	Checks   []SigninCheck `json:"checks,omitempty"`
	Claims   []string      `json:"claims,omitempty"` // names of what the provider said
}

// SigninCheck is one thing that was looked at.
type SigninCheck struct {
	Name  string `json:"name"`
	OK    bool   `json:"ok"`
	Found string `json:"found,omitempty"`
}

// SigninSession is somebody who is signed in.
type SigninSession struct {
	Record   string    `json:"record"`
	Object   string    `json:"object"`
	Provider string    `json:"provider"`
	Host     string    `json:"host,omitempty"` // of the application; empty: the central one
	Since    time.Time `json:"since"`
	Ends     time.Time `json:"ends"`
	Attempt  string    `json:"attempt"`
	// Remembered: the person chose to stay signed in on a device.
	Remembered bool `json:"remembered,omitempty"`
}

// SigninWhoRequest asks whom somebody would be who comes by a provider, without a browser.
type SigninWhoRequest struct {
	Provider string `json:"provider"`
	// Says is what the provider would say: "id" is the id of an object in a directory, "tenant" that of its tenant, "mail" a verified address, others
	// are claims that the provider matches by.
	Says map[string]string `json:"says"`
}

// SigninWho is whom somebody would be.
type SigninWho struct {
	Provider string        `json:"provider"`
	Record   string        `json:"record,omitempty"` // key of the record of whoever was found
	Object   string        `json:"object,omitempty"` // at the source
	By       string        `json:"by,omitempty"`
	Reason   string        `json:"reason,omitempty"` // why they would not be in; empty: they would
	Detail   string        `json:"detail,omitempty"`
	Hint     string        `json:"hint,omitempty"`
	Checks   []SigninCheck `json:"checks,omitempty"`
	Apps     []string      `json:"apps,omitempty"` // applications that would let them in
}

// SigninLink is who somebody was found to be once, by what a provider never gives to anybody else.
type SigninLink struct {
	ID       string    `json:"id"`
	Record   string    `json:"record,omitempty"`
	Object   string    `json:"object"`
	Provider string    `json:"provider,omitempty"` // empty for links of former versions
	Since    time.Time `json:"since,omitzero"`
}

// SigninKeysRequest says what is to be done with the keys that sign identity tokens.
type SigninKeysRequest struct {
	Rotate bool `json:"rotate,omitempty"` // makes the next one
	Now    bool `json:"now,omitempty"`    // it signs at once, and the former ones are forgotten
}

// SigninKey is a key that is published.
type SigninKey struct {
	ID      string    `json:"id"` // kid
	Created time.Time `json:"created"`
	State   string    `json:"state"` // signs, next, former
}
