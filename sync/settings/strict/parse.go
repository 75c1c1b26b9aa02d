package strict

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// MaxSize is the largest document in bytes; it bounds the time that one can take. A configuration of a
// thousand connections has a tenth of it.
const MaxSize = 4 << 20

// maxDepth is far beyond what any configuration needs, and keeps recursion over values shallow.
const maxDepth = 100

// Parse reads a document. It never fails: what is wrong with it is among its Problems.
func Parse(data []byte, opts Options) *Document {
	d := &Document{opts: opts}
	if !d.checkText(data) {
		return d
	}
	d.lines = strings.Split(string(data), "\n")
	loader, err := yaml.NewLoader(bytes.NewReader(asVersion11(data)), yaml.WithPlugin(limits{}))
	if err != nil {
		d.report(0, 0, "", "yaml: %v", err)
		return d
	}
	var root yaml.Node
	switch err := loader.Load(&root); {
	case errors.Is(err, io.EOF):
		d.report(1, 1, "", "the file is empty")
		return d
	case err != nil:
		d.syntaxError(err)
		return d
	}
	d.checkEnd(loader)
	if len(root.Content) != 1 || resolve(root.Content[0]).ShortTag() == "!!null" {
		d.report(1, 1, "", "the file is empty")
		return d
	}
	if d.checkAliases(root.Content[0]) {
		d.root = root.Content[0]
	}
	return d
}

// asVersion11 lets the library take documents that say to be of YAML 1.2 or a later 1: it reads them, and knows the
// directive of 1.1 only. Places stay the same.
func asVersion11(data []byte) []byte {
	const mark = "\ufeff"
	for start := len(data) - len(bytes.TrimPrefix(data, []byte(mark))); start < len(data); {
		end := len(data)
		if i := bytes.IndexByte(data[start:], '\n'); i >= 0 {
			end = start + i + 1
		}
		line := bytes.TrimSpace(data[start:end])
		switch {
		case len(line) > 0 && line[0] != '#' && line[0] != '%':
			return data // directives come before everything else
		case bytes.HasPrefix(line, []byte("%YAML")):
			version, _, _ := bytes.Cut(bytes.TrimSpace(line[len("%YAML"):]), []byte("#"))
			version = bytes.TrimSpace(version)
			if len(version) != len("1.2") || version[0] != '1' || version[1] != '.' || version[2] < '2' || version[2] > '9' {
				return data
			}
			at := start + bytes.Index(data[start:end], version) + 2
			data = bytes.Clone(data)
			data[at] = '1'
			return data
		}
		start = end
	}
	return data
}

// checkText refuses what the YAML library would guess about (UTF-16) or answer without a place.
func (d *Document) checkText(data []byte) bool {
	if len(data) > MaxSize {
		d.report(0, 0, "", "the file is larger than %d MiB", MaxSize>>20)
		return false
	}
	line, column := 1, 1
	for rest := data; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		switch {
		case r == utf8.RuneError && size == 1:
			d.report(line, column, "save the file as UTF-8", "byte 0x%02x is not UTF-8 text", rest[0])
			return false
		case r == '\r' && !bytes.HasPrefix(rest, []byte("\r\n")):
			d.report(line, column, "end lines with LF or CR LF", "a carriage return that ends no line is not allowed")
			return false
		case r < ' ' && r != '\n' && r != '\r' && r != '\t', r == 0x7f:
			d.report(line, column, "", "control character 0x%02x is not allowed", r)
			return false
		case r == '\n':
			line, column = line+1, 0
		}
		column++
		rest = rest[size:]
	}
	return true
}

// checkEnd makes sure that nothing follows the first document.
func (d *Document) checkEnd(loader *yaml.Loader) {
	var next yaml.Node
	err := loader.Load(&next)
	switch {
	case errors.Is(err, io.EOF):
	case err != nil:
		d.syntaxError(err)
	default:
		d.report(next.Line, next.Column, "remove the line \"---\" or what follows it",
			"a second document begins here; a configuration is one document")
	}
}

// limits is the library's plug-in for limits while parsing.
type limits struct{}

func (limits) CheckDepth(depth int, _ *yaml.DepthContext) error {
	if depth > maxDepth {
		return fmt.Errorf("values are nested deeper than %d levels", maxDepth)
	}
	return nil
}

// CheckAlias is not asked while nodes are parsed; see checkAliases.
func (limits) CheckAlias(int, int) error { return nil }
