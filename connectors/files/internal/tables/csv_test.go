package tables

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"
)

// dump reads a table to its end: a line per row, cells with bars between them.
func dump(t Table) string {
	var b strings.Builder
	var row Row
	for {
		err := t.Next(&row)
		if errors.Is(err, io.EOF) {
			break
		}
		var bad *BadRow
		if errors.As(err, &bad) {
			fmt.Fprintf(&b, "%d BAD %s: %s\n", bad.Line, bad.Column, bad.Reason)
			continue
		}
		if err != nil {
			fmt.Fprintf(&b, "ERROR %v\n", err)
			return b.String()
		}
		texts := make([]string, len(row.Cells))
		for i := range row.Cells {
			texts[i] = row.Cells[i].String()
			if texts[i] == "" && !row.Cells[i].Blank() { // a list
				all := fmt.Sprint(row.Cells[i])
				texts[i] = strings.TrimSuffix(all[strings.LastIndexByte(all, '['):], "}")
			}
		}
		fmt.Fprintf(&b, "%d %s\n", row.Line, strings.Join(texts, "|"))
		for _, f := range row.Faults {
			fmt.Fprintf(&b, "%d FAULT %d %s\n", row.Line, f.Index, f.Reason)
		}
	}
	if d := t.Doubt(); d != "" {
		fmt.Fprintf(&b, "DOUBT %s\n", d)
	}
	return b.String()
}

func utf16Of(text string, big, mark bool) string {
	var b []byte
	units := utf16.Encode([]rune(text))
	if mark {
		units = append([]uint16{0xFEFF}, units...)
	}
	for _, u := range units {
		if big {
			b = append(b, byte(u>>8), byte(u))
		} else {
			b = append(b, byte(u), byte(u>>8))
		}
	}
	return string(b)
}

