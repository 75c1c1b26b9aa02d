package microsoftsim

import (
	"fmt"
	"strings"
)

func givenNames() []string {
	return []string{
		"Amelia", "Oliver", "Isla", "George", "Ava", "Noah", "Mia", "Arthur", "Zoë", "Muhammad", "Freya", "Leo", "Priya", "Oscar", "Chloé", "Harry",
		"Ewa", "Jack", "Sofía", "Henry", "Aisha", "Theo", "Grace", "Łukasz", "Ingrid", "Kwame", "Hannah", "Søren", "Nia", "Rafael", "Yuki", "Tomás",
	}
}

func familyNames() []string {
	return []string{
		"Smith", "Jones", "Taylor", "Brown", "Williams", "Wilson", "Johnson", "Davies", "Patel", "Robinson", "Wright", "Thompson", "Evans", "Walker",
		"White", "Roberts", "Green", "Hall", "Wood", "Jackson", "Clarke", "O'Brien", "Müller", "Kowalski", "García", "Okafor", "Novák", "Jørgensen",
		"Nguyen", "Rossi", "Dubois", "Silva", "Kaya", "Haddad", "Lindqvist", "Van der Berg", "McAllister",
	}
}

func departments() []string {
	return []string{"Finance", "Sales", "Engineering", "Operations", "People", "Legal", "Marketing", "Service Desk", "Logistics", "Research"}
}

func jobTitles() []string {
	return []string{"Analyst", "Manager", "Engineer", "Assistant", "Director", "Technician", "Coordinator", "Consultant"}
}

// place is an office.
type place struct{ office, street, city, state, postal, country, language string }

func places() []place {
	return []place{
		{"London", "1 Canal Street", "London", "Greater London", "E1 6AN", "GB", "en-GB"},
		{"Leeds", "22 Mill Lane", "Leeds", "West Yorkshire", "LS1 4DY", "GB", "en-GB"},
		{"Köln", "Domstraße 7", "Köln", "Nordrhein-Westfalen", "50667", "DE", "de-DE"},
		{"Lyon", "8 rue des Canuts", "Lyon", "Auvergne-Rhône-Alpes", "69001", "FR", "fr-FR"},
		{"Austin", "400 Congress Avenue", "Austin", "TX", "78701", "US", "en-US"},
	}
}

func companyName(n int) string {
	first := []string{"Northwind", "Larkfield", "Harbour", "Oakbridge", "Silverline", "Penrose", "Kestrel", "Marlow", "Thornbury", "Ashgrove", "Beacon", "Caldera"}
	second := []string{"Logistics", "Dental", "Foods", "Engineering", "Partners", "Schools", "Homes", "Media", "Travel", "Textiles", "Legal", "Energy", "Gardens"}
	name := first[n%len(first)] + " " + second[n/len(first)%len(second)]
	if round := n / (len(first) * len(second)); round > 0 {
		name += fmt.Sprintf(" %d", round+1)
	}
	return name
}

// domainName spells a company's name as the first label of a domain.
func domainName(name string, n int) string {
	label := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(name))
	return fmt.Sprintf("%s%d", label, n)
}

// ascii spells a name for use in an address.
func ascii(name string) string {
	return strings.NewReplacer("ë", "e", "é", "e", "í", "i", "á", "a", "Ł", "l", "ł", "l", "ø", "o", "ü", "u", "'", "", " ", "").Replace(strings.ToLower(name))
}
