package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/fault"
)

// fullDisk is a store that takes nothing until it is mended.
type fullDisk struct {
	store.Store
	mended bool
}

func (f *fullDisk) Update(ctx context.Context, p store.Partition, fn func(store.Writer) error) error {
	if f.mended {
		return f.Store.Update(ctx, p, fn)
	}
	return &fault.Error{Class: fault.Transient, Op: "write state", Err: errors.New("no space left on device"), Hint: "free some space"}
}

// muddling is a source that makes an error of its own of whatever emit says.
type muddling struct{ connectors.Connector }

func (m muddling) Read(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	if err := m.Connector.Read(ctx, req, emit); err != nil {
		return &fault.Error{Class: fault.Throttled, Op: "read users", Err: fmt.Errorf("source: %w", err)}
	}
	return nil
}

// A full disk is no failure of the source: it is not asked again, and not blamed.
func TestFullDiskIsNotTheSource(t *testing.T) {
	for _, muddled := range []bool{false, true} {
		r := newRig(t)
		r.add("1", "P1")
		disk := &fullDisk{Store: r.store}
		var log bytes.Buffer
		r.engine.store, r.engine.opts.Log = disk, slog.New(slog.NewTextHandler(&log, nil))
		r.engine.opts.Sleep = func(context.Context, time.Duration) error { t.Error("waited for the source"); return nil }
		if muddled {
			r.conn.Source = muddling{r.world}
		}
		res := r.engine.Run(t.Context(), r.conn, connectors.Tenant{}, Job{})
		if res.Run.Outcome != Failed || !strings.HasPrefix(res.Run.Error, "write state: no space left") || r.reads != 1 {
			t.Errorf("%s, %q after %d reads", res.Run.Outcome, res.Run.Error, r.reads)
		}
		if strings.Contains(log.String(), "source failed") {
			t.Error(log.String())
		}
		disk.mended = true
		if res := r.engine.Run(t.Context(), r.conn, connectors.Tenant{}, Job{}); res.Run.Outcome != Clean {
			t.Errorf("after space was made: %v", res.Err)
		}
	}
}