func windows1252(t *testing.T, text string) string {
	t.Helper()
	b, err := charmap.Windows1252.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCSV(t *testing.T) {
	people := "id;name\r\n1;\"Müller; Jörg\"\r\n2;O'Neil\r\n"
	for _, tc := range []struct {
		name, in string
		dialect  Dialect
		want     string
		how      string // a part of the dialect in words
	}{
		{"semicolons, CRLF", people, Dialect{}, "2 1|Müller; Jörg\n3 2|O'Neil\n", `";", utf-8, line ends CRLF`},
		{"UTF-8 with a mark", "\uFEFF\"id\",\"name\"\n\"1\",\"x\"\n", Dialect{}, "2 1|x\n", "utf-8"},
		{"UTF-16LE with a mark, as PowerShell writes it", utf16Of(people, false, true), Dialect{}, "2 1|Müller; Jörg\n3 2|O'Neil\n", "utf-16le"},
		{"PowerShell with the type", utf16Of("#TYPE System.Management.Automation.PSCustomObject\r\n\"id\",\"name\"\r\n\"1\",\"Jörg\"\r\n", false, true), Dialect{}, "3 1|Jörg\n", "utf-16le"},
		{"UTF-16BE with a mark", utf16Of(people, true, true), Dialect{}, "2 1|Müller; Jörg\n3 2|O'Neil\n", "utf-16be"},
		{"UTF-16LE without a mark", utf16Of(people, false, false), Dialect{}, "2 1|Müller; Jörg\n3 2|O'Neil\n", "utf-16le"},
		{"Windows-1252", windows1252(t, people), Dialect{}, "2 1|Müller; Jörg\n3 2|O'Neil\n", "windows-1252"},
		{"Windows-1252, said wrongly", windows1252(t, people), Dialect{Encoding: "utf-8"}, "2 BAD name: the row holds bytes that are no text in utf-8\n3 2|O'Neil\n", ""},
		{"DOS", "id;name\r\n1;J\x94rg\r\n\x1a", Dialect{Encoding: "ibm850"}, "2 1|Jörg\n", "ibm850"},
		{"CR alone", "id,name\r1,x\r2,y\r", Dialect{}, "2 1|x\n3 2|y\n", "CR"},
		{"CR within lines that end with LF", "id,name\n1,a\rb\n2,y\n", Dialect{}, "2 1|a\rb\n3 2|y\n", "LF"},
		{"tabs", "id\tname\n1\tx,y\n", Dialect{}, "2 1|x,y\n", "tab"},
		{"sep=", "sep=;\nid;name\n1;a,b\n", Dialect{}, "3 1|a,b\n", `";"`},
		{"quoted sep= with a mark and CRLF", "\uFEFF\"sep=|\"\r\nid|name\r\n1|x\r\n", Dialect{}, "3 1|x\n", `"|"`},
		{"one column", "id\n1\n2\n", Dialect{}, "2 1\n3 2\n", `","`},
		{"commas in texts do not outweigh wanted names", "id;name, first;x\n1;a, b;c\n2;d, e;f\n", Dialect{Wanted: []string{"id"}}, "2 1|a, b|c\n3 2|d, e|f\n", `";"`},
		{"a blank before quotation marks", "id, name\n1, \"a, b\" \n2,\t\"c\"\n", Dialect{}, "2 1|a, b\n3 2|c\n", ""},
		{"doubled quotes and line breaks", "id,name\n1,\"a \"\"b\"\"\nc\"\n2,d\n", Dialect{}, "2 1|a \"b\"\nc\n4 2|d\n", ""},
		{"quotes within", "id,name\n1,5\" disk\n2,d\n", Dialect{}, "2 1|5\" disk\n3 2|d\n", ""},
		{"text after a quote stops that row alone", "id,name\n1,\"a\" b\n2,d\n", Dialect{}, "2 BAD : there is text between a closing quotation mark and the separator\n3 2|d\n", ""},
		{"a quote that is not closed stops that row alone", "id,name\n1,\"a\n2,d\n3,e\n", Dialect{}, "2 BAD : a quotation mark is not closed\n3 2|d\n4 3|e\n", ""},
		{"more cells than the header", "id,name\n1,a,b\n2,d,,\n", Dialect{}, "2 BAD : the row has 3 cells, and the header 2\n3 2|d||\n", ""},
		{"fewer cells", "id,name,city\n1,a\n2\n", Dialect{}, "2 1|a\n3 2\n", ""},
		{"cut off", "id,name,city\n1,a,b\n2,c", Dialect{}, "2 1|a|b\n3 BAD : the line is cut off: it has 2 of 3 cells, and no end\nDOUBT its last line (3) is cut off\n", ""},
		{"no end of line at the end", "id,name\n1,a\n2,c", Dialect{}, "2 1|a\n3 2|c\n", ""},
		{"blank lines", "\n\nid,name\n\n1,a\n,\n2,b\n\n", Dialect{}, "5 1|a\n7 2|b\n", ""},
		{"zero bytes, of a file that was not written to its end", "id,name\n1,a\n2,\x00\x00\x00\n", Dialect{Encoding: "utf-8"}, "2 1|a\n3 BAD name: the row holds a zero byte\n", ""},
		{"the header further down", "Export of today\n\nid,name\n1,a\n", Dialect{Header: 3}, "4 1|a\n", ""},
		{"no header", "1,a\n2,b\n", Dialect{Header: NoHeader}, "1 1|a\n2 2|b\n", ""},
		{"single quotes", "id,name\n1,'a, ''b'''\n", Dialect{Quote: '\''}, "2 1|a, 'b'\n", "quotes '"},
		{"no quotes", "id,name\n1,\"a\n2,b\"\n", Dialect{Quote: NoQuote}, "2 1|\"a\n3 2|b\"\n", ""},
		{"MySQL", "id\tname\tcity\n1\ta\\tb\\\\c\t\\N\n2\t\\\"x\ty\\\nz\n", Dialect{MySQL: true}, "2 1|a\tb\\c|\n3 2|\"x|y\nz\n", "backslash"},
		{"MySQL, enclosed", "id,name\n\"1\",\"a\\\"b\"\n\"2\",\\N\n", Dialect{MySQL: true, Separator: ','}, "2 1|a\"b\n3 2|\n", ""},
		{"leading zeros and blanks stay", "id,phone\n0049,\" 030 1\"\n", Dialect{}, "2 0049|030 1\n", ""},
		{"half a pair in UTF-16", utf16Of("id;name\n1;x", false, true) + "\x3d\xd8" + utf16Of("y\n2;z\n", false, false), Dialect{}, "2 BAD name: the row holds bytes that are no text in utf-16le\n3 2|z\n", ""},
		{"UTF-16 with half a character at its end", utf16Of("id;name\n1;x\n2;z", false, true) + "y", Dialect{}, "2 1|x\n3 BAD name: the row holds bytes that are no text in utf-16le\n", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			table, err := OpenCSV(strings.NewReader(tc.in), tc.dialect, DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			if got := dump(table); got != tc.want {
				t.Errorf("got\n%swant\n%s", got, tc.want)
			}
			if how := table.Dialect(); !strings.Contains(how, tc.how) {
				t.Errorf("dialect %q, want %q in it", how, tc.how)
			}
		})
	}
}

// A text that has nothing but ASCII in its first 64 KiB tells its encoding later.
func TestLateEncoding(t *testing.T) {
	head := "id,name\n" + strings.Repeat("1,plain\n", 20_000)
	for name, last := range map[string]string{"utf-8": "2,Jörg\n", "windows-1252": windows1252(t, "2,Jörg\n")} {
		table, err := OpenCSV(iotest{strings.NewReader(head + last)}, Dialect{}, DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		got := dump(table)
		if !strings.HasSuffix(got, "20002 2|Jörg\n") || !strings.Contains(table.Dialect(), name) {
			t.Errorf("%s: the last row is %q, dialect %s", name, got[len(got)-30:], table.Dialect())
		}
	}
}

// iotest gives little at a time.
type iotest struct{ io.Reader }

func (r iotest) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(len(p), 1009)]) }

