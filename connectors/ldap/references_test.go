package ldap

import (
	"io"
	"slices"
	"strings"
	"testing"

	"dirsyncd/connectors/ldap/slapdtest"
	"dirsyncd/sync/fault"
)

// TestReferredParts: a part that the server refers to others for is named beside the proof, by the place where it was.
func TestReferredParts(t *testing.T) {
	const referral = "dn: ou=branch,SUFFIX\nobjectClass: referral\nobjectClass: extensibleObject\nou: branch\nref: URL\n\n"
	for name, tc := range map[string]struct {
		ref, base string // base: below the suffix
		want      string
	}{
		"none":                            {"", "", ""},
		"by the same name":                {"ldap://127.0.0.1:1/ou=Branch,SUFFIX", "", "ou=branch,SUFFIX"},
		"by another name":                 {"ldap://127.0.0.1:1/o=elsewhere", "", "ou=branch,SUFFIX"},
		"without a name":                  {"ldap://127.0.0.1:1", "", "ou=branch,SUFFIX"},
		"several addresses of one branch": {"ldap://127.0.0.1:1/o=a\nref: ldap://127.0.0.1:2/o=b", "", "ou=branch,SUFFIX"},
		"not below the base":              {"ldap://127.0.0.1:1/ou=branch,SUFFIX", "ou=people,", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := slapdtest.Start(t, slapdtest.Options{Load: func(w io.Writer, suffix string) error {
				if tc.ref == "" {
					return nil
				}
				_, err := io.WriteString(w, strings.ReplaceAll(strings.Replace(referral, "URL", tc.ref, 1), "SUFFIX", suffix))
				return err
			}})
			s.AddPerson("ada", nil)
			c := openFor(t, s, func(c *Config) { c.Base = Names{tc.base + s.Suffix} })
			got := readAll(t.Context(), c, streamUsers, nil).must(t)
			var where []string
			for _, p := range got.unlisted {
				where = append(where, strings.ToLower(p.Where))
				ada := got.objects[s.UUID(s.PersonDN("ada"))]
				if p.Holds(&ada) {
					t.Errorf("%s holds a person who was listed", p.Where)
				}
				ada.Handles = []string{"dn:uid=ada,ou=branch," + s.Suffix}
				if !p.Holds(&ada) {
					t.Errorf("%s does not hold a person below it", p.Where)
				}
			}
			if want := strings.Fields(strings.ReplaceAll(tc.want, "SUFFIX", s.Suffix)); !slices.Equal(where, want) {
				t.Errorf("unlisted %q, want %q", where, want)
			}
		})
	}
}

// TestBranchMovedAway: a branch that makes place for a referral is named as deleted to the last entry. That is no proof.
func TestBranchMovedAway(t *testing.T) {
	s := slapdtest.Start(t, slapdtest.Options{SessionLog: 100})
	branch := "ou=branch," + s.Suffix
	s.Add(branch, map[string][]string{"objectClass": {"organizationalUnit"}, "ou": {"branch"}})
	s.Add("uid=ada,"+branch, map[string][]string{"objectClass": {"inetOrgPerson"}, "uid": {"ada"}, "cn": {"ada"}, "sn": {"ada"}})
	c := openFor(t, s, nil)
	f := follow(t, c, streamUsers)
	s.Delete("uid=ada," + branch)
	s.Delete(branch)
	s.Add(branch, map[string][]string{"objectClass": {"referral", "extensibleObject"}, "ou": {"branch"}, "ref": {"ldap://127.0.0.1:1/" + branch}})
	if err := f.delta(t.Context()); fault.ClassOf(err) != fault.CursorExpired || f.removed > 0 {
		t.Errorf("error %v, %d removed", err, f.removed)
	}
	f = follow(t, c, streamUsers)
	s.AddPerson("bob", nil)
	if err := f.delta(t.Context()); err != nil || f.touched != 1 {
		t.Errorf("a change elsewhere: error %v, %d touched", err, f.touched)
	}
	findings, err := c.Check(t.Context())
	if i := slices.IndexFunc(findings, func(f finding) bool { return strings.HasPrefix(f.Subject, "users below") }); err != nil || i < 0 || !strings.Contains(findings[i].Detail, branch) {
		t.Errorf("check does not name the branch: %+v, %v", findings, err)
	}
}
