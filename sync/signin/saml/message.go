package saml

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

const (
	nsProtocol  = "urn:oasis:names:tc:SAML:2.0:protocol"
	nsAssertion = "urn:oasis:names:tc:SAML:2.0:assertion"
	nsMetadata  = "urn:oasis:names:tc:SAML:2.0:metadata"
	nsDigital   = "http://www.w3.org/2000/09/xmldsig#"

	maxMessage = 1 << 20
	maxDepth   = 64
	maxText    = 4096 // of what we keep from a message that nothing has proved yet
)

var (
	errLarge = errors.New("it is larger than 1 MiB")
	errDTD   = errors.New("it has a document type definition")
)

// message is what a message says of itself before any signature was looked at: good for refusals and for choosing, never for
// letting anybody in.
type message struct {
	name         xml.Name
	id           string
	inResponseTo string
	destination  string
	issuer       string
	issued       time.Time // zero when it cannot be read
	codes        []string  // of the status, from the outside in
	statusText   string
	assertions   int      // Assertion and EncryptedAssertion that are children of the root
	elsewhere    int      // those that are not
	encrypted    bool     // there is an EncryptedAssertion
	signed       bool     // there is a signature of the root or of its assertion
	certificates []string // of signatures, base64
	doubled      bool     // two elements with one ID
}

// decode decodes base64 as it comes in a form, with line breaks or without.
func decode(text string) ([]byte, error) {
	if len(text) > maxMessage*3/2 {
		return nil, errLarge
	}
	text = strings.NewReplacer("\r", "", "\n", "", " ", "", "\t", "").Replace(text)
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, errors.New("it is not base64")
	}
	if len(data) > maxMessage {
		return nil, errLarge
	}
	return data, nil
}

// inflate reads what the redirect binding compressed.
func inflate(data []byte) ([]byte, error) {
	plain, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(data)), maxMessage+1))
	switch {
	case err != nil:
		return nil, errors.New("it is not compressed as the redirect binding wants it")
	case len(plain) > maxMessage:
		return nil, errLarge
	}
	return plain, nil
}

// walk goes through a document: start is called with how deep an element lies (the root: 1), end when one ends, text with what
// stands between. It refuses a document type definition, bad XML and great depth. end and text may be nil.
func walk(data []byte, start func(e xml.StartElement, depth int), end func(), text func(string)) error {
	d := xml.NewDecoder(bytes.NewReader(data))
	depth, roots := 0, 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) && roots > 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("it is not XML: %w", err)
		}
		switch e := token.(type) {
		case xml.Directive:
			return errDTD
		case xml.StartElement:
			if depth++; depth > maxDepth {
				return errors.New("it is nested too deeply")
			}
			if depth == 1 {
				if roots++; roots > 1 {
					return errors.New("it has two roots")
				}
			}
			start(e, depth)
		case xml.EndElement:
			depth--
			if end != nil {
				end()
			}
		case xml.CharData:
			if text != nil && depth > 0 {
				text(string(e))
			}
		}
	}
}

// readMessage reads what a message says of itself.
func readMessage(data []byte) (*message, error) {
	m := &message{}
	ids := map[string]bool{}
	var into *string // where the text that comes next belongs
	var path [maxDepth + 1]xml.Name
	err := walk(data, func(e xml.StartElement, depth int) {
		into, path[depth] = nil, e.Name
		if id := attribute(e, "ID"); id != "" {
			m.doubled = m.doubled || ids[id]
			ids[id] = true
		}
		m.element(e, depth, path[depth-1], &into)
	}, func() { into = nil }, func(text string) {
		if into != nil && len(*into) < maxText {
			*into += text
		}
	})
	if err != nil {
		return nil, err
	}
	m.issuer, m.statusText = strings.TrimSpace(m.issuer), strings.TrimSpace(m.statusText)
	return m, nil
}

func (m *message) element(e xml.StartElement, depth int, parent xml.Name, into **string) {
	if depth == 1 {
		m.name = e.Name
		m.id, m.inResponseTo, m.destination = attribute(e, "ID"), attribute(e, "InResponseTo"), attribute(e, "Destination")
		m.issued, _ = time.Parse(time.RFC3339Nano, attribute(e, "IssueInstant"))
		return
	}
	switch e.Name {
	case xml.Name{Space: nsAssertion, Local: "Issuer"}:
		if depth == 2 {
			*into = &m.issuer
		}
	case xml.Name{Space: nsProtocol, Local: "StatusCode"}:
		if len(m.codes) < 4 {
			m.codes = append(m.codes, attribute(e, "Value"))
		}
	case xml.Name{Space: nsProtocol, Local: "StatusMessage"}:
		*into = &m.statusText
	case xml.Name{Space: nsAssertion, Local: "Assertion"}, xml.Name{Space: nsAssertion, Local: "EncryptedAssertion"}:
		if depth == 2 {
			m.assertions++
		} else {
			m.elsewhere++
		}
		m.encrypted = m.encrypted || e.Name.Local == "EncryptedAssertion"
	case xml.Name{Space: nsDigital, Local: "Signature"}:
		if depth == 2 || depth == 3 && parent == (xml.Name{Space: nsAssertion, Local: "Assertion"}) {
			m.signed = true
		}
	case xml.Name{Space: nsDigital, Local: "X509Certificate"}:
		if len(m.certificates) < 4 {
			m.certificates = append(m.certificates, "")
			*into = &m.certificates[len(m.certificates)-1]
		}
	}
}

// shownCertificates are the fingerprints of the certificates that a message carries.
func (m *message) shownCertificates() []string {
	var list []string
	for _, text := range m.certificates {
		if der, err := decode(text); err == nil && len(der) > 0 {
			list = append(list, fingerprint(der))
		}
	}
	return list
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Space == "" && a.Name.Local == name {
			return a.Value[:min(len(a.Value), maxText)]
		}
	}
	return ""
}
