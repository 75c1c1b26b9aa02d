package signin

import (
	"context"
	"time"
)

// Watched is a Provider that says what it has last seen of the other side, and what of ours and theirs runs out. It asks nobody.
type Watched interface {
	Seen(ctx context.Context) Seen
}

// Seen is what is known of a provider without asking it.
type Seen struct {
	At    time.Time      // when it last gave out what it is; zero: not yet
	Ahead *time.Duration // how far its clock was before ours when it was last asked; nil: it has not said
	Ends  []End          // what runs out, each Use once
}

// End is something that runs out.
type End struct {
	Use Use
	At  time.Time
	// Renewed: who publishes it puts a later one in its place by and by, and near ends are usual.
	Renewed bool
	Hint    string // what to do before
}

// Use is what something that runs out is for. The words are stable: metrics have them as a label.
type Use string

// Uses.
const (
	UseTheirSigning Use = "their_signing" // the certificate of the provider that holds longest, of those by which it may sign
	UseOurKey       Use = "our_key"       // our certificate
	UseNextKey      Use = "next_key"      // the one that takes its place
	UseSecret       Use = "client_secret"
	UseMetadata     Use = "metadata" // of the provider
)
