package entra

import (
	"bytes"
	_ "embed"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
)

// licenceNamesCSV is a small table of the products that most tenants have, in our own words: id of the product,
// its part number, its name.
//
//go:embed licencenames.csv
var licenceNamesCSV []byte

// LicenceNames are the names of products by the id of the SKU. It is immutable.
type LicenceNames struct{ byID map[string]string }

// Name returns a product's name.
func (n *LicenceNames) Name(sku string) (string, bool) {
	name, ok := n.byID[strings.ToLower(sku)]
	return name, ok
}

// Len is how many products have a name.
func (n *LicenceNames) Len() int { return len(n.byID) }

// BuiltInLicenceNames returns the names that come with the program.
func BuiltInLicenceNames() *LicenceNames {
	n, err := ParseLicenceNames(bytes.NewReader(licenceNamesCSV))
	if err != nil {
		return &LicenceNames{} // a test reads the table
	}
	return n
}

// ReadLicenceNames reads the operator's file and adds the built-in names for what it does not list.
func ReadLicenceNames(path settings.Path) (*LicenceNames, error) {
	bad := func(err error, hint string) error {
		return &fault.Error{Class: fault.Configuration, Op: "read licence_names", Where: string(path), Err: err, Hint: hint}
	}
	f, err := os.Open(string(path))
	if err != nil {
		return nil, bad(withoutPath(err), "create the file, or correct the path")
	}
	defer func() { _ = f.Close() }()
	n, err := ParseLicenceNames(f)
	if err != nil {
		return nil, bad(err, "download \"Product names and service plan identifiers for licensing\" from Microsoft as CSV")
	}
	for id, name := range BuiltInLicenceNames().byID {
		if _, ok := n.byID[id]; !ok {
			n.byID[id] = name
		}
	}
	return n, nil
}

// maxNames is more than any table of products needs; Microsoft's is of about a megabyte.
const maxNames = 32 << 20

// ParseLicenceNames reads a table in the form in which Microsoft publishes it: a header with the columns
// Product_Display_Name and GUID, and a line for every service plan of every product. Of several names for one
// product the first holds.
func ParseLicenceNames(r io.Reader) (*LicenceNames, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxNames))
	if err != nil {
		return nil, withoutPath(err)
	}
	reader := csv.NewReader(strings.NewReader(decodeText(data)))
	reader.FieldsPerRecord = -1
	reader.LazyQuotes = true
	reader.ReuseRecord = true
	header, err := reader.Read()
	if err != nil {
		return nil, errors.New("the table has no header")
	}
	nameAt, idAt := -1, -1
	for i, column := range header {
		switch strings.ToLower(cleanName(column)) {
		case "product_display_name":
			nameAt = i
		case "guid":
			idAt = i
		}
	}
	if nameAt < 0 || idAt < 0 {
		return nil, errors.New("the header lacks Product_Display_Name or GUID")
	}
	n := &LicenceNames{byID: map[string]string{}}
	for {
		row, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("not a table: %w", err)
		}
		if len(row) <= max(nameAt, idAt) {
			continue
		}
		id, name := strings.ToLower(cleanName(row[idAt])), cleanName(row[nameAt])
		if _, known := n.byID[id]; !known && looksLikeID(id) && name != "" {
			n.byID[id] = name
		}
	}
	if len(n.byID) == 0 {
		return nil, errors.New("the table lists no product")
	}
	return n, nil
}

// decodeText reads UTF-8, with or without a byte order mark, or else the Western code page in which spreadsheets
// like to save.
func decodeText(data []byte) string {
	data = bytes.TrimPrefix(data, []byte("\xEF\xBB\xBF"))
	if utf8.Valid(data) {
		return string(data)
	}
	var b strings.Builder
	for _, c := range data {
		b.WriteRune(rune(c))
	}
	return b.String()
}

// cleanName makes single spaces of whatever kind of space there is; the published table has no-break ones and stray
// ones at the ends.
func cleanName(s string) string {
	s = strings.Map(func(r rune) rune {
		switch r {
		case '\u00A0', '\u2007', '\u202F', '\u200B', '\uFEFF':
			return ' '
		default:
			return r
		}
	}, s)
	return strings.Join(strings.Fields(s), " ")
}
