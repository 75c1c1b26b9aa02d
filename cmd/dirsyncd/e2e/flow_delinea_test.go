package e2e

import (
	"testing"

	"dirsyncd/connectors/sim/delineasim"
)

// TestFlowDelinea runs docs/flows/delinea.md.
func TestFlowDelinea(t *testing.T) {
	t.Parallel()
	f := readFlow(t, "delinea")
	tenant, err := delineasim.Start(delineasim.Options{})
	fatal(t, err)
	t.Cleanup(tenant.Close)
	people, roles := map[string]string{}, map[string]string{}
	for _, p := range flowBlock[[]struct {
		Name, Login, Status, Directory string
		Roles                          []string
	}](f, "source") {
		id := tenant.AddUser()
		people[p.Name] = id
		tenant.SetUser(id, p.Login, p.Name, p.Login)
		if p.Status != "" {
			tenant.SetStatus(id, p.Status)
		}
		if p.Directory != "" {
			tenant.SetDirectory(id, p.Directory)
		}
		for _, r := range p.Roles {
			if roles[r] == "" {
				roles[r] = tenant.AddRole(r)
			}
			tenant.AddMember(roles[r], id, "User")
		}
	}
	in := f.install(map[string]string{"delinea": delineasim.Secret}, "https://acme.delinea.app", tenant.URL)
	in.expect(0, "check", "--probe")
	in.run("sync", "pam")
	f.records(in)
	nothing := func() {}
	f.then(in, []string{"sync", "pam"}, map[string]func(){
		"Ben gets the role Desk Technician": func() { tenant.AddMember(roles["Desk Technician"], people["Ben Bell"], "User") },
		"Eve is active again":               func() { tenant.SetStatus(people["Eve Eden"], "Active") },
		"Ada loses the role":                func() { tenant.RemoveMember(roles["Desk Technician"], people["Ada Ames"]) },
		"nothing more happens":              nothing,
		"Cleo is deleted":                   func() { tenant.DeleteUser(people["Cleo Cole"]) },
		"nothing more happens to Cleo":      nothing,
	})
}
