package connectortest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

func checkDescribe(c *trial) {
	d := c.Connector.Describe()
	if !reflect.DeepEqual(d, c.Connector.Describe()) {
		c.Error("Describe says something else the second time")
	}
	if len(d.Streams) == 0 || len(d.Permissions) == 0 {
		c.Errorf("%d streams, %d permissions; want at least one of each", len(d.Streams), len(d.Permissions))
	}
	names, kinds := make(map[string]bool), make(map[directory.Kind]bool)
	for _, s := range d.Streams {
		if s.Name == "" || names[s.Name] {
			c.Errorf("stream name %q is empty or used twice", s.Name)
		}
		names[s.Name] = true
		for _, k := range s.Kinds {
			if kinds[k] {
				c.Errorf("kind %s is in two streams", k)
			}
			kinds[k] = true
		}
		if len(s.Kinds) == 0 && !s.Members {
			c.Errorf("stream %s lists nothing", s.Name)
		}
		if s.Tombstones && !s.Delta {
			c.Errorf("stream %s has Tombstones without Delta", s.Name)
		}
		if s.Rewritten != "" && !s.Delta || s.Derived && s.Rewritten == "" {
			c.Errorf("stream %s: Delta %t, Rewritten %q, Derived %t; each needs the one before", s.Name, s.Delta, s.Rewritten, s.Derived)
		}
	}
	c.clean("Describe", fmt.Sprintf("%+v", d))
}

func sameTenant(a, b connectors.Tenant) bool {
	return a.ID == b.ID && a.Name == b.Name && a.Domain == b.Domain && slices.Equal(a.Streams, b.Streams)
}

func checkTenants(c *trial) {
	first, err := c.Connector.Tenants(c.ctx)
	if err != nil {
		c.Fatalf("Tenants: %v", err)
	}
	second, err := c.Connector.Tenants(c.ctx)
	if err != nil || !slices.EqualFunc(first, second, sameTenant) {
		c.Errorf("Tenants: %v, then %v, %v", first, second, err)
	}
	seen := make(map[string]bool)
	for _, t := range first {
		if seen[t.ID] || t.ID == "" && len(first) > 1 {
			c.Errorf("tenant id %q is used twice, or empty among several", t.ID)
		}
		seen[t.ID] = true
	}
	c.clean("Tenants", fmt.Sprintf("%+v", first))
}

// findings runs Check and looks at the form of what it finds.
func (c *trial) findings() []connectors.Finding {
	c.Helper()
	found, err := c.Connector.Check(c.ctx)
	c.cleanError("the error of Check", err)
	c.clean("a finding", fmt.Sprintf("%+v", found))
	if err != nil {
		c.classified("Check", err)
	}
	if err == nil && len(found) == 0 {
		c.Error("Check found nothing at all")
	}
	for _, f := range found {
		if f.Subject == "" || !f.OK && f.Detail == "" {
			c.Errorf("finding without subject or detail: %+v", f)
		}
	}
	return found
}

func checkHealthy(c *trial) {
	for _, f := range c.findings() {
		if !f.OK {
			c.Errorf("a healthy source has a finding: %+v", f)
		}
	}
}

// mustFind fails unless Check finds something wrong, with a hint when somebody can do something about it.
func (c *trial) mustFind(hint bool) {
	c.Helper()
	for _, f := range c.findings() {
		if !f.OK && (!hint || f.Hint != "") {
			return
		}
	}
	c.Errorf("Check does not name what is wrong (with a hint: %t)", hint)
}

func checkCredentials(c *trial) {
	c.breaks(BadCredentials)
	c.mustFind(true)
}

func checkPermission(c *trial) {
	c.breaks(MissingPermission)
	c.mustFind(true)
}

func checkUnreachable(c *trial) {
	c.breaks(Unreachable)
	c.mustFind(false)
}

func checkCheckCancelled(c *trial) {
	ctx, cancel := context.WithCancel(c.ctx)
	cancel()
	if _, err := c.Connector.Check(ctx); !errors.Is(err, context.Canceled) {
		c.Errorf("Check with a cancelled context: error %v, want %v", err, context.Canceled)
	}
}

func checkUnknownStream(c *trial) {
	for _, mode := range []connectors.Mode{connectors.Full, connectors.Delta} {
		l := c.readStream(c.ctx, connectors.Request{Tenant: c.tenant, Stream: "no such stream", Mode: mode}, nil)
		c.classified("Read of an unknown stream", l.err, fault.Internal, fault.Invalid)
		if len(l.pages) > 0 {
			c.Errorf("Read of an unknown stream emitted %d pages", len(l.pages))
		}
	}
}

// checkConcurrent reads all streams at once and compares with what they give one after the other.
func checkConcurrent(c *trial) {
	streams := c.Connector.Describe().Streams
	request := func(s connectors.Stream) connectors.Request {
		return connectors.Request{Tenant: c.tenant, Stream: s.Name, Mode: connectors.Full}
	}
	want := make([]listing, len(streams))
	for i, s := range streams {
		want[i] = c.readStream(c.ctx, request(s), nil)
	}
	got := make([]listing, len(streams))
	var wg sync.WaitGroup
	for i, s := range streams {
		wg.Go(func() { got[i] = c.readStream(c.ctx, request(s), nil) })
	}
	wg.Wait()
	for i, s := range streams {
		if got[i].err != nil || want[i].err != nil {
			c.Errorf("stream %s: alone %v, among others %v", s.Name, want[i].err, got[i].err)
		}
		if !maps.Equal(got[i].content(), want[i].content()) {
			c.Errorf("stream %s reads differently while others are read", s.Name)
		}
	}
}
