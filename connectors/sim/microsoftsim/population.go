package microsoftsim

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Population is what a tenant holds at the start. The same numbers always make the same tenant.
type Population struct {
	// Seed tells tenants apart; made up when zero.
	Seed   uint64
	People int
	// Guests are further people, invited from elsewhere.
	Guests int
	Groups int
	// GroupsPerPerson is how many groups a person is in directly; 3 when zero, none when negative. The first group
	// holds everybody, and every seventh group contains the next one.
	GroupsPerPerson int
	// Devices are those of the directory.
	Devices int
	// Managed are devices that Intune manages. Without any the tenant has no Intune licence.
	Managed int
	// SKUs is how many products there are; everybody has the first, and one of the others each.
	SKUs int
	// Extension adds the property extension_<32 zeros>_costCentre to people.
	Extension bool
	// Photos gives two of three people a photo.
	Photos bool
}

// ExtensionName is the directory extension that Population.Extension makes.
const ExtensionName = "extension_00000000000000000000000000000000_costCentre"

// generate makes the content up.
func (p Population) generate(t *Tenant) *directoryData {
	d := newDirectoryData()
	p.makeSKUs(t, d)
	for i := range p.People + p.Guests {
		d.add(p.person(t, d, i))
	}
	p.makeGroups(t, d)
	for i := range p.Devices {
		d.add(p.device(t, i))
	}
	for i := range p.Managed {
		d.managed = append(d.managed, p.managedDevice(t, i))
	}
	return d
}

// PersonID is the id of the population's person with this number; guests come after the others.
func (t *Tenant) PersonID(i int) string { return seededGUID(t.made.Seed, 'U', i) }

// GroupID is the id of the population's group with this number.
func (t *Tenant) GroupID(i int) string { return seededGUID(t.made.Seed, 'G', i) }

// DeviceID is the object id of the population's device with this number.
func (t *Tenant) DeviceID(i int) string { return seededGUID(t.made.Seed, 'E', i) }

// ManagedID is the id of the population's managed device with this number.
func (t *Tenant) ManagedID(i int) string { return seededGUID(t.made.Seed, 'M', i) }

// quoted spells a plain text in JSON. Names of this package hold nothing that needs escaping.
func quoted(text string) string { return `"` + text + `"` }

func (p Population) made(i int) string {
	return time.Date(2019, 1, 7, 8, 0, 0, 0, time.UTC).Add(time.Duration(mix(p.Seed+uint64(i))%50_000) * time.Hour).Format(time.RFC3339)
}

// person makes the i-th person. Properties are set in ascending order of their names, which makes that cheap.
func (p Population) person(t *Tenant, d *directoryData, i int) *object {
	x := mix(p.Seed<<20 + uint64(i))
	pick := func(n int) int { x = mix(x); return int(x % uint64(n)) }
	given := givenNames()[pick(len(givenNames()))]
	family := familyNames()[pick(len(familyNames()))]
	at := places()[pick(len(places()))]
	alias := fmt.Sprintf("%s.%s%d", ascii(given), ascii(family), i)
	mail := alias + "@" + t.domains[len(t.domains)-1]
	upn, guest := mail, i >= p.People
	if guest {
		mail = alias + "@partner.test"
		upn = strings.ReplaceAll(mail, "@", "_") + "#EXT#@" + t.domain
	}
	o := &object{res: users, id: t.PersonID(i), props: make([]prop, 0, 28), photo: p.madePhoto(i)}
	set := func(name, raw string) { o.props = append(o.props, prop{name, raw}) }
	set("accountEnabled", strconv.FormatBool(i%25 != 24))
	set("assignedLicenses", p.licencesOf(d, i))
	set("businessPhones", fmt.Sprintf(`["+44 20 7946 %04d"]`, i%10_000))
	set("city", quoted(at.city))
	set("companyName", quoted(t.name))
	set("country", quoted(at.country))
	set("createdDateTime", quoted(p.made(i)))
	if guest {
		set("creationType", `"Invitation"`)
	}
	if i%10 != 9 { // some were never put into one
		set("department", quoted(departments()[pick(len(departments()))]))
	}
	set("displayName", quoted(given+" "+family))
	if !guest {
		set("employeeId", quoted(strconv.Itoa(10_000+i)))
	}
	if p.Extension {
		set(ExtensionName, quoted(fmt.Sprintf("CC-%d", i%40)))
	}
	if guest {
		set("externalUserState", `"Accepted"`)
	}
	set("givenName", quoted(given))
	set("id", quoted(o.id))
	set("identities", `[{"signInType":"userPrincipalName","issuer":"`+t.domain+`","issuerAssignedId":"`+upn+`"}]`)
	set("jobTitle", quoted(jobTitles()[pick(len(jobTitles()))]))
	set("mail", quoted(mail))
	set("mailNickname", quoted(alias))
	if i%3 == 0 {
		set("mobilePhone", quoted(fmt.Sprintf("+44 7700 900%03d", i%1000)))
	}
	set("officeLocation", quoted(at.office))
	set("otherMails", "[]")
	set("postalCode", quoted(at.postal))
	set("preferredLanguage", quoted(at.language))
	set("proxyAddresses", `["SMTP:`+mail+`","smtp:`+alias+`@`+t.domain+`"]`)
	set("state", quoted(at.state))
	set("streetAddress", quoted(at.street))
	set("surname", quoted(family))
	set("usageLocation", quoted(at.country))
	set("userPrincipalName", quoted(upn))
	set("userType", map[bool]string{false: `"Member"`, true: `"Guest"`}[guest])
	if i > 0 && !guest {
		o.manager = t.PersonID((i - 1) / 8)
	}
	return o
}

