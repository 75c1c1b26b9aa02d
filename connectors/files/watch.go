package files

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"dirsyncd/connectors"
	"dirsyncd/sync/fault"
)

// Watch implements connectors.Watcher. It calls when a file that counts has changed and has been left alone since. Where the
// system does not tell of changes, such as on network shares, looking at the folder now and then finds them.
func (c *Connector) Watch(ctx context.Context, _ connectors.Tenant, notify func()) error {
	const op = "watch"
	if !c.cfg.Watch {
		return nil
	}
	root, err := c.openFolder(op)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	w := &watch{Connector: c, root: root, notify: notify}
	events, failures, stop := w.listen()
	defer stop()
	if w.known, err = w.looks(); err != nil {
		return fileFault(op, string(c.cfg.Folder), err)
	}
	notify()
	poll := time.NewTicker(c.cfg.Poll.Std())
	defer poll.Stop()
	quiet := time.NewTimer(time.Hour)
	quiet.Stop()
	defer quiet.Stop()
	for {
		var look bool
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e, ok := <-events:
			if !ok {
				events = nil
				continue
			}
			look = w.counts(e.Name)
		case _, ok := <-failures:
			if !ok {
				failures = nil
			}
			look = true // some events were lost
		case <-poll.C:
			look = true
		case <-quiet.C:
			look = true
		}
		if !look {
			continue
		}
		wait, err := w.look()
		if err != nil {
			return &fault.Error{Class: fault.Transient, Op: op, Where: string(c.cfg.Folder), Err: err, Hint: "look at the folder"}
		}
		if wait > 0 {
			quiet.Reset(wait)
		}
	}
}

// watch is what is known of the files of a folder.
type watch struct {
	*Connector
	root   *os.Root
	notify func()
	known  map[string]look
}

// listen has the system tell of changes, as far as it can.
func (w *watch) listen() (events <-chan fsnotify.Event, failures <-chan error, stop func()) {
	n, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, nil, func() {}
	}
	folders := []string{"."}
	for _, k := range w.cfg.Kinds {
		for _, pattern := range k.File {
			if dir := path.Dir(filepath.ToSlash(pattern)); !wild(dir) && !slices.Contains(folders, dir) {
				folders = append(folders, dir)
			}
		}
	}
	for _, dir := range folders {
		_ = n.Add(filepath.Join(string(w.cfg.Folder), filepath.FromSlash(dir))) // polling is for what cannot be watched
	}
	return n.Events, n.Errors, func() { _ = n.Close() }
}

// counts reports whether a path may be that of a file that counts.
func (w *watch) counts(file string) bool {
	name, err := filepath.Rel(string(w.cfg.Folder), file)
	if err != nil {
		return true
	}
	name = filepath.ToSlash(name)
	return !notMeant(name) && !within(name, w.cfg.Done.Folder)
}

// looks says how all files that count look now.
func (w *watch) looks() (map[string]look, error) {
	all := map[string]look{}
	for word, k := range w.cfg.Kinds {
		list, _, err := find(w.root, &k, w.cfg.Done.Folder)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", strings.Join(k.File, ", "), err)
		}
		for _, f := range list {
			all[word+" "+f.name] = f.look
		}
	}
	return all, nil
}

// look compares the files with what is known, and calls when one has changed and all that changed were left alone. It returns
// how long that takes still.
func (w *watch) look() (wait time.Duration, err error) {
	now, err := w.looks()
	if err != nil {
		return 0, err
	}
	changed := false
	for name, l := range now {
		if was, ok := w.known[name]; ok && was == l {
			continue
		}
		changed = true
		wait = max(wait, l.fresh(w.env.Now(), w.cfg.Settle.Std()))
	}
	if wait > 0 {
		return wait, nil
	}
	w.known = now
	if changed {
		w.notify()
	}
	return 0, nil
}
