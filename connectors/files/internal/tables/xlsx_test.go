package tables

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"
)

func openWorkbook(t testing.TB, data []byte, o SheetOptions, limits Limits) (*Workbook, error) {
	t.Helper()
	return OpenXLSX(bytes.NewReader(data), int64(len(data)), o, limits)
}

// dumpSheet reads the sheet that is read by default.
func dumpSheet(t testing.TB, data []byte, o SheetOptions) string {
	t.Helper()
	w, err := openWorkbook(t, data, o, DefaultLimits())
	if err != nil {
		return "REFUSED " + err.Error() + "\n"
	}
	s, err := w.Open(w.Default())
	if err != nil {
		return "REFUSED " + err.Error() + "\n"
	}
	defer s.Close()
	header, line := s.Header()
	got := fmt.Sprintf("%d: %s\n", line, strings.Join(header, "|")) + dump(s)
	for _, note := range s.Notes() {
		got += "NOTE " + note + "\n"
	}
	return got
}

// What other programs write, as a person would expect it. See testdata/README.md.
func TestWritten(t *testing.T) {
	js := "1: id|name|phone|employee_id|created|enabled|note\n" +
		"2 0049123|Müller, Jörg|+49 30 123|00007|2024-03-07|true|two\r\nlines\n" +
		"3 0049124|O'Neil \"Kim\"|030 1|00008|2023-12-31|false|%s\n" +
		"4 0049125|Ärö||4917012345678901|2024-02-29|true|0.3\n"
	// _x005F_x0041_ is the text _x0041_; a program that does not escape its texts has written it as what it stands for.
	for file, want := range map[string]string{
		"libreoffice.xlsx": "1: id|name|company|employee_id|created|last_login|enabled|email|hours|active|ratio\n" +
			"2 0049123|Müller, Jörg|Acme|00007|2024-03-07|2026-01-31T13:45:00|true|j@example.test|27:30:00|true|0.125\n" +
			"3 0049124|two\nlines|Acme|00008||2026-02-28T23:59:59|false|||false|0.3\n" +
			"3 FAULT 4 is a date before March 1900, which programs write differently\n3 FAULT 7 holds the error #DIV/0!\n" +
			"4 4917012345678|_x0041_ Ärö|Beta|00009|2024-02-29||true\n",
		"sheetjs.xlsx":           fmt.Sprintf(js, "_x0041_"),
		"sheetjs-celldates.xlsx": fmt.Sprintf(js, "_x0041_"),
		"exceljs.xlsx":           fmt.Sprintf(js, "_x0041_"),
		"exceljs-1904.xlsx":      fmt.Sprintf(js, "_x0041_"),
	} {
		t.Run(file, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join("testdata", file))
			if err != nil {
				t.Fatal(err)
			}
			if got := dumpSheet(t, data, SheetOptions{}); got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
	t.Run("libreoffice.csv", func(t *testing.T) {
		f, err := os.Open("testdata/libreoffice.csv")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		c, err := OpenCSV(f, Dialect{}, DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		want := "2 0049123|Müller, Jörg|Acme|7|03/07/2024|2026-01-31 13:45:00|TRUE|j@example.test|27:30:00|TRUE|0.125\n" +
			"3 0049124|two\nlines||8|02/28/1900|2026-02-28 23:59:59|FALSE|#DIV/0!||FALSE|0.3\n5 4917012345678|_x0041_ Ärö|Beta|00009|02/29/2024||TRUE||||\n"
		if got := dump(c); got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	})
}

// book makes a workbook of a sheet.
type book struct {
	sheet, styles, texts string
	late                 bool
	more                 map[string]string
}

func (b book) bytes(t testing.TB) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	add := func(name, text string) {
		w, err := z.Create(name)
		if err == nil {
			_, err = io.WriteString(w, text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	const r = `http://schemas.openxmlformats.org/officeDocument/2006/relationships`
	add("_rels/.rels", `<Relationships><Relationship Id="rId1" Type="`+r+`/officeDocument" Target="xl/workbook.xml"/></Relationships>`)
	add("xl/workbook.xml", fmt.Sprintf(`<?xml version="1.0"?><workbook xmlns:r="%s"><workbookPr date1904="%t"/><sheets><sheet name="A" sheetId="1" r:id="rId1"/></sheets></workbook>`, r, b.late))
	add("xl/_rels/workbook.xml.rels", `<Relationships><Relationship Id="rId1" Type="`+r+`/worksheet" Target="worksheets/sheet1.xml"/>`+
		`<Relationship Id="rId2" Type="`+r+`/styles" Target="/xl/styles.xml"/><Relationship Id="rId3" Type="`+r+`/sharedStrings" Target="sharedStrings.xml"/></Relationships>`)
	add("xl/worksheets/sheet1.xml", b.sheet)
	if b.styles != "" {
		add("xl/styles.xml", b.styles)
	}
	if b.texts != "" {
		add("xl/sharedStrings.xml", b.texts)
	}
	for name, text := range b.more {
		add(name, text)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func rows(cells ...string) string {
	return `<worksheet><sheetData><row><c t="str"><v>id</v></c><c t="str"><v>b</v></c></row>` + strings.Join(cells, "") + `</sheetData></worksheet>`
}

func TestSheet(t *testing.T) {
	styles := `<styleSheet><numFmts><numFmt numFmtId="164" formatCode="00000"/><numFmt numFmtId="165" formatCode="dd\.mm\.yyyy;@"/><numFmt numFmtId="166" formatCode="[hh]:mm"/>` +
		`<numFmt numFmtId="167" formatCode="&quot;K-&quot;0000"/></numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs><xf numFmtId="0"/><xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="22"/>` +
		`<xf numFmtId="166"/><xf numFmtId="167"/><xf numFmtId="20"/></cellXfs></styleSheet>`
	for _, tc := range []struct {
		name string
		book book
		o    SheetOptions
		want string
	}{
		{"cells without places", book{sheet: rows(`<row><c><v>1</v></c><c t="inlineStr"><is><t>x&amp;y</t></is></c></row>`)}, SheetOptions{}, "2 1|x&y\n"},
		{"prefixed names, CDATA and comments", book{sheet: `<x:worksheet xmlns:x="y"><!-- > --><x:sheetData><x:row><x:c t="str"><x:v>id</x:v></x:c></x:row><x:row r="7"><x:c r="A7" t="str"><x:v><![CDATA[<a>]]></x:v></x:c></x:row></x:sheetData></x:worksheet>`}, SheetOptions{}, "7 <a>\n"},
		{"rich texts without their sounds", book{sheet: rows(`<row><c t="s"><v>0</v></c><c t="s"><v>1</v></c></row>`), texts: `<sst><si><r><t>a</t></r><r><t xml:space="preserve"> b</t></r><rPh><t>no</t></rPh></si><si><t>_x0041_x_x000D_&#10;_xD83D__xDE00_</t></si></sst>`}, SheetOptions{}, "2 a b|Ax\r\n😀\n"},
		{"formats", book{styles: styles, sheet: rows(`<row><c s="1"><v>42</v></c><c s="2"><v>45358</v></c></row><row><c s="3"><v>45358.5</v></c><c s="4"><v>1.5</v></c></row><row><c s="5"><v>7</v></c><c s="6"><v>0.25</v></c></row>`)}, SheetOptions{}, "2 00042|2024-03-07\n3 2024-03-07T12:00:00|36:00:00\n4 K-0007|06:00:00\n"},
		{"days of the other epoch", book{late: true, styles: styles, sheet: rows(`<row><c s="1"><v>1</v></c><c s="2"><v>43896</v></c></row>`)}, SheetOptions{}, "2 00001|2024-03-07\n"},
		{"a day that is shortly before the next", book{styles: styles, sheet: rows(`<row><c><v>1</v></c><c s="2"><v>45357.958333333336</v></c></row>`)}, SheetOptions{}, "2 1|2024-03-06\nNOTE column \"b\" has days with a time shortly before midnight; if they are a day early, say round_dates: true\n"},
		{"rounded", book{styles: styles, sheet: rows(`<row><c><v>1</v></c><c s="2"><v>45357.958333333336</v></c></row>`)}, SheetOptions{RoundDates: true}, "2 1|2024-03-07\n"},
		{"dates that are none", book{styles: styles, sheet: rows(`<row><c><v>1</v></c><c s="2"><v>0</v></c></row><row><c><v>2</v></c><c s="2"><v>9999999</v></c></row><row><c><v>3</v></c><c t="d"><v>soon</v></c></row>`)}, SheetOptions{}, "2 1|\n2 FAULT 1 is a date that is out of range\n3 2|\n3 FAULT 1 is a date that is out of range\n4 3|\n4 FAULT 1 is no date\n"},
		{"a formula without its result", book{sheet: rows(`<row><c><v>1</v></c><c><f>A1</f></c></row><row><c><v>2</v></c><c t="str"><f>""</f><v></v></c></row>`)}, SheetOptions{}, "2 1|\n2 FAULT 1 holds a formula whose result is not in the file\n3 2\n"},
		{"numbers", book{sheet: rows(`<row><c><v>4.9170123456789E+15</v></c><c><v>0.30000000000000004</v></c></row><row><c><v>1E-3</v></c><c><v>-12.50</v></c></row><row><c><v>123456789012345678</v></c><c><v>1E400</v></c></row>`)}, SheetOptions{}, "2 4917012345678900|0.3\n3 0.001|-12.5\n4 123456789012345678|1E400\n"},
		{"merged over rows and over columns", book{sheet: strings.Replace(rows(`<row r="2"><c r="A2"><v>1</v></c><c r="B2" t="str"><v>Acme</v></c></row><row r="3"><c r="A3"><v>2</v></c></row><row r="4"/><row r="5"><c r="A5"><v>3</v></c></row><row r="6"><c r="A6"><v>4</v></c></row>`), "</sheetData>", `</sheetData><mergeCells count="2"><mergeCell ref="B2:B5"/><mergeCell ref="A6:B6"/></mergeCells>`, 1)}, SheetOptions{}, "2 1|Acme\n3 2|Acme\n5 3|Acme\n6 4\n"},
		{"the header further down", book{sheet: rows(`<row r="5"><c r="A5" t="str"><v>key</v></c></row><row><c><v>1</v></c><c><v>9</v></c></row>`)}, SheetOptions{Header: 5}, "6 1\n"},
		{"the help of a template that was CSV", book{sheet: `<worksheet><sheetData><row><c t="str"><v># One row for each</v></c></row><row><c t="str"><v># id: never changes</v></c><c t="str"><v> and so on</v></c></row><row><c t="str"><v>id</v></c></row><row><c t="str"><v># 1</v></c></row></sheetData></worksheet>`}, SheetOptions{}, "4 # 1\n"},
		{"no header", book{sheet: rows()}, SheetOptions{Header: NoHeader}, "1 id|b\n"},
		{"rows far down", book{sheet: rows(`<row r="1048576"><c r="A1048576"><v>1</v></c></row>`)}, SheetOptions{}, "1048576 1\n"},
		{"a column far out", book{sheet: rows(`<row r="2"><c r="A2"><v>1</v></c><c r="XFD2"><v>1</v></c></row><row><c><v>2</v></c></row>`)}, SheetOptions{}, "2 BAD XFD: the row has something in column XFD, beyond 1000 columns\n3 2\n"},
		{"a sheet that breaks off", book{sheet: `<worksheet><sheetData><row><c t="str"><v>id</v></c></row><row><c><v>1</v></c></row><row><c>`}, SheetOptions{}, "2 1\nERROR the workbook is damaged: it ends within c\n"},
		{"a sheet that breaks off after its rows", book{sheet: `<worksheet><sheetData><row><c t="str"><v>id</v></c></row><row><c><v>1</v></c></row></sheetData>`}, SheetOptions{}, "2 1\nERROR the workbook is damaged: it ends within worksheet\n"},
		{"rows that go back", book{sheet: rows(`<row r="9"><c><v>1</v></c></row><row r="3"><c><v>2</v></c></row>`)}, SheetOptions{}, "9 1\nERROR the workbook is damaged: its rows are not in order\n"},
		{"a text that is not there", book{sheet: rows(`<row><c t="s"><v>5</v></c></row>`)}, SheetOptions{}, "ERROR the workbook is damaged: a cell refers to a text that is not there\n"},
		{"a document type", book{sheet: `<!DOCTYPE x [<!ENTITY a "b">]>` + rows(`<row><c><v>1</v></c></row>`)}, SheetOptions{}, "REFUSED the workbook is damaged: it has a document type\n"},
		{"empty", book{sheet: `<worksheet><sheetData/></worksheet>`}, SheetOptions{}, "REFUSED the sheet is empty, or ends before its header\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := dumpSheet(t, tc.book.bytes(t), tc.o)
			if _, rest, ok := strings.Cut(got, "\n"); ok && !strings.HasPrefix(got, "REFUSED") {
				got = rest
			}
			if got != tc.want {
				t.Errorf("got\n%swant\n%s", got, tc.want)
			}
		})
	}
}

func TestParseFormat(t *testing.T) {
	for code, want := range map[string]numberFormat{
		"General": {}, "0": {}, "0.00": {}, "#,##0": {}, "0%": {}, "@": {}, `0.00E+00`: {}, `#" days"`: {}, `"d"0`: {}, `[Red]0`: {}, "": {},
		"yyyy-mm-dd": {is: formatDate}, `dd\.mm\.yyyy`: {is: formatDate}, "[$-409]mmm d, yyyy": {is: formatDate}, "m/d/yy": {is: formatDate}, "mmmm": {is: formatDate}, "dddd": {is: formatDate},
		"yyyy/mm/dd hh:mm:ss": {is: formatDateTime}, "m/d/yy h:mm AM/PM": {is: formatDateTime}, `yyyy"年"m"月"d"日"`: {is: formatDate}, "[$-F800]dddd, mmmm dd, yyyy": {is: formatDate},
		"h:mm": {is: formatTime}, "mm:ss.0": {is: formatTime}, "h:mm a/p": {is: formatTime}, "[h]:mm": {is: formatElapsed}, "[ss]": {is: formatElapsed}, "[mm]:ss": {is: formatElapsed},
		"00000": {is: formatMask, mask: "00000"}, "000-000": {is: formatMask, mask: "000-000"}, `"K"0000`: {is: formatMask, mask: "K0000"}, `00000;-00000;"none"`: {is: formatMask, mask: "00000"},
		`(000) 000-0000`: {is: formatMask, mask: "(000) 000-0000"}, `"A0"000`: {is: formatMask, mask: "A\x00000"},
	} {
		if got := parseFormat(code); got != want {
			t.Errorf("%q: %+v, want %+v", code, got, want)
		}
	}
	for _, tc := range [][3]string{{"7", "00000", "00007"}, {"1234567", "000-000", "1234-567"}, {"5", "A\x00000", "A0005"}} {
		if got := masked(tc[0], tc[1]); got != tc[2] {
			t.Errorf("%s by %q: %q, want %q", tc[0], tc[1], got, tc[2])
		}
	}
}

func TestXLSXRefused(t *testing.T) {
	limits := DefaultLimits()
	limits.Unpacked = 1 << 30
	zeros := strings.Repeat("0", 40<<20)
	small := limits
	small.Unpacked = 1 << 20
	texts := limits
	texts.Texts = 1000
	for _, tc := range []struct {
		name   string
		data   []byte
		limits Limits
		want   string
	}{
		{"empty", nil, limits, "the file is empty"},
		{"text", []byte("id,name\n1,a\n"), limits, "is no workbook"},
		{"old or with a password", []byte("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1 and more"), limits, "with a password"},
		{"an archive", zipOf(t, "a.txt", "x"), limits, "an archive and no workbook"},
		{"OpenDocument", zipOf(t, "mimetype", "application/vnd.oasis.opendocument.spreadsheet"), limits, "OpenDocument"},
		{"binary", zipOf(t, "xl/workbook.bin", "x"), limits, "xlsb"},
		{"packed too tightly", book{sheet: rows(), more: map[string]string{"xl/x.xml": zeros}}.bytes(t), limits, "more than 200 times"},
		{"too large", book{sheet: rows(), more: map[string]string{"xl/x.xml": zeros}}.bytes(t), small, "larger than 1 MiB"},
		{"too many texts", book{sheet: rows(), texts: "<sst>" + strings.Repeat("<si><t>abcdefghij</t></si>", 100) + "</sst>"}.bytes(t), texts, "the texts of the workbook"},
		{"a part twice", zipOf(t, "a", "x", "A", "y"), limits, "a part twice"},
		{"cut off", book{sheet: rows()}.bytes(t)[:600], limits, "is no workbook"},
	} {
		w, err := openWorkbook(t, tc.data, SheetOptions{}, tc.limits)
		var u *Unfit
		if !errors.As(err, &u) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, %v, want %q", tc.name, w, err, tc.want)
		}
	}
}

func zipOf(t *testing.T, names ...string) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for i := 0; i < len(names); i += 2 {
		w, err := z.Create(names[i])
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(w, names[i+1])
	}
	_ = z.Close()
	return buf.Bytes()
}

// TestExcelize reads what excelize writes, of everything that it can write.
func TestExcelize(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	f := excelize.NewFile()
	defer f.Close()
	format := "000000"
	zeros, err := f.NewStyle(&excelize.Style{CustomNumFmt: &format})
	if err != nil {
		t.Fatal(err)
	}
	day, _ := f.NewStyle(&excelize.Style{NumFmt: 14})
	moment, _ := f.NewStyle(&excelize.Style{NumFmt: 22})
	s, err := f.NewStreamWriter("Sheet1")
	if err != nil {
		t.Fatal(err)
	}
	_ = s.SetRow("A1", []any{"id", "text", "day", "moment", "bool", "number"})
	want := "1: id|text|day|moment|bool|number\n"
	for i := 2; i < 400; i++ {
		text := []string{"a", "Ä & <b>", "_x0041_", "  x", "a\nb", "\"", "😀"}[rnd.IntN(7)] + fmt.Sprint(i)
		at := time.Date(1960+rnd.IntN(100), 1, 1+rnd.IntN(365), rnd.IntN(24), rnd.IntN(60), rnd.IntN(60), 0, time.UTC)
		number := float64(rnd.IntN(1_000_000)) / 100
		truth := rnd.IntN(2) == 0
		cell, _ := excelize.CoordinatesToCellName(1, i)
		err := s.SetRow(cell, []any{
			excelize.Cell{StyleID: zeros, Value: i}, text, excelize.Cell{StyleID: day, Value: at.Truncate(24 * time.Hour)}, excelize.Cell{StyleID: moment, Value: at}, truth, number,
		})
		if err != nil {
			t.Fatal(err)
		}
		want += fmt.Sprintf("%d %06d|%s|%s|%s|%t|%v\n", i, i, strings.TrimSpace(text), at.Format(time.DateOnly), at.Format("2006-01-02T15:04:05"), truth, number)
	}
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	if err := f.Write(&buf); err != nil {
		t.Fatal(err)
	}
	if got := dumpSheet(t, buf.Bytes(), SheetOptions{}); got != want {
		a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
		for i := range min(len(a), len(b)) {
			if a[i] != b[i] {
				t.Fatalf("got\n%s\nwant\n%s", a[i], b[i])
			}
		}
		t.Errorf("%d lines, want %d", len(a), len(b))
	}
}

// What is XML for encoding/xml reads the same here: the elements and their texts.
func FuzzXML(f *testing.F) {
	for _, seed := range []string{
		`<a b="c&amp;d">e<f/>g</a>`, `<?xml version="1.0"?><a><!-- x --><![CDATA[<]]>&#65;</a>`, `<x:a xmlns:x="y" x:b='">'/>`, `<a><b></a></b>`, `<a`, `<a>&bad;</a>`, rows(`<row><c><v>1</v></c></row>`),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		theirs, valid := theirXML(data)
		ours, err := ourXML(bytes.NewReader(data))
		again, errAgain := ourXML(iotest{bytes.NewReader(data)})
		if ours != again || (err == nil) != (errAgain == nil) {
			t.Errorf("in portions %q %v, as a whole %q %v", again, errAgain, ours, err)
		}
		if valid && (err != nil || ours != theirs) && !bytes.Contains(data, []byte("<!")) {
			t.Errorf("got %q, %v, want %q", ours, err, theirs)
		}
	})
}

func ourXML(src io.Reader) (string, error) {
	x, err := newXMLReader(src, 1<<20)
	if err != nil {
		return "", err
	}
	var b []byte
	for {
		token, err := x.next()
		if errors.Is(err, io.EOF) {
			return string(b), nil
		}
		if err != nil {
			return "", err
		}
		switch token {
		case xmlStart:
			b = append(append(b, '<'), x.name...)
		case xmlEnd:
			b = append(append(b, '/'), x.name...)
		case xmlText:
			b = x.appendChars(b)
		}
	}
}

func theirXML(data []byte) (string, bool) {
	if bytes.ContainsAny(data, "\r") || bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) || bytes.HasPrefix(data, []byte("\xef\xbb\xbf")) {
		return "", false // line ends are made alike by theirs, marks are not known to it
	}
	d := xml.NewDecoder(bytes.NewReader(data))
	var b []byte
	for {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", false
		}
		switch token := token.(type) {
		case xml.StartElement:
			b = append(append(b, '<'), token.Name.Local...)
		case xml.EndElement:
			b = append(append(b, '/'), token.Name.Local...)
		case xml.CharData:
			b = append(b, token...)
		}
	}
	// RawToken does not look whether elements end as they begin.
	d = xml.NewDecoder(bytes.NewReader(data))
	for {
		if _, err := d.Token(); err != nil {
			return string(b), errors.Is(err, io.EOF)
		}
	}
}

