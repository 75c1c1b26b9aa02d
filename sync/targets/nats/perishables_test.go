package nats

import (
	"encoding/base64"
	"testing"
	"time"
)

// TestCredentialsEnd: the day of a user's JWT is found, and what is none says nothing.
func TestCredentialsEnd(t *testing.T) {
	creds := func(claims string) string {
		part := base64.RawURLEncoding.EncodeToString
		return "-----BEGIN NATS USER JWT-----\n" + part([]byte(`{"typ":"JWT","alg":"ed25519-nkey"}`)) + "." + part([]byte(claims)) + ".c2ln\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\nSU\n------END USER NKEY SEED------\n"
	}
	for text, want := range map[string]int64{
		creds(`{"exp": 1893456000, "sub": "U"}`): 1893456000, creds(`{"sub": "U"}`): 0, creds(`{"exp": "soon"}`): 0, creds(`{"exp": -1}`): 0, creds(`{`): 0,
		"": 0, "-----BEGIN NATS USER JWT-----": 0, "-----BEGIN NATS USER JWT-----\na.b\n": 0, "-----BEGIN NATS USER JWT-----\na.!.c\n": 0,
	} {
		is := credentialsEnd([]byte(text))
		if want == 0 && !is.IsZero() || want != 0 && !is.Equal(time.Unix(want, 0)) {
			t.Errorf("%q: %s", text, is)
		}
	}
}