func TestCSVRefused(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		dialect  Dialect
		want     string
	}{
		{"empty", "", Dialect{}, "the file is empty"},
		{"blank", "\n \n", Dialect{}, "the file is empty"},
		{"UTF-32", "\xff\xfe\x00\x00a\x00\x00\x00", Dialect{}, "UTF-32"},
		{"header beyond the end", "id\n1\n", Dialect{Header: 9}, "ends before line 9"},
		{"header in the middle of a row", "a,\"x\ny\"\n1,2\n", Dialect{Header: 2}, "line 2"},
		{"too many columns", strings.Repeat("a,", 2000) + "\n", Dialect{}, "2001 columns"},
		{"no text", strings.Repeat("x", 3<<20), Dialect{}, "too long"},
	} {
		_, err := OpenCSV(strings.NewReader(tc.in), tc.dialect, DefaultLimits())
		var u *Unfit
		if !errors.As(err, &u) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
	}
}

func TestCSVBounds(t *testing.T) {
	limits := DefaultLimits()
	limits.Field, limits.Row = 2048, 4096
	in := "id,name\n1," + strings.Repeat("x", 3000) + "\n2,\"" + strings.Repeat("y\n", 3000) + "3,c\n4," + strings.Repeat(",", 30_000) + "\n5,e\n"
	table, err := OpenCSV(strings.NewReader(in), Dialect{}, limits)
	if err != nil {
		t.Fatal(err)
	}
	got := dump(table)
	if !strings.Contains(got, "2 BAD : the row, or a cell of it, is too long") || !strings.Contains(got, "3 BAD") ||
		!strings.Contains(got, "3003 3|c") || !strings.Contains(got, "3005 5|e\n") {
		t.Errorf("got %.300s … %s", got, got[len(got)-200:])
	}
}

// However the text comes, in whatever portions, it reads the same; and what is written with the usual quotes comes back.
func FuzzCSV(f *testing.F) {
	for _, seed := range []string{
		"id,name\n1,a\n", "id;name\r\n1;\"a\"\"b\"\r\n", "sep=;\nid;x\n", "\uFEFFid\tx\n\\N\ty\n", "id,name\r1,x\r", "\"", "a,\"b\nc,\"d\"e\n", "a\x00b\n\xff,\n",
		utf16Of("id;name\n1;x\n", false, true),
	} {
		f.Add([]byte(seed), byte(0), byte(0), false)
		f.Add([]byte(seed), byte(';'), byte('\''), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, separator, quote byte, mysql bool) {
		if separator >= 0x80 || quote >= 0x80 || separator == quote && quote != 0 || bytes.ContainsAny([]byte{separator, quote}, "\r\n\\") {
			t.Skip()
		}
		limits := DefaultLimits()
		limits.Row, limits.Field = 4096, 1024
		read := func(r io.Reader) string {
			table, err := OpenCSV(r, Dialect{Separator: separator, Quote: quote, MySQL: mysql}, limits)
			if err != nil {
				return err.Error()
			}
			return dump(table)
		}
		if a, b := read(bytes.NewReader(data)), read(iotest{bytes.NewReader(data)}); a != b {
			t.Errorf("in portions it reads\n%s\nand as a whole\n%s", b, a)
		}
	})
}
