package entra

import (
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/sim/microsoftsim"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// TestLeaveDate: when somebody leaves is read where it is asked for and may be, and its change is seen.
func TestLeaveDate(t *testing.T) {
	w := small(t)
	ada, leaves := w.tenant.PersonID(3), "2026-09-30T23:59:59Z"
	w.tenant.Set(ada, microsoftsim.Props{leaveDate: leaves})
	open := func() *Connector { return w.open(func(c *Config) { c.LeaveDate = true }) }
	_, _, err := readAll(t, open(), streamUsers, connectors.Full, nil)
	if fault.ClassOf(err) != fault.Forbidden {
		t.Errorf("read without the permission: %v", err)
	}
	findings, err := open().Check(t.Context())
	if err != nil || !strings.Contains(failures(findings), leavePermissions()[0]) {
		t.Errorf("check without the permission: %v, %+v", err, findings)
	}
	w.tenant.Consent(testClient, leavePermissions()[0])
	c := open()
	objects, last, err := readAll(t, c, streamUsers, connectors.Full, nil)
	one := objects[ada]
	if got, _ := one.Get(directory.FieldExpires); err != nil || got.String() != leaves {
		t.Errorf("leaves %q, %v", got, err)
	}
	w.tenant.Set(ada, microsoftsim.Props{leaveDate: nil})
	objects, _, err = readAll(t, c, streamUsers, connectors.Delta, last.Cursor)
	one, changed := objects[ada]
	if got, known := one.Get(directory.FieldExpires); err != nil || !changed || known && !got.Blank() {
		t.Errorf("stays after all: %t, %q, %v", changed, got, err)
	}
	cfg := Defaults()
	if hint, unread := cfg.Unread(directory.Person, directory.FieldExpires); !unread || hint != "set entra.leave_date: true" {
		t.Errorf("%t, %q", unread, hint)
	}
}

// failures is what findings say that are not well.
func failures(findings []connectors.Finding) (text string) {
	for _, f := range findings {
		if !f.OK {
			text += f.Subject + " " + f.Detail + " " + f.Hint + "\n"
		}
	}
	return text
}
