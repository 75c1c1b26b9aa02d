package service

import (
	"dirsyncd/sync/config"
	"dirsyncd/sync/console"
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
		c := console.New(console.Options{Operations: s.Operations(), Users: users, Log: s.log.With("part", "console"), Now: s.now})
		next = &window{c, s.host.front.Replace("/console/", web.Route{Handler: c, Body: largestForm})}
	}
	s.mu.Lock()
	former := s.window
	s.window = next
	s.mu.Unlock()
	former.close()
}

// closeConsole ends the console; what was asked for there and is not over is cut.
func (s *Service) closeConsole() {
	s.mu.Lock()
	former := s.window
	s.window = nil
	s.mu.Unlock()
	former.close()
}

func (w *window) close() {
	if w != nil {
		w.release()
		w.console.Close()
	}
}
