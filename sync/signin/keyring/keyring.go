// Package keyring keeps the keys of sign-in in one file: what seals cookies, and what signs identity tokens.
package keyring

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// The life of a key that signs: others fetch the published keys once an hour or less often, so a key is published before it
// is used, and stays published after.
const (
	rotate  = 90 * 24 * time.Hour
	publish = 24 * time.Hour
)

const (
	cookieBlock = "DIRSYNCD COOKIE KEY"
	signBlock   = "EC PRIVATE KEY"
	created     = "Created" // header of a block that signs; RFC 3339
	cookieSize  = 32
)

// Signing is a key that signs identity tokens (ES256).
type Signing struct {
	ID      string // kid: begins with the fingerprint of the public key
	Private *ecdsa.PrivateKey
	Created time.Time
}

// Ring is the keys. It may be used by many goroutines.
type Ring struct {
	file string // blank: somebody else keeps the keys
	now  func() time.Time

	mu      sync.Mutex
	cookie  [cookieSize]byte
	signing []Signing // oldest first
}

// Open reads the keys of a file. Errors say what is wrong with it, and never what is in it; of one that is not there it is fs.ErrNotExist.
func Open(file string, now func() time.Time) (*Ring, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read by others (mode %04o): chmod 0600 %s", file, info.Mode().Perm(), file)
	}
	r := &Ring{file: file, now: now}
	if err := r.read(data); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return r, nil
}

// Create makes new keys and writes the file, for its owner only. It must not be there.
func Create(file string, now func() time.Time) (*Ring, error) {
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(err, fs.ErrExist)
	}
	r, err := fresh(now)
	if err != nil {
		return nil, err
	}
	r.file = file
	return r, r.write()
}

// Parse reads keys that somebody else keeps: they are never turned here.
func Parse(text string, now func() time.Time) (*Ring, error) {
	r := &Ring{now: now}
	return r, r.read([]byte(text))
}

// New returns the text of new keys, for Parse.
func New(now func() time.Time) ([]byte, error) {
	r, err := fresh(now)
	if err != nil {
		return nil, err
	}
	return r.encode()
}

func fresh(now func() time.Time) (*Ring, error) {
	r := &Ring{now: now}
	_, _ = rand.Read(r.cookie[:])
	return r, r.add()
}

func (r *Ring) read(data []byte) error {
	found := false
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case cookieBlock:
			if len(block.Bytes) != cookieSize {
				return fmt.Errorf("the cookie key has %d bytes, not %d", len(block.Bytes), cookieSize)
			}
			copy(r.cookie[:], block.Bytes)
			found = true
		case signBlock:
			key, err := x509.ParseECPrivateKey(block.Bytes)
			if err != nil || key.Curve != elliptic.P256() {
				return errors.New("a key that signs is no P-256 key")
			}
			at, err := time.Parse(time.RFC3339, block.Headers[created])
			if err != nil {
				return errors.New("a key that signs does not say when it was created")
			}
			s, err := signing(key, at)
			if err != nil {
				return err
			}
			r.signing = append(r.signing, s)
		default:
			return fmt.Errorf("unknown block %q", block.Type)
		}
	}
	if !found || len(r.signing) == 0 {
		return errors.New("keys are missing; remove the file to have new ones made: whoever is signed in must sign in again")
	}
	slices.SortFunc(r.signing, func(a, b Signing) int { return a.Created.Compare(b.Created) })
	return nil
}

func signing(key *ecdsa.PrivateKey, at time.Time) (Signing, error) {
	public, err := key.PublicKey.Bytes()
	if err != nil {
		return Signing{}, err
	}
	sum := sha256.Sum256(public)
	return Signing{ID: base64.RawURLEncoding.EncodeToString(sum[:12]), Private: key, Created: at}, nil
}

func (r *Ring) add() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	s, err := signing(key, r.now().UTC().Truncate(time.Second))
	if err != nil {
		return err
	}
	r.signing = append(r.signing, s)
	return nil
}

// encode is the whole file.
func (r *Ring) encode() ([]byte, error) {
	text := pem.EncodeToMemory(&pem.Block{Type: cookieBlock, Bytes: r.cookie[:]})
	for _, s := range r.signing {
		der, err := x509.MarshalECPrivateKey(s.Private)
		if err != nil {
			return nil, err
		}
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: signBlock, Headers: map[string]string{created: s.Created.Format(time.RFC3339)}, Bytes: der})...)
	}
	return text, nil
}

// write puts a whole new file in the place of the former one.
func (r *Ring) write() (err error) {
	text, err := r.encode()
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(r.file), ".keys-*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), r.file)
}

// Cookie is the key that seals cookies: 32 bytes, for AES-256-GCM.
func (r *Ring) Cookie() [cookieSize]byte { return r.cookie }

// Sign returns the key that signs now: the newest one that has been published for a day, or the first there was.
func (r *Ring) Sign() Signing {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.signing[r.active()]
}

func (r *Ring) active() int {
	last := 0
	for i, s := range r.signing {
		if !s.Created.Add(publish).After(r.now()) {
			last = i
		}
	}
	return last
}

// Published returns the keys whose signatures count, the one to be used next among them.
func (r *Ring) Published() []Signing {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.signing)
}

// Turn makes the next key a day before the present one is 90 days old, and forgets one a day after another took its place. It is to be
// called from time to time, at least every hour. Keys that somebody else keeps stay as they are.
func (r *Ring) Turn() (changed bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == "" {
		return false, nil
	}
	before := slices.Clone(r.signing)
	if newest := r.signing[len(r.signing)-1]; !r.now().Before(newest.Created.Add(rotate - publish)) {
		if err := r.add(); err != nil {
			return false, err
		}
		changed = true
	}
	// A key took its predecessor's place when it had been published for a day.
	for len(r.signing) > 1 && !r.now().Before(r.signing[1].Created.Add(2*publish)) {
		r.signing, changed = r.signing[1:], true
	}
	if !changed {
		return false, nil
	}
	if err := r.write(); err != nil {
		r.signing = before
		return false, err
	}
	return true, nil
}

// ErrKept is what Rotate says of keys that somebody else keeps.
var ErrKept = errors.New("these keys are kept by somebody else")

// ErrUnderWay is what Rotate says while the next key waits for its time.
var ErrUnderWay = errors.New("the next key is published already")

// Rotate makes the next key before its time. It signs when it has been published for a day; with now at once, and the former ones are
// forgotten: what they have signed counts no more.
func (r *Ring) Rotate(now bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == "" {
		return ErrKept
	}
	if !now && r.active() < len(r.signing)-1 {
		return ErrUnderWay
	}
	before := slices.Clone(r.signing)
	err := r.add()
	if err == nil && now {
		r.signing = r.signing[len(r.signing)-1:]
	}
	if err == nil {
		err = r.write()
	}
	if err != nil {
		r.signing = before
	}
	return err
}

// State of a key.
const (
	Signs  = "signs"
	Next   = "next"   // published, and signs when that was a day ago
	Former = "former" // published for what it has signed
)

// Standing is what Published returns, with the state of each.
func (r *Ring) Standing() (keys []Signing, states []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	active := r.active()
	states = make([]string, len(r.signing))
	for i := range states {
		switch {
		case i < active:
			states[i] = Former
		case i == active:
			states[i] = Signs
		default:
			states[i] = Next
		}
	}
	return slices.Clone(r.signing), states
}
