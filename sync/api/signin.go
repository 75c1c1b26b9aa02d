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