func (p Population) licencesOf(d *directoryData, i int) string {
	if len(d.skus) == 0 || i >= p.People {
		return "[]"
	}
	list := `[{"disabledPlans":[],"skuId":"` + d.skus[0].ID + `"}`
	if n := len(d.skus); n > 1 {
		list += `,{"disabledPlans":[],"skuId":"` + d.skus[1+i%(n-1)].ID + `"}`
	}
	return list + "]"
}

// makeGroups makes the groups and their members.
func (p Population) makeGroups(t *Tenant, d *directoryData) {
	for g := range p.Groups {
		o := &object{res: groups, id: t.GroupID(g)}
		set := func(name, raw string) { o.props = append(o.props, prop{name, raw}) }
		unified := g%4 == 1
		set("createdDateTime", quoted(p.made(g)))
		if g%2 == 0 {
			set("description", quoted(fmt.Sprintf("Made for team %d", g)))
		}
		set("displayName", quoted(groupName(g)))
		if unified {
			set("groupTypes", `["Unified"]`)
		} else {
			set("groupTypes", "[]")
		}
		set("id", quoted(o.id))
		if unified {
			set("mail", quoted(fmt.Sprintf("team%d@%s", g, t.domain)))
		}
		set("mailEnabled", strconv.FormatBool(unified))
		set("mailNickname", quoted(fmt.Sprintf("team%d", g)))
		set("securityEnabled", strconv.FormatBool(!unified))
		d.add(o)
	}
	if p.Groups == 0 {
		return
	}
	list := d.objects[groups]
	per := p.GroupsPerPerson
	if per == 0 {
		per = 3
	}
	for i := range p.People + p.Guests {
		seen := map[int]bool{}
		for k := range per {
			g := 0
			if k > 0 {
				g = int(mix(p.Seed+uint64(i*31+k)) % uint64(p.Groups))
			}
			if !seen[g] {
				seen[g] = true
				list[g].members = append(list[g].members, member{id: t.PersonID(i)})
			}
		}
	}
	for g := 0; g+1 < p.Groups; g += 7 {
		list[g].members = append(list[g].members, member{id: t.GroupID(g + 1)})
	}
}

func groupName(g int) string {
	switch {
	case g == 0:
		return "All staff"
	case g <= len(departments()):
		return departments()[g-1]
	default:
		return fmt.Sprintf("Team %d", g)
	}
}

func (p Population) device(t *Tenant, i int) *object {
	o := &object{res: devices, id: t.DeviceID(i)}
	set := func(name, raw string) { o.props = append(o.props, prop{name, raw}) }
	set("accountEnabled", "true")
	set("approximateLastSignInDateTime", quoted(p.made(i)))
	set("deviceId", quoted(seededGUID(p.Seed, 'A', i)))
	set("displayName", quoted(fmt.Sprintf("PC-%05d", i)))
	set("id", quoted(o.id))
	set("isCompliant", strconv.FormatBool(i%9 != 0))
	set("isManaged", strconv.FormatBool(i < p.Managed))
	set("manufacturer", `"Contoso"`)
	set("model", `"Slate 5"`)
	set("operatingSystem", `"Windows"`)
	set("operatingSystemVersion", `"10.0.22631.4037"`)
	set("registrationDateTime", quoted(p.made(i)))
	set("trustType", `"AzureAd"`)
	return o
}
