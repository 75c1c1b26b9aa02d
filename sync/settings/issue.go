package settings

import "fmt"

// Issue is what the configuration of a connector or target finds wrong with itself (see Validator).
type Issue struct {
	Path    string // the key within the block: "bind.user", "servers[1]"; empty for the block
	Message string // without the key: "must not be empty together with a password"
	Hint    string // what to write instead; may be empty
}

// Validator may be implemented by the configuration type of a connector or target. Validate is called after
// decoding and does no network I/O; its issues are shown with the line and column of their paths.
type Validator interface{ Validate() []Issue }

// Adviser may be implemented besides. What Advise returns is allowed but dangerous or probably not meant: it becomes a
// warning. It is called for a block without issues and does no network I/O.
type Adviser interface{ Advise() []Issue }

// Issues collects what is wrong with a block.
type Issues []Issue

// Report adds an issue; what follows the hint is the message, as for fmt.Sprintf.
func (l *Issues) Report(path, hint, format string, args ...any) {
	*l = append(*l, Issue{Path: path, Message: fmt.Sprintf(format, args...), Hint: hint})
}

// Reporter is Issues.Report, for the parts of a Validate.
type Reporter = func(path, hint, format string, args ...any)
