package settings

import "time"

// Perishing may be implemented by the configuration type of a connector or target: it names the files of the block that are good
// for a time only.
type Perishing interface{ Perishables() []Perishable }

// Perishable is a file that is good for a time only.
type Perishable struct {
	Key  string // within the block: "certificate"
	File Path
	// Good is how long it is good after it was last written; zero: it holds a certificate in PEM, which says so.
	Good time.Duration
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
