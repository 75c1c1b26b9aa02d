package files

import (
	"archive/zip"
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"dirsyncd/connectors"
	"dirsyncd/connectors/internal/columns"
	"dirsyncd/sync/settings"
)

var benchHeader = []string{"number", "name", "given_name", "family_name", "email", "phone", "department", "office", "created", "enabled"}

func benchCells(i int) []string {
	n := strconv.Itoa(i)
	return []string{
		fmt.Sprintf("%08d", i), "Person Number " + n, "Person", "Number " + n, "person" + n + "@example.test", "+44 20 7946 " + n[len(n)-1:] + "00", "Department " + n[:1], "Office " + n[:1],
		"2024-03-07", "yes",
	}
}

// writePeople writes a CSV file.
func writePeople(tb testing.TB, path string, rows int) {
	tb.Helper()
	f, err := os.Create(path)
	if err != nil {
		tb.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	line := func(cells []string) {
		for i, c := range cells {
			if i > 0 {
				_ = w.WriteByte(',')
			}
			_, _ = w.WriteString(c)
		}
		_ = w.WriteByte('\n')
	}
	line(benchHeader)
	for i := range rows {
		line(benchCells(i))
	}
	if err := w.Flush(); err != nil {
		tb.Fatal(err)
	}
	_ = f.Close()
}

// writeSharedXLSX writes a workbook whose texts are shared, each once, as Excel and LibreOffice write it.
func writeSharedXLSX(tb testing.TB, path string, rows int) {
	tb.Helper()
	f, err := os.Create(path)
	if err != nil {
		tb.Fatal(err)
	}
	z := zip.NewWriter(f)
	texts, order := map[string]int{}, []string{}
	part := func(name string, write func(w *bufio.Writer)) {
		p, err := z.Create(name)
		if err != nil {
			tb.Fatal(err)
		}
		w := bufio.NewWriter(p)
		write(w)
		_ = w.Flush()
	}
	const r = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
	part("xl/workbook.xml", func(w *bufio.Writer) {
		fmt.Fprintf(w, `<workbook xmlns:r=%q><sheets><sheet name="A" sheetId="1" r:id="a"/></sheets></workbook>`, r)
	})
	part("xl/_rels/workbook.xml.rels", func(w *bufio.Writer) {
		fmt.Fprintf(w, `<Relationships><Relationship Id="a" Type="%s/worksheet" Target="worksheets/a.xml"/><Relationship Id="b" Type="%s/sharedStrings" Target="texts.xml"/></Relationships>`, r, r)
	})
	part("xl/worksheets/a.xml", func(w *bufio.Writer) {
		fmt.Fprint(w, "<worksheet><sheetData>")
		for i := -1; i < rows; i++ {
			cells := benchHeader
			if i >= 0 {
				cells = benchCells(i)
			}
			fmt.Fprintf(w, `<row r="%d">`, i+2)
			for j, c := range cells {
				n, ok := texts[c]
				if !ok {
					n = len(order)
					texts[c] = n
					order = append(order, c)
				}
				fmt.Fprintf(w, `<c r="%c%d" s="0" t="s"><v>%d</v></c>`, 'A'+j, i+2, n)
			}
			fmt.Fprint(w, "</row>")
		}
		fmt.Fprint(w, "</sheetData></worksheet>")
	})
	part("xl/texts.xml", func(w *bufio.Writer) {
		fmt.Fprint(w, "<sst>")
		for _, text := range order {
			fmt.Fprintf(w, "<si><t>%s</t></si>", text)
		}
		fmt.Fprint(w, "</sst>")
	})
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	_ = f.Close()
}

// writePeopleXLSX writes a workbook whose texts stand in their cells.
func writePeopleXLSX(tb testing.TB, path string, rows int) {
	tb.Helper()
	f := excelize.NewFile()
	defer f.Close()
	s, err := f.NewStreamWriter("Sheet1")
	if err != nil {
		tb.Fatal(err)
	}
	for i := -1; i < rows; i++ {
		cells := benchHeader
		if i >= 0 {
			cells = benchCells(i)
		}
		row := make([]any, len(cells))
		for j, c := range cells {
			row[j] = c
		}
		at, _ := excelize.CoordinatesToCellName(1, i+2)
		if err := s.SetRow(at, row); err != nil {
			tb.Fatal(err)
		}
	}
	if err := s.Flush(); err != nil {
		tb.Fatal(err)
	}
	if err := f.SaveAs(path); err != nil {
		tb.Fatal(err)
	}
}

type benchFile struct {
	name, file string
	rows       int
	write      func(testing.TB, string, int)
}

func benchFiles() []benchFile {
	return []benchFile{
		{"csv/1000000", "p.csv", 1_000_000, writePeople},
		{"xlsx/200000", "p.xlsx", 200_000, writePeopleXLSX},
		{"xlsx-shared-texts/200000", "p.xlsx", 200_000, writeSharedXLSX},
	}
}

// writeElsewhere has another process write a file, so that what it takes to write it is not held against the reader.
func writeElsewhere(b *testing.B, name, path string) {
	b.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestWriteBenchFile$")
	cmd.Env = append(os.Environ(), "DIRSYNCD_BENCH_NAME="+name, "DIRSYNCD_BENCH_FILE="+path)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
}

// TestWriteBenchFile is what writeElsewhere runs.
func TestWriteBenchFile(t *testing.T) {
	path := os.Getenv("DIRSYNCD_BENCH_FILE")
	if path == "" {
		t.Skip("it writes a file for a benchmark")
	}
	for _, f := range benchFiles() {
		if f.name == os.Getenv("DIRSYNCD_BENCH_NAME") {
			f.write(t, path, f.rows)
		}
	}
}

// BenchmarkRead reads files to normal form on one core, and says what memory that takes over an idle process at most.
func BenchmarkRead(b *testing.B) {
	for _, bc := range benchFiles() {
		b.Run(bc.name, func(b *testing.B) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			c := folder(b)
			writeElsewhere(b, bc.name, c.path(bc.file))
			k := kind(bc.file, absentGone)
			k.Key = settings.Names{"number"}
			k.Columns = map[string]columns.Source{}
			conn := open(c.configured(map[string]Kind{"person": k}), connectors.Env{})
			debug.FreeOSMemory()
			idle := resident(b)
			began := cpu(b)
			b.ResetTimer()
			var most, objects int
			for b.Loop() {
				objects = 0
				err := conn.Read(b.Context(), connectors.Request{Stream: "users", Mode: connectors.Full}, func(p *connectors.Page) error {
					if objects/100_000 != (objects+len(p.Objects))/100_000 || p.Proof != nil {
						most = max(most, resident(b))
					}
					objects += len(p.Objects)
					return nil
				})
				if err != nil || objects != bc.rows {
					b.Fatalf("%d objects, %v", objects, err)
				}
			}
			b.ReportMetric(float64(objects)*float64(b.N)/(cpu(b)-began).Seconds(), "rows/cpu-s")
			b.ReportMetric(float64(objects)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(most-idle)/(1<<20), "MiB-over-idle")
		})
	}
}

// BenchmarkUnchanged looks at a file that is as it was.
func BenchmarkUnchanged(b *testing.B) {
	c := folder(b)
	writePeople(b, c.path("p.csv"), 100_000)
	k := kind("p.csv", absentGone)
	k.Key = settings.Names{"number"}
	conn := open(c.configured(map[string]Kind{"person": k}), connectors.Env{Now: time.Now})
	var cursor []byte
	read := func(mode connectors.Mode) {
		err := conn.Read(b.Context(), connectors.Request{Stream: "users", Mode: mode, Cursor: cursor}, func(p *connectors.Page) error {
			if p.Proof != nil && mode == connectors.Full {
				cursor = append(cursor, p.Cursor...)
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	read(connectors.Full)
	for b.Loop() {
		read(connectors.Delta)
	}
}

// cpu is what the process has taken of processors, which other programs do not change as they change the time it takes.
func cpu(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// resident is how much memory the process has, in bytes.
func resident(tb testing.TB) int {
	tb.Helper()
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		tb.Skip("there is no /proc")
	}
	var size, pages int
	if _, err := fmt.Sscan(string(data), &size, &pages); err != nil {
		tb.Fatal(err)
	}
	return pages * os.Getpagesize()
}
