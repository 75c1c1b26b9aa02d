package chromiumtest

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"testing"
	"time"
)

// wire speaks the DevTools protocol over a pipe: JSON messages that end with a NUL.
type wire struct {
	w io.Writer

	mu      sync.Mutex
	last    int
	waiting map[int]chan answer
	tabs    map[string]*loads // by session
	ended   chan struct{}     // closed when the browser is gone
}

type arg = map[string]any

// answer is what comes back for one command.
type answer struct {
	Result json.RawMessage
	Error  *struct{ Message string }
}

// message is anything that comes.
type message struct {
	ID        int
	SessionID string
	Method    string
	Params    json.RawMessage
	answer
}

// loads counts the documents of a tab that have loaded, and keeps what its pages complained of.
type loads struct {
	mu         sync.Mutex
	n          int
	more       chan struct{} // closed by the next one
	complaints []string
}

func newWire(w io.Writer) *wire {
	return &wire{w: w, waiting: map[int]chan answer{}, tabs: map[string]*loads{}, ended: make(chan struct{})}
}

// loadsOf returns the count of a tab.
func (w *wire) loadsOf(session string) *loads {
	w.mu.Lock()
	defer w.mu.Unlock()
	l := w.tabs[session]
	if l == nil {
		l = &loads{more: make(chan struct{})}
		w.tabs[session] = l
	}
	return l
}

// read takes what comes until there is no more.
func (w *wire) read(r io.Reader) {
	defer close(w.ended)
	in := bufio.NewReader(r)
	for {
		text, err := in.ReadBytes(0)
		if err != nil {
			return
		}
		var m message
		if json.Unmarshal(text[:len(text)-1], &m) != nil {
			return
		}
		if m.ID == 0 {
			w.loadsOf(m.SessionID).happened(m.Method, m.Params)
			continue
		}
		w.mu.Lock()
		waiter := w.waiting[m.ID]
		delete(w.waiting, m.ID)
		w.mu.Unlock()
		waiter <- m.answer // has room
	}
}

func (l *loads) happened(method string, params json.RawMessage) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch method {
	case "Page.loadEventFired":
		l.n++
		close(l.more)
		l.more = make(chan struct{})
	case "Log.entryAdded":
		var p struct {
			Entry struct{ Source, Level, Text, URL string }
		}
		if json.Unmarshal(params, &p) == nil && p.Entry.Source == "security" {
			l.complaints = append(l.complaints, p.Entry.URL+": "+p.Entry.Text)
		}
	}
}

// now returns how many documents have loaded, and what is closed by the next one.
func (l *loads) now() (int, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.n, l.more
}

// command sends one and returns its result.
func (w *wire) command(session, method string, params any) (json.RawMessage, error) {
	if params == nil {
		params = arg{}
	}
	back := make(chan answer, 1)
	w.mu.Lock()
	w.last++
	w.waiting[w.last] = back
	m := arg{"id": w.last, "method": method, "params": params}
	if session != "" {
		m["sessionId"] = session
	}
	text, err := json.Marshal(m)
	if err == nil {
		_, err = w.w.Write(append(text, 0))
	}
	w.mu.Unlock()
	if err != nil {
		return nil, err
	}
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case a := <-back:
		if a.Error != nil {
			return nil, errors.New(method + ": " + a.Error.Message)
		}
		return a.Result, nil
	case <-w.ended:
		return nil, errors.New(method + ": the browser has ended")
	case <-timeout.C:
		return nil, errors.New(method + ": no answer")
	}
}

// call sends a command that must not fail.
func call[T any](tb testing.TB, w *wire, session, method string, params any) (result T) {
	tb.Helper()
	text, err := w.command(session, method, params)
	if err == nil {
		err = json.Unmarshal(text, &result)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return result
}