// Whatever is in a sheet, it is read or refused; and no cell turns into a date that is none.
func FuzzCell(f *testing.F) {
	f.Add("45358", "n", "yyyy-mm-dd")
	f.Add("1", "s", "00000")
	f.Add("2024-03-07T00:00:00.000Z", "d", "General")
	f.Add("-1.5", "", "[h]:mm")
	f.Add("_x000d_", "str", "@")
	f.Add("1e308", "", "mm:ss")
	f.Add("1", "", "a/")
	f.Add("1", "", "yyyy[")
	f.Fuzz(func(t *testing.T, value, kind, format string) {
		var esc bytes.Buffer
		if xml.EscapeText(&esc, []byte(value)) != nil {
			t.Skip()
		}
		w := &Workbook{formats: []numberFormat{parseFormat(format)}, texts: []string{"a", "b"}, limits: DefaultLimits(), parts: map[string]*zip.File{}}
		x, err := newXMLReader(strings.NewReader(`<sheetData><row><c s="0"><v>`+esc.String()+`</v></c></row></sheetData>`), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		s := &sheet{book: w, xml: x, late: map[int]bool{}, text: []byte(value)}
		cell, fault, err := s.convert(kind, w.formats[0], 0, false, true)
		if err == nil && fault.Reason != "" && !cell.Blank() {
			t.Errorf("%q has a value and a fault: %q", value, fault.Reason)
		}
		if text := cell.String(); len(text) > 10 && text[4] == '-' && text[7] == '-' && kind == "" {
			if year := text[:4]; year < "1900" || year > "9999" {
				t.Errorf("%q by %q is %q", value, format, text)
			}
		}
	})
}
