package settings

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"time"
)

// Perishing may be implemented by the configuration type of a connector or target: it names the files of the block that are good
// for a time only.
type Perishing interface{ Perishables() []Perishable }

// Perishable is a file that is good for a time only.
type Perishable struct {
	Key  string // within the block: "certificate"
	File Path
	// Good is how long it is good after it was last written; zero: what is in it says so.
	Good time.Duration
	// Ends reads what is in it, of at most 1 MiB, and returns the zero time where it does not say. Then, and where it is nil, the first
	// certificate in PEM says it.
	Ends func(data []byte) time.Time
}

// Certificates are the files among some that are given.
func Certificates(files map[string]Path) (list []Perishable) {
	for key, file := range files {
		if file != "" {
			list = append(list, Perishable{Key: key, File: file})
		}
	}
	return list
}

// largestPerishable is how much of a file is looked at, in bytes.
const largestPerishable = 1 << 20

// End is when the file is no longer good; zero where that cannot be known now: whoever uses the file complains about it.
func (p *Perishable) End() (ends time.Time) {
	info, err := os.Stat(string(p.File))
	if err != nil || info.Size() > largestPerishable {
		return ends
	}
	if p.Good > 0 {
		return info.ModTime().Add(p.Good)
	}
	data, err := os.ReadFile(string(p.File))
	if err != nil {
		return ends
	}
	if p.Ends != nil {
		ends = p.Ends(data)
	}
	if ends.IsZero() {
		ends = firstCertificate(data)
	}
	return ends
}

// firstCertificate is when the first certificate is no longer good: that of its owner, before those of who signed it.
func firstCertificate(data []byte) (ends time.Time) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		if c, err := x509.ParseCertificate(block.Bytes); err == nil {
			return c.NotAfter
		}
	}
	return ends
}
