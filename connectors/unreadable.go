package connectors

// Unreadable gathers what could not be read by itself, such as the members of one group, so that it stops nobody else:
// it is parked and stays as it was. When nothing of the kind can be read, that is no matter of one of them, such as a
// missing permission, and its error is the stream's. The zero value is a beginning.
type Unreadable struct {
	invalid  []Invalid
	readable bool
}

// mostUnreadable is how many may fail before one has been read.
const mostUnreadable = 20

// Read takes the word that one of them was read.
func (u *Unreadable) Read() { u.readable = true }

// Add takes one that could not be read. It returns the error with which to end the read, or nil to go on.
func (u *Unreadable) Add(bad Invalid) error {
	u.invalid = append(u.invalid, bad)
	if !u.readable && len(u.invalid) > mostUnreadable {
		return bad.Err
	}
	return nil
}

// All returns those that could not be read, for the last page, or the error when none of several could be.
func (u *Unreadable) All() ([]Invalid, error) {
	if !u.readable && len(u.invalid) > 1 {
		return nil, u.invalid[0].Err
	}
	return u.invalid, nil
}
