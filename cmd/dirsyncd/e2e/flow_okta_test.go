package e2e

import (
	"strings"
	"testing"

	"dirsyncd/connectors/sim/oktasim"
	"dirsyncd/sync/targets/halo/halosim"
)

// TestFlowOkta runs docs/flows/okta.md.
func TestFlowOkta(t *testing.T) {
	t.Parallel()
	f := readFlow(t, "okta")
	source := flowBlock[struct {
		People []struct {
			Name, Login, Status string
			Groups, Apps        []string
		}
		Desk struct {
			Users []struct{ Name, Login, Email string }
			Sites []string
		}
	}](f, "source")
	org, err := oktasim.Start(oktasim.Options{Token: oktaToken})
	fatal(t, err)
	t.Cleanup(org.Close)
	people, groups, apps := map[string]string{}, map[string]string{}, map[string]string{}
	of := func(made map[string]string, name string, add func(string) string) string {
		if made[name] == "" {
			made[name] = add(name)
		}
		return made[name]
	}
	for _, p := range source.People {
		first, last, _ := strings.Cut(p.Name, " ")
		people[first] = org.AddUser(map[string]any{"firstName": first, "lastName": last, "displayName": p.Name, "login": p.Login, "email": p.Login})
		for _, g := range p.Groups {
			org.AddMember(of(groups, g, org.AddGroup), people[first])
		}
		for _, a := range p.Apps {
			org.Assign(of(apps, a, org.AddApp), people[first], true)
		}
		if p.Status != "" {
			org.SetStatus(people[first], p.Status)
		}
	}
	desk := halosim.Start(t, 7)
	customer, site := desk.Customer("Acme")
	for _, name := range source.Desk.Sites {
		desk.Add("Site", halosim.Thing{"name": name, "client_id": customer})
	}
	for _, u := range source.Desk.Users {
		desk.Add("Users", halosim.Thing{"name": u.Name, "login": u.Login, "emailaddress": u.Email, "site_id": site})
	}
	before := len(desk.Things("Users")) - len(source.Desk.Users)

	in := f.install(map[string]string{"okta-token": oktaToken, "halo": halosim.Secret},
		"https://acme.okta.com ", org.URL+" ", "https://acme.halopsa.example", desk.URL)
	in.expect(0, "check", "--probe")
	in.run("sync", "acme")
	f.records(in)
	held := ask[[]struct{ Hash string }](in, 3, "adopt")
	if len(held) != 1 {
		t.Fatalf("held at the desk: %v", held)
	}
	in.run("approve", held[0].Hash)
	in.run("sync")
	type user struct{ Name, Login, Email string }
	var got, want []string
	for _, u := range desk.Things("Users")[before:] {
		got = append(got, u.Text("name")+" "+u.Text("login")+" "+u.Text("emailaddress"))
	}
	for _, u := range flowBlock[[]user](f, "desk") {
		want = append(want, u.Name+" "+u.Login+" "+u.Email)
	}
	f.same("the users of the desk", got, want)

	leave := func(group, who string) { org.RemoveMember(groups[group], people[who]) }
	f.then(in, []string{"sync", "acme"}, map[string]func(){
		"Cleo moves from Site London to Site Oslo": func() {
			leave("Site London", "Cleo")
			org.AddMember(groups["Site Oslo"], people["Cleo"])
		},
		"Ben leaves Helpdesk L1 and is no agent any more":              func() { leave("Helpdesk L1", "Ben") },
		"Ada leaves Helpdesk Admins and Site Oslo":                     func() { leave("Helpdesk Admins", "Ada"); leave("Site Oslo", "Ada") },
		"the application is taken from Dan":                            func() { org.Assign(apps["Service Desk"], people["Dan"], false) },
		"Cleo is deactivated in Okta, which takes all groups from her": func() { org.SetStatus(people["Cleo"], "DEPROVISIONED") },
		"Fay is back":            func() { org.SetStatus(people["Fay"], "ACTIVE") },
		"CAB Network is deleted": func() { org.DeleteGroup(groups["CAB Network"]) },
	})
}
