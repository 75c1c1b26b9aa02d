package service

import (
	"context"
	"strings"

	"dirsyncd/connectors"
	"dirsyncd/sync/api"
)

// asks reports whether a connection leaves something to a human (connectors.Asker).
func (s *Service) asks(name string) bool {
	c := s.current().connections[name]
	if c == nil {
		return false
	}
	_, ok := c.Source.(connectors.Asker)
	return ok
}

// questions lists what connections leave to a human: the one that is named, or all.
func (s *Service) questions(ctx context.Context, name string) (out []api.Match, err error) {
	for _, connection := range s.current().names() {
		if name != "" && connection != name || !s.asks(connection) {
			continue
		}
		conn, done, err := s.use(connection)
		if err != nil {
			return nil, err
		}
		list, err := s.engine.Questions(ctx, &conn.Connection)
		done()
		if err != nil {
			return nil, err
		}
		for i := range list {
			q := &list[i]
			m := api.Match{ID: connection + ":" + q.Subject, Connection: connection, Subject: q.Subject, Kind: q.Kind.String(), Cause: q.Cause,
				Reason: q.Reason, Since: q.Since, Fingerprint: q.Fingerprint}
			for _, c := range q.Candidates {
				m.Candidates = append(m.Candidates, api.Candidate{ID: c.ID, Name: c.Name, Key: c.Key})
			}
			out = append(out, m)
		}
	}
	return out, nil
}

// decideOf finds the connection that a decision is about; empty when it is about a target. What waits at a target has a
// number, and what a connection asks about has a path.
func (s *Service) decideOf(by *api.MatchDecision) (connection, subject string) {
	connection, subject = by.Target, by.Subject
	if by.Verdict != "undo" {
		connection, subject, _ = strings.Cut(by.ID, ":")
	}
	if !strings.Contains(subject, "/") || !s.asks(connection) || by.Verdict == "undo" && s.current().targets[connection] != nil {
		return "", ""
	}
	return connection, subject
}

// decideAt tells a connection what a human says, and runs it.
func (s *Service) decideAt(ctx context.Context, connection, subject string, by api.MatchDecision) (string, error) {
	conn, done, err := s.use(connection)
	if err != nil {
		return "", err
	}
	err = s.engine.Decide(ctx, &conn.Connection, connectors.Decision{Subject: subject, Verdict: by.Verdict, Candidate: by.Candidate, Fingerprint: by.Fingerprint, At: s.now().UTC()})
	done()
	if err != nil {
		return "", err
	}
	_, err = s.Sync(ctx, api.SyncRequest{Connections: []string{connection}}, nil)
	return subject, err
}
