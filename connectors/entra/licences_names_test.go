package entra

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
)

func TestBuiltInLicenceNames(t *testing.T) {
	n := BuiltInLicenceNames()
	if lines := strings.Count(string(licenceNamesCSV), "\n") - 1; n.Len() != lines || lines < 60 {
		t.Errorf("%d names in %d lines", n.Len(), lines)
	}
	if name, ok := n.Name("05E9A617-0261-4CEE-BB44-138D3EF5D965"); !ok || name != "Microsoft 365 E3" {
		t.Errorf("%q, %t", name, ok)
	}
	if _, ok := n.Name("nonsense"); ok {
		t.Error("a name for nonsense")
	}
}

// TestDocumentedProducts: the ids in the recipe for service accounts are those of the products that it names.
func TestDocumentedProducts(t *testing.T) {
	page, err := os.ReadFile("../../docs/entra.md")
	if err != nil {
		t.Fatal(err)
	}
	_, recipe, _ := strings.Cut(string(page), "# Microsoft 365 E3, Microsoft 365 Business Premium\n")
	line, _, _ := strings.Cut(recipe, "\n")
	var names []string
	for i, part := range strings.Split(line, `"`) {
		if i%2 == 1 {
			name, _ := BuiltInLicenceNames().Name(part)
			names = append(names, name)
		}
	}
	if strings.Join(names, ", ") != "Microsoft 365 E3, Microsoft 365 Business Premium" {
		t.Errorf("%q", names)
	}
}

const published = "\uFEFFProduct_Display_Name,String_Id,GUID,Service_Plan_Name,Service_Plan_Id,Service_Plans_Included_Friendly_Names\r\n" +
	"\u00A0Microsoft  365\u00A0E3 ,SPE_E3, 05E9A617-0261-4CEE-BB44-138D3EF5D965\u00A0,A,b,c\r\n" +
	"Microsoft 365 E3 (new name),SPE_E3,05e9a617-0261-4cee-bb44-138d3ef5d965,A,b,c\r\n" +
	"\"Odd, quoted\",ODD,99999999-0000-4000-8000-000000000001,A,b,c\r\n" +
	"short line\r\n,,,\r\nNo id,X,none,A,b,c\r\n"

// TestPublishedTable has the flaws of the table as it is published: no-break and stray spaces, a product under two
// names, capital letters in ids.
func TestPublishedTable(t *testing.T) {
	n, err := ParseLicenceNames(strings.NewReader(published))
	if err != nil || n.Len() != 2 {
		t.Fatal(n, err)
	}
	if name, _ := n.Name("05e9a617-0261-4cee-bb44-138d3ef5d965"); name != "Microsoft 365 E3" {
		t.Errorf("%q", name)
	}
	if name, _ := n.Name("99999999-0000-4000-8000-000000000001"); name != "Odd, quoted" {
		t.Errorf("%q", name)
	}
	// Saved by a spreadsheet in the Western code page.
	n, err = ParseLicenceNames(strings.NewReader("Product_Display_Name,GUID\nCaf\xe9\xa0Plus,99999999-0000-4000-8000-000000000001\n"))
	if name, _ := n.Name("99999999-0000-4000-8000-000000000001"); err != nil || name != "Café Plus" {
		t.Errorf("%q, %v", name, err)
	}
}

func TestReadLicenceNames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "names.csv")
	for text, ok := range map[string]bool{published: true, "": false, "a,b\nc,d\n": false, "Product_Display_Name,GUID\n": false} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		n, err := ReadLicenceNames(settings.Path(path))
		if ok != (err == nil) || err != nil && (fault.ClassOf(err) != fault.Configuration || fault.Hint(err) == "") {
			t.Errorf("%.20q: %v", text, err)
		}
		if err == nil {
			if name, _ := n.Name("f8a1db68-be16-40ed-86d5-cb42ce701560"); name != "Power BI Pro" {
				t.Errorf("the built-in names are gone: %q", name)
			}
		}
	}
	if _, err := ReadLicenceNames("/does/not/exist.csv"); fault.ClassOf(err) != fault.Configuration {
		t.Error(err)
	}
}

func FuzzLicenceNames(f *testing.F) {
	f.Add(published)
	f.Add("GUID,Product_Display_Name\n99999999-0000-4000-8000-000000000001,\"x\ny\"\n")
	f.Add("Product_Display_Name,GUID\n\xff\xa0,99999999-0000-4000-8000-000000000001")
	f.Fuzz(func(t *testing.T, text string) {
		n, err := ParseLicenceNames(strings.NewReader(text))
		if err != nil {
			return
		}
		for id, name := range n.byID {
			if id != strings.ToLower(id) || len(id) != 36 || name == "" || name != cleanName(name) {
				t.Errorf("%q %q", id, name)
			}
		}
	})
}
