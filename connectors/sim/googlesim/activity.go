package googlesim

import (
	"strconv"
	"time"
)

// activity is one entry of the audit log.
type activity struct {
	at, shown  time.Time
	qualifier  int64
	kind, name string
	parameters []string // name, value, name, value, …
}

// note writes the audit log.
func (c *Customer) note(kind, name string, parameters ...string) {
	if c.mute {
		return
	}
	c.next++
	now := c.s.opts.Now()
	c.log = append(c.log, &activity{
		at: now, shown: now.Add(c.s.opts.Lag), qualifier: (c.next * 6364136223846793005) ^ int64(c.place), kind: kind, name: name, parameters: parameters,
	})
}

// Note writes an event of any kind into the audit log: parameters are name, value, name, value, and so on.
func (c *Customer) Note(kind, name string, parameters ...string) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.note(kind, name, parameters...)
}

func (a *activity) resource(customer string) map[string]any {
	var parameters []any
	for i := 0; i+1 < len(a.parameters); i += 2 {
		parameters = append(parameters, map[string]any{"name": a.parameters[i], "value": a.parameters[i+1]})
	}
	return map[string]any{
		"kind": "admin#reports#activity",
		"id": map[string]any{
			"time": stamp(a.at), "uniqueQualifier": strconv.FormatInt(a.qualifier, 10), "applicationName": "admin", "customerId": customer,
		},
		"actor":  map[string]any{"callerType": "USER", "email": "admin@example.test"},
		"events": []any{map[string]any{"type": a.kind, "name": a.name, "parameters": parameters}},
	}
}
