package tables

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
)

// The encodings that are found without being said.
const (
	utf8Name        = "utf-8"
	utf16LEName     = "utf-16le"
	utf16BEName     = "utf-16be"
	windows1252Name = "windows-1252"
	utf32Name       = "utf-32"
)

// singleByte lists the encodings of one byte per character that can be said.
func singleByte(name string) encoding.Encoding {
	switch name {
	case windows1252Name:
		return charmap.Windows1252
	case "windows-1250":
		return charmap.Windows1250
	case "windows-1251":
		return charmap.Windows1251
	case "windows-1253":
		return charmap.Windows1253
	case "windows-1254":
		return charmap.Windows1254
	case "windows-1257":
		return charmap.Windows1257
	case "iso-8859-1":
		return charmap.ISO8859_1
	case "iso-8859-2":
		return charmap.ISO8859_2
	case "iso-8859-15":
		return charmap.ISO8859_15
	case "ibm437":
		return charmap.CodePage437
	case "ibm850":
		return charmap.CodePage850
	case "ibm852":
		return charmap.CodePage852
	case "macintosh":
		return charmap.Macintosh
	default:
		return nil
	}
}

// Encodings lists the words for encodings that can be said.
func Encodings() []string {
	return []string{
		utf8Name, "utf-16", utf16LEName, utf16BEName, windows1252Name, "windows-1250", "windows-1251", "windows-1253", "windows-1254",
		"windows-1257", "iso-8859-1", "iso-8859-2", "iso-8859-15", "ibm437", "ibm850", "ibm852", "macintosh",
	}
}

// KnownEncoding reports whether a word is one of Encodings.
func KnownEncoding(name string) bool { return slices.Contains(Encodings(), name) }

// sampleSize is how much of a file is looked at to find out how it is written.
const sampleSize = 64 << 10

// text is the text of a file as UTF-8, without a byte order mark. Bytes that are no text in UTF-8 or UTF-16 stay invalid:
// whoever reads a row sees them.
type text struct {
	io.Reader
	encoding string // that was said or found
}

