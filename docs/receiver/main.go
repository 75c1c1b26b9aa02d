// Command receiver takes the events of dirsyncd and keeps a small table of them. It needs nothing but the standard library.
//
//	WEBHOOK_SECRET=whsec_... receiver -listen 127.0.0.1:8080 -table desk.jsonl
//	receiver -table desk.jsonl -list
//
// A start for a receiver of your own: replace what table.apply does by calls to your service desk, and keep the rest. TLS is
// the work of the reverse proxy in front of it. While a secret is replaced, WEBHOOK_SECRET may hold both, with a blank between.
package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	maxBody = 64 << 20        // far more than a batch has
	maxAge  = 5 * time.Minute // that a request may be old, after Standard Webhooks
)

// event is what of an event matters here. There may be more in it.
type event struct {
	ID      string `json:"id"`
	Subject string `json:"subject"`
	Data    struct {
		Op      string                     `json:"op"`
		Record  map[string]any             `json:"record"`
		Changes map[string]json.RawMessage `json:"changes"`
	} `json:"data"`
}

// receiver answers the requests of dirsyncd.
type receiver struct {
	keys  [][]byte
	table *table
	now   func() time.Time
}

func (rc *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "events come by POST", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		http.Error(w, "the request is too large", http.StatusRequestEntityTooLarge)
		return
	}
	if err != nil {
		return // the sender went away
	}
	if !rc.signed(r.Header, body) {
		http.Error(w, "the signature is wrong, or the request too old", http.StatusUnauthorized)
		return
	}
	events, batch, err := parse(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	refused, err := rc.table.take(events)
	switch {
	case err != nil: // nothing is lost: all of it comes again
		fmt.Fprintln(os.Stderr, "receiver: the table takes nothing:", err)
		w.WriteHeader(http.StatusServiceUnavailable)
	case !batch && len(refused) > 0:
		http.Error(w, refused[0].Error, http.StatusUnprocessableEntity)
	case batch:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string][]result{"results": refused})
	}
}

// result says of one event of a batch that it is refused.
type result struct {
	ID     string `json:"id"`
	Status int    `json:"status"`
	Error  string `json:"error"`
}

// parse reads one event, or a batch of them.
func parse(body []byte) (events []event, batch bool, err error) {
	if batch = strings.HasPrefix(strings.TrimLeft(string(body[:min(len(body), 64)]), " \t\r\n"), "["); batch {
		err = json.Unmarshal(body, &events)
	} else {
		events = make([]event, 1)
		err = json.Unmarshal(body, &events[0])
	}
	for i := range events {
		if err == nil && events[i].ID == "" {
			err = errors.New("an event has no id")
		}
	}
	return events, batch, err
}

// signed reports whether a request is from one who has a key, and is not an old one that somebody sends again.
func (rc *receiver) signed(h http.Header, body []byte) bool {
	stamp := h.Get("webhook-timestamp")
	sent, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || rc.now().Sub(time.Unix(sent, 0)).Abs() > maxAge {
		return false
	}
	good := false
	for _, key := range rc.keys {
		mac := hmac.New(sha256.New, key)
		_, _ = fmt.Fprintf(mac, "%s.%s.", h.Get("webhook-id"), stamp)
		_, _ = mac.Write(body)
		want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
		for signature := range strings.SplitSeq(h.Get("webhook-signature"), " ") {
			good = hmac.Equal([]byte(want), []byte(signature)) || good
		}
	}
	return good
}

// keysOf returns the keys of secrets that stand in a text with blanks between.
func keysOf(secrets string) (keys [][]byte, err error) {
	for secret := range strings.FieldsSeq(secrets) {
		text, ok := strings.CutPrefix(secret, "whsec_")
		key, err := base64.StdEncoding.DecodeString(text)
		if err != nil || !ok {
			return nil, errors.New("a secret is whsec_ and base64")
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("set WEBHOOK_SECRET to the secret of the target")
	}
	return keys, nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "receiver:", err)
		os.Exit(1)
	}
}

func run() error {
	listen := flag.String("listen", "127.0.0.1:8080", "`address`")
	file := flag.String("table", "desk.jsonl", "`file`")
	list := flag.Bool("list", false, "print the table and end")
	flag.Parse()
	t, err := openTable(*file)
	if err != nil {
		return err
	}
	if *list {
		return t.show(os.Stdout)
	}
	keys, err := keysOf(os.Getenv("WEBHOOK_SECRET"))
	if err != nil {
		return err
	}
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", *listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stdout, "listening on http://%s\n", l.Addr())
	server := &http.Server{Handler: &receiver{keys, t, time.Now}, ReadTimeout: time.Minute, WriteTimeout: time.Minute, IdleTimeout: time.Minute}
	return server.Serve(l)
}
