package socket

import "time"

// SetBodyTimeout sets how long a request's body may take; before Serve.
func (s *Server) SetBodyTimeout(d time.Duration) { s.bodyTimeout = d }
