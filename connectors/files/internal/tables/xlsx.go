package tables

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"unicode/utf16"
)

// SheetOptions say how the sheets of a workbook are read.
type SheetOptions struct {
	// Header is the row of the header; 0: the first that is not blank. NoHeader: there is none.
	Header int
	// RoundDates takes a day with a time from 22:00 on for the next day.
	RoundDates bool
}

// Workbook is an open XLSX file.
type Workbook struct {
	zip     *zip.Reader
	parts   map[string]*zip.File // by lower-case name
	sheets  []Sheet
	formats []numberFormat
	texts   []string
	late    bool // dates count from 1904
	options SheetOptions
	limits  Limits
}

// Sheet is one sheet of a workbook.
type Sheet struct {
	Name   string
	Hidden bool
	part   string
}

// mostParts is how many files a workbook may consist of.
const mostParts = 10_000

// OpenXLSX reads everything of a workbook but its sheets. Before anything is unpacked, what the archive says of itself is
// held against the limits.
func OpenXLSX(src io.ReaderAt, size int64, o SheetOptions, limits Limits) (*Workbook, error) {
	head := make([]byte, 8)
	if n, err := src.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	} else if n == 0 {
		return nil, unfit("is it still being written?", "the file is empty")
	}
	if bytes.Equal(head, []byte{0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1}) {
		return nil, unfit("save it as .xlsx, without a password", "the file is an old workbook (.xls), or one with a password")
	}
	z, err := zip.NewReader(src, size)
	if err != nil {
		if errors.Is(err, zip.ErrFormat) || errors.Is(err, zip.ErrAlgorithm) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, unfit("was it written to its end? a file in another format needs format", "the file is no workbook (.xlsx)")
		}
		return nil, err
	}
	w := &Workbook{zip: z, parts: map[string]*zip.File{}, options: o, limits: limits}
	if err := w.admit(); err != nil {
		return nil, err
	}
	return w, w.open()
}

// admit looks at the archive's directory.
func (w *Workbook) admit() error {
	if len(w.zip.File) > mostParts {
		return unfit("", "the workbook consists of %d files, which is more than %d", len(w.zip.File), mostParts)
	}
	var total uint64
	for _, f := range w.zip.File {
		name := partName(f.Name)
		if _, twice := w.parts[name]; twice {
			return unfit(xmlSaveHint, xmlDamaged+": it holds a part twice")
		}
		w.parts[name] = f
		if f.UncompressedSize64 > 1<<62 || f.Flags&1 != 0 {
			return unfit(xmlSaveHint, xmlDamaged+", or has a password")
		}
		total += f.UncompressedSize64
		if total > uint64(w.limits.Unpacked) {
			return unfit("limits.unpacked allows more", "the workbook is larger than %d MiB when it is unpacked", w.limits.Unpacked>>20)
		}
		if f.UncompressedSize64 > 16<<20 && f.UncompressedSize64/uint64(w.limits.Ratio) > f.CompressedSize64 {
			return unfit("limits.ratio allows more, if you trust where it comes from",
				"a part of the workbook is more than %d times as large when it is unpacked", w.limits.Ratio)
		}
	}
	return nil
}

