package service

import (
	"net/http"
	"slices"

	"dirsyncd/sync/config"
	"dirsyncd/sync/console"
	"dirsyncd/sync/signin/portal"
	"dirsyncd/sync/web"
)

// largestForm is how much a form of the console holds at most, in bytes: a page of parked items that are ticked.
const largestForm = 64 << 10

// window is the console in a browser.
type window struct {
	console *console.Console
	release func()
}

// openConsole puts the console of a configuration in the place of the former one, whose users sign in anew; without one, nothing is there.
func (s *Service) openConsole(cfg *config.Config) {
	if s.host == nil || s.host.front == nil {
		return
	}
	var next *window
	if cfg.Console != nil {
		users := make([]console.User, len(cfg.Console.Users))
		for i, u := range cfg.Console.Users {
			users[i] = console.User{Name: u.Name, Role: console.Reader, Token: u.Token}
			if u.Role == "operator" {
				users[i].Role = console.Operator
			}
		}
		o := console.Options{Operations: s.Operations(), Users: users, Log: s.log.With("part", "console"), Now: s.now}
		if cfg.Console.Signin != nil {
			o.People = insiders{s, cfg.Console.Signin}
		}
		c := console.New(o)
		next = &window{c, s.host.front.Replace("/console/", web.Route{Handler: c, Body: largestForm})}
	}
	s.mu.Lock()
	former := s.window
	s.window = next
	s.mu.Unlock()
	if former != nil {
		former.release()
		s.background.Go(former.console.Close) // what was decided there is done to its end
	}
}

// closeConsole ends the console, after what was decided there is done, for some seconds. A run that somebody asked for is cut.
func (s *Service) closeConsole() {
	s.mu.Lock()
	former := s.window
	s.window = nil
	s.mu.Unlock()
	if former != nil {
		former.release()
		former.console.Close()
	}
}

// insiders are those who sign in at a provider and use the console.
type insiders struct {
	service *Service
	who     *config.ConsoleSignin
}

// Who implements console.People.
func (i insiders) Who(r *http.Request) (console.Person, bool, error) {
	i.service.mu.Lock()
	door := i.service.door
	i.service.mu.Unlock()
	if door == nil {
		return console.Person{}, false, nil
	}
	in, ok, err := door.portal.Insider(r, config.ConsoleApp)
	if err != nil || !ok {
		return console.Person{}, false, err
	}
	p := console.Person{Session: in.Session, Key: in.Record, Name: in.Standing.Fields["name"]}
	switch {
	case !slices.Contains(i.who.Providers, in.Provider): // sign-in could not follow a reload, and still lets them in here
	case among(i.who.Operators, &in):
		p.Role = console.Operator
	case among(i.who.Readers, &in):
		p.Role = console.Reader
	}
	return p, true, nil
}

// among reports whether a record has one of the values of a field, or is named by its key.
func among(wanted map[string][]string, in *portal.Insider) bool {
	for field, values := range wanted {
		if field == "key" { // the record's own, and no field that rules call so
			if slices.Contains(values, in.Record) {
				return true
			}
			continue
		}
		if slices.ContainsFunc(in.Standing.Values[field], func(have string) bool { return have != "" && slices.Contains(values, have) }) {
			return true
		}
	}
	return false
}

// Begin implements console.People.
func (i insiders) Begin(to string) string {
	i.service.mu.Lock()
	defer i.service.mu.Unlock()
	if i.service.door == nil {
		return "/console/login"
	}
	return i.service.door.portal.Begin(config.ConsoleApp, to)
}
