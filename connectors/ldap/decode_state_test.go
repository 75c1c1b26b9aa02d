package ldap

import (
	"testing"
	"time"

	"dirsyncd/connectors/ldap/internal/wire"
	"dirsyncd/sync/directory"
)

// stateOf is what the marks of an entry make of the account at a time, and when that may change.
func stateOf(now time.Time, attributes map[string]string) (state string, next time.Time) {
	p := openLDAP()
	tr := newTranslator(directory.Person, p, Defaults())
	tr.row.calendar.now = now
	e := &wire.Entry{DN: "uid=a,dc=example"}
	for name, value := range attributes {
		e.Attributes = append(e.Attributes, wire.Attribute{Name: name, Values: []string{value}})
	}
	tr.row.load(e)
	for i := range tr.rules {
		if v, ok := tr.rules[i].read(tr.row); ok && (tr.rules[i].name == directory.FieldEnabled || tr.rules[i].name == directory.FieldStatus) {
			state += v.String() + " "
		}
	}
	return state, tr.row.calendar.next
}

func TestMarks(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		marks map[string]string
		want  string
		next  time.Time
	}{
		"none":                       {nil, "true active ", time.Time{}},
		"inetUserStatus":             {map[string]string{"inetUserStatus": "Inactive"}, "false disabled ", time.Time{}},
		"inetUserStatus deleted":     {map[string]string{"inetuserstatus": "deleted"}, "false disabled ", time.Time{}},
		"inetUserStatus active":      {map[string]string{"inetUserStatus": "Active"}, "true active ", time.Time{}},
		"samba":                      {map[string]string{"sambaAcctFlags": "[DU         ]"}, "false disabled ", time.Time{}},
		"samba, not":                 {map[string]string{"sambaAcctFlags": "[UX         ]"}, "true active ", time.Time{}},
		"samba, locked":              {map[string]string{"sambaAcctFlags": "[LU         ]"}, "true locked ", time.Time{}},
		"samba, kicked off":          {map[string]string{"sambaKickoffTime": "1600000000"}, "false expired ", time.Time{}},
		"samba, never":               {map[string]string{"sambaKickoffTime": "2147483647"}, "true active ", time.Time{}},
		"nsAccountLock":              {map[string]string{"nsAccountLock": "true"}, "false disabled ", time.Time{}},
		"loginDisabled":              {map[string]string{"loginDisabled": "TRUE"}, "false disabled ", time.Time{}},
		"intruder":                   {map[string]string{"lockedByIntruder": "TRUE"}, "true locked ", time.Time{}},
		"glauth":                     {map[string]string{"accountStatus": "inactive"}, "false disabled ", time.Time{}},
		"permanent lock":             {map[string]string{"pwdAccountLockedTime": "000001010000Z"}, "false disabled ", time.Time{}},
		"lock":                       {map[string]string{"pwdAccountLockedTime": "20260101000000Z"}, "true locked ", time.Time{}},
		"lock, and disabled":         {map[string]string{"pwdAccountLockedTime": "20260101000000Z", "nsAccountLock": "TRUE"}, "false disabled ", time.Time{}},
		"lock, and over":             {map[string]string{"pwdAccountLockedTime": "20260101000000Z", "pwdEndTime": "20260101000000Z"}, "false expired ", time.Time{}},
		"shadow, disabled":           {map[string]string{"shadowExpire": "1"}, "false disabled ", time.Time{}},
		"shadow, over":               {map[string]string{"shadowExpire": "20484"}, "false expired ", time.Time{}},
		"shadow, tomorrow":           {map[string]string{"shadowExpire": "20485"}, "true expires ", time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)},
		"shadow, never":              {map[string]string{"shadowExpire": "-1"}, "true active ", time.Time{}},
		"shadow, zero":               {map[string]string{"shadowExpire": "0"}, "true active ", time.Time{}},
		"shadow, 9999999":            {map[string]string{"shadowExpire": "99999"}, "true expires ", time.Date(2243, 10, 16, 0, 0, 0, 0, time.UTC)},
		"ended":                      {map[string]string{"pwdEndTime": "20260131120000Z"}, "false expired ", time.Time{}},
		"ends":                       {map[string]string{"pwdEndTime": "20260131120001Z"}, "true expires ", now.Add(time.Second)},
		"begins":                     {map[string]string{"pwdStartTime": "20260131120001Z"}, "false disabled ", now.Add(time.Second)},
		"began":                      {map[string]string{"pwdStartTime": "20260101000000Z"}, "true active ", time.Time{}},
		"begins and ends":            {map[string]string{"pwdStartTime": "20260101000000Z", "pwdEndTime": "20260301000000Z"}, "true expires ", time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)},
		"FreeIPA":                    {map[string]string{"krbPrincipalExpiration": "20200101000000Z"}, "false expired ", time.Time{}},
		"a date that cannot be read": {map[string]string{"pwdEndTime": "soon"}, "true active ", time.Time{}},
	} {
		if got, next := stateOf(now, tc.marks); got != tc.want || !next.Equal(tc.next) {
			t.Errorf("%s: %q until %v, want %q until %v", name, got, next, tc.want, tc.next)
		}
	}
}