func partName(name string) string {
	return strings.ToLower(strings.TrimPrefix(path.Clean("/"+strings.ReplaceAll(name, `\`, "/")), "/"))
}

// part opens a part of the workbook; it returns nil when there is none.
func (w *Workbook) part(name string) (io.ReadCloser, error) {
	f := w.parts[partName(name)]
	if f == nil {
		return nil, nil
	}
	r, err := f.Open()
	if err != nil {
		return nil, unfit(xmlSaveHint, xmlDamaged+": %v", err)
	}
	return struct {
		io.Reader
		io.Closer
	}{&part{r, int64(f.UncompressedSize64)}, r}, nil
}

// part is what an archive holds: at most as much as it says, and with errors that say what they mean.
type part struct {
	src  io.Reader
	left int64
}

func (p *part) Read(b []byte) (int, error) {
	n, err := p.src.Read(b)
	if p.left -= int64(n); p.left < 0 {
		return 0, unfit(xmlSaveHint, xmlDamaged+": a part is larger than it says")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = unfit(xmlSaveHint, xmlDamaged+": %v", err)
	}
	return n, err
}

// each calls fn for every start of an element of a part, if there is such a part.
func (w *Workbook) each(name string, fn func(x *xmlReader) error) (found bool, err error) {
	src, err := w.part(name)
	if err != nil || src == nil {
		return false, err
	}
	defer func() { _ = src.Close() }()
	x, err := newXMLReader(src, w.limits.Row)
	if err != nil {
		return true, err
	}
	for {
		token, err := x.next()
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err == nil && token == xmlStart {
			err = fn(x)
		}
		if err != nil {
			return true, err
		}
	}
}

// open finds the sheets, the formats and the texts.
func (w *Workbook) open() error {
	book := "xl/workbook.xml"
	if _, err := w.each("_rels/.rels", func(x *xmlReader) error {
		if x.name == "Relationship" && strings.HasSuffix(string(x.attr("Type")), "/officeDocument") {
			book = x.attrText("Target")
		}
		return nil
	}); err != nil {
		return err
	}
	folder := path.Dir(strings.TrimPrefix(book, "/"))
	targets := map[string]string{}
	styles, texts := "", ""
	if _, err := w.each(path.Join(folder, "_rels", path.Base(book)+".rels"), func(x *xmlReader) error {
		if x.name != "Relationship" {
			return nil
		}
		target := x.attrText("Target")
		if !strings.HasPrefix(target, "/") {
			target = path.Join(folder, target)
		}
		targets[x.attrText("Id")] = target
		switch kind := string(x.attr("Type")); {
		case strings.HasSuffix(kind, "/styles"):
			styles = target
		case strings.HasSuffix(kind, "/sharedStrings"):
			texts = target
		}
		return nil
	}); err != nil {
		return err
	}
	found, err := w.each(book, func(x *xmlReader) error {
		switch x.name {
		case "workbookPr":
			w.late = isTrue(x.attr("date1904"))
		case "sheet":
			state := string(x.attr("state"))
			w.sheets = append(w.sheets, Sheet{Name: x.attrText("name"), Hidden: state == "hidden" || state == "veryHidden", part: targets[string(x.attr(":id"))]})
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case !found && w.parts["mimetype"] != nil:
		return unfit("save it as .xlsx", "the file is an OpenDocument spreadsheet (.ods), or another kind of document")
	case !found && w.parts["xl/workbook.bin"] != nil:
		return unfit("save it as .xlsx", "the file is a binary workbook (.xlsb)")
	case !found || len(w.sheets) == 0:
		return unfit("is format right?", "the file is an archive and no workbook (.xlsx)")
	}
	if err := w.readFormats(styles); err != nil {
		return err
	}
	return w.readTexts(texts)
}

func isTrue(b []byte) bool { return string(b) == "1" || string(b) == "true" }

// readFormats reads which number format each style has.
func (w *Workbook) readFormats(name string) error {
	own := map[int]numberFormat{}
	within := false // of cellXfs: what cells refer to
	_, err := w.each(name, func(x *xmlReader) error {
		switch x.name {
		case "numFmt":
			if id, err := strconv.Atoi(string(x.attr("numFmtId"))); err == nil && len(own) < 10_000 {
				own[id] = parseFormat(x.attrText("formatCode"))
			}
		case "cellXfs":
			within = true
		case "cellStyleXfs", "cellStyles", "dxfs":
			within = false
		case "xf":
			if within && len(w.formats) < 100_000 {
				id, _ := strconv.Atoi(string(x.attr("numFmtId")))
				f, ok := own[id]
				if !ok {
					f = builtinFormat(id)
				}
				w.formats = append(w.formats, f)
			}
		}
		return nil
	})
	return err
}

// readTexts reads the texts that cells share.
func (w *Workbook) readTexts(name string) error {
	if name == "" {
		return nil
	}
	src, err := w.part(name)
	if err != nil || src == nil {
		return err
	}
	defer func() { _ = src.Close() }()
	x, err := newXMLReader(src, w.limits.Row)
	if err != nil {
		return err
	}
	var all strings.Builder
	var ends []int
	one := []byte(nil)
	phonetic, within := 0, false
	for {
		token, err := x.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		switch {
		case token == xmlStart && x.name == "si":
			one = one[:0]
		case token == xmlEnd && x.name == "si":
			all.Write(unescapeX(one))
			ends = append(ends, all.Len())
			if int64(all.Len())+int64(24*len(ends)) > w.limits.Texts {
				return unfit("limits.texts allows more", "the texts of the workbook are larger than %d MiB", w.limits.Texts>>20)
			}
		case x.name == "rPh" && token == xmlStart:
			phonetic++
		case x.name == "rPh" && token == xmlEnd:
			phonetic--
		case x.name == "t" && token != xmlText:
			within = token == xmlStart
		case token == xmlText && within && phonetic == 0 && len(one) <= w.limits.Field:
			one = x.appendChars(one)
		}
	}
	text, from := all.String(), 0
	w.texts = make([]string, len(ends))
	for i, end := range ends {
		w.texts[i], from = text[from:end], end
	}
	return nil
}

// Sheets lists the sheets in the order of their tabs. The result is the caller's.
func (w *Workbook) Sheets() []Sheet { return append([]Sheet(nil), w.sheets...) }

// Default is the sheet that is read if none is named: the first that is not hidden.
func (w *Workbook) Default() Sheet {
	for _, s := range w.sheets {
		if !s.Hidden {
			return s
		}
	}
	return w.sheets[0]
}

// Dialect says how the workbook is written.
func (w *Workbook) Dialect() string {
	if w.late {
		return "XLSX, dates count from 1904"
	}
	return "XLSX"
}

func decodeUnits(units []uint16) string { return string(utf16.Decode(units)) }

func (w *Workbook) missing(s Sheet) error {
	return unfit(xmlSaveHint, "%s: it lacks the part of sheet %s", xmlDamaged, fmt.Sprintf("%q", s.Name))
}