// decode finds out how a file is encoded. A byte order mark tells even if something else was said.
func decode(src io.Reader, said string) (*text, error) {
	head := make([]byte, sampleSize)
	n, err := io.ReadFull(src, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	head = head[:n]
	name, mark := findEncoding(head)
	switch {
	case mark > 0:
		head = head[mark:]
	case said == "utf-16" && name != utf16BEName:
		name = utf16LEName // what Windows means by it
	case said != "" && said != "utf-16":
		name = said
	}
	t := &text{encoding: name}
	rest := io.MultiReader(bytes.NewReader(head), src)
	switch {
	case name == utf16LEName || name == utf16BEName:
		t.Reader = &utf16Reader{src: rest, big: name == utf16BEName}
	case name == utf32Name:
		return nil, unfit("save it as UTF-8", "the text is UTF-32, which is not read")
	case name == utf8Name && mark == 0 && said == "" && ascii(head):
		t.Reader = &undecided{text: t, src: rest}
	case name == utf8Name:
		t.Reader = rest
	default:
		t.Reader = singleByte(name).NewDecoder().Reader(rest)
	}
	return t, nil
}

func ascii(b []byte) bool {
	return !bytes.ContainsFunc(b, func(r rune) bool { return r >= utf8.RuneSelf })
}

// undecided reads a text that has nothing but ASCII so far: what comes first besides tells the encoding.
type undecided struct {
	*text
	src io.Reader
}

func (u *undecided) Read(p []byte) (int, error) {
	n, err := u.src.Read(p)
	if ascii(p[:n]) {
		return n, err
	}
	// A part of p is enough: the sample begins with what it holds.
	sample := append(make([]byte, 0, n+sampleSize), p[:n]...)
	if err == nil {
		more, failed := io.ReadFull(u.src, sample[n:cap(sample)])
		sample = sample[:n+more]
		if failed != nil && failed != io.EOF && failed != io.ErrUnexpectedEOF {
			err = failed
		}
	}
	rest := io.MultiReader(bytes.NewReader(sample), u.src)
	if err != nil && !errors.Is(err, io.EOF) {
		rest = io.MultiReader(bytes.NewReader(sample), failing{err})
	}
	u.encoding, u.Reader = utf8Name, rest
	if name, _ := findEncoding(sample); name == windows1252Name {
		u.encoding, u.Reader = name, singleByte(name).NewDecoder().Reader(rest)
	}
	return u.Reader.Read(p)
}

// failing is a reader that only fails.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// findEncoding says how the beginning of a file is encoded, and how long the byte order mark is. Without one it is UTF-16
// if every other byte is zero, UTF-8 if it can be, and else what Windows writes in western Europe.
func findEncoding(head []byte) (name string, mark int) {
	switch {
	case bytes.HasPrefix(head, []byte{0xEF, 0xBB, 0xBF}):
		return utf8Name, 3
	case bytes.HasPrefix(head, []byte{0xFF, 0xFE, 0, 0}), bytes.HasPrefix(head, []byte{0, 0, 0xFE, 0xFF}):
		return utf32Name, 4
	case bytes.HasPrefix(head, []byte{0xFF, 0xFE}):
		return utf16LEName, 2
	case bytes.HasPrefix(head, []byte{0xFE, 0xFF}):
		return utf16BEName, 2
	}
	if even, odd := zeros(head); odd > len(head)/5 && even <= odd/8 {
		return utf16LEName, 0
	} else if even > len(head)/5 && odd <= even/8 {
		return utf16BEName, 0
	}
	// The sample may end within a character.
	whole := head
	if len(head) >= sampleSize {
		for cut := 1; cut < utf8.UTFMax; cut++ {
			if c := head[len(head)-cut]; utf8.RuneStart(c) {
				if c >= utf8.RuneSelf {
					whole = head[:len(head)-cut]
				}
				break
			}
		}
	}
	if utf8.Valid(whole) {
		return utf8Name, 0
	}
	return windows1252Name, 0
}

// zeros counts the zero bytes at even and odd places.
func zeros(b []byte) (even, odd int) {
	for i, c := range b {
		switch {
		case c != 0:
		case i%2 == 0:
			even++
		default:
			odd++
		}
	}
	return even, odd
}

// utf16Reader reads UTF-16 as UTF-8. Half a pair and a last byte without its other become a byte that no UTF-8 has.
type utf16Reader struct {
	src   io.Reader
	big   bool
	in    [4096]byte
	have  int // bytes in in
	out   []byte
	ready int // of out is given away
	err   error
}

const noText = 0xFF

func (r *utf16Reader) Read(p []byte) (int, error) {
	for r.ready == len(r.out) {
		if r.err != nil {
			return 0, r.err
		}
		r.fill()
	}
	n := copy(p, r.out[r.ready:])
	r.ready += n
	return n, nil
}

func (r *utf16Reader) fill() {
	n, err := r.src.Read(r.in[r.have:])
	r.have += n
	r.err = err
	r.out, r.ready = r.out[:0], 0
	i := 0
	for ; i+1 < r.have; i += 2 {
		unit := r.unit(i)
		if !utf16.IsSurrogate(unit) {
			r.out = utf8.AppendRune(r.out, unit)
			continue
		}
		if i+3 >= r.have && err == nil {
			break // its other half comes with the next bytes
		}
		if i+3 < r.have {
			if pair := utf16.DecodeRune(unit, r.unit(i+2)); pair != utf8.RuneError {
				r.out = utf8.AppendRune(r.out, pair)
				i += 2
				continue
			}
		}
		r.out = append(r.out, noText)
	}
	r.have = copy(r.in[:], r.in[i:r.have])
	if err != nil && r.have > 0 {
		r.out, r.have = append(r.out, noText), 0
	}
}

func (r *utf16Reader) unit(i int) rune {
	if r.big {
		return rune(r.in[i])<<8 | rune(r.in[i+1])
	}
	return rune(r.in[i+1])<<8 | rune(r.in[i])
}
