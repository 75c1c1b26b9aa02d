package service

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/api"
	"dirsyncd/sync/config"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/signin/keyring"
	"dirsyncd/sync/signin/portal"
)

// signinKeys are the keys of a configuration. A file that is not there is made when sign-in is opened for the first time: while people sign in,
// and the file is gone or elsewhere, new keys would make what the present ones have signed count for nothing.
func (s *Service) signinKeys(ctx context.Context, cfg *config.Signin, items store.Items) (*keyring.Ring, error) {
	keys, err := readKeys(cfg, s.now)
	if !errors.Is(err, fs.ErrNotExist) {
		return keys, keysFault(cfg, err)
	}
	s.mu.Lock()
	running := s.door != nil
	s.mu.Unlock()
	if running {
		return nil, keysGone(cfg, err)
	}
	used, err := portal.Used(ctx, items)
	if err != nil {
		return nil, err
	}
	if keys, err = keyring.Create(string(cfg.Keys), s.now); err != nil {
		return nil, keysFault(cfg, err)
	}
	if used {
		s.log.Warn("the keys of sign-in were not there, although people have signed in before: new ones were made", "file", string(cfg.Keys),
			"hint", "applications refuse identity tokens until they fetch the new keys; is `signin.keys` right, and its disk mounted?")
	} else {
		s.log.Info("the keys of sign-in were made", "file", string(cfg.Keys))
	}
	return keys, nil
}

func keysGone(cfg *config.Signin, err error) error {
	return &fault.Error{Class: fault.Configuration, Op: "read the keys of sign-in", Where: string(cfg.Keys), Err: err,
		Hint: "put the file back, from a backup; a restart makes new keys, and what the former ones have signed counts no more"}
}

// mayOpen refuses a configuration to which people who sign in now could not go on.
func (s *Service) mayOpen(cfg *config.Config) error {
	s.mu.Lock()
	running := s.door != nil
	s.mu.Unlock()
	if !running || cfg.Signin == nil {
		return nil
	}
	_, err := readKeys(cfg.Signin, s.now)
	if errors.Is(err, fs.ErrNotExist) {
		return keysGone(cfg.Signin, err)
	}
	return keysFault(cfg.Signin, err)
}

// readKeys reads the keys that are there.
func readKeys(cfg *config.Signin, now func() time.Time) (*keyring.Ring, error) {
	if cfg.Keys == "" {
		return keyring.Parse(cfg.KeyText.Reveal(), now)
	}
	return keyring.Open(string(cfg.Keys), now)
}

func keysFault(cfg *config.Signin, err error) error {
	if err == nil {
		return nil
	}
	if cfg.Keys == "" {
		return &fault.Error{Class: fault.Configuration, Op: "read the keys of sign-in", Where: "signin.keys", Err: err, Hint: "`dirsyncd signin keys new` makes such a text"}
	}
	return &fault.Error{Class: fault.Configuration, Op: "read the keys of sign-in", Where: string(cfg.Keys), Err: err, Hint: "`signin.keys` is a file that this user may read and write; it is made when sign-in starts for the first time"}
}

// SigninKeys implements api.Operations.
func (s *Service) SigninKeys(_ context.Context, req api.SigninKeysRequest) ([]api.SigninKey, error) {
	cfg := s.current().cfg.Signin
	if cfg == nil {
		return nil, noSignin()
	}
	s.mu.Lock()
	door := s.door
	s.mu.Unlock()
	var keys *keyring.Ring
	var err error
	if door != nil {
		keys = door.portal.Keys
	} else if keys, err = readKeys(cfg, s.now); err != nil {
		return nil, keysFault(cfg, err)
	}
	if req.Rotate {
		if err := keys.Rotate(req.Now); err != nil {
			return nil, rotateFault(cfg, err)
		}
		s.log.Info("the keys of sign-in were turned", "why", "by an operator", "at_once", req.Now, "signs", keys.Sign().ID, "published", len(keys.Published()))
	}
	var list []api.SigninKey
	published, states := keys.Standing()
	for i, k := range published {
		list = append(list, api.SigninKey{ID: k.ID, Created: k.Created, State: states[i]})
	}
	return list, nil
}

func rotateFault(cfg *config.Signin, err error) error {
	f := &fault.Error{Class: fault.Configuration, Op: "turn the keys of sign-in", Where: string(cfg.Keys), Err: err, Hint: "is the file of `signin.keys` writable?"}
	switch {
	case errors.Is(err, keyring.ErrKept):
		f.Where, f.Hint = "signin.keys", "put a text of `dirsyncd signin keys new` in their place, and restart"
	case errors.Is(err, keyring.ErrUnderWay):
		f.Hint = "it signs when it has been published for a day; `dirsyncd signin keys` shows it; with --now one signs at once"
	}
	return f
}

func noSignin() error {
	return &fault.Error{Class: fault.Configuration, Op: "look after sign-in", Err: errors.New("the configuration has no `signin:`"), Hint: "docs/sign-in.md says what to write"}
}
