package service

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"dirsyncd/sync/fault"
)

// health is how others see that the daemon works.
type health struct {
	log     *slog.Logger
	metrics http.Handler
	healthy func(context.Context) error
	ready   func() bool
}

// listen answers /metrics, /healthz and /readyz at an address until stop is called. It returns when listening has begun;
// an empty address listens nowhere.
func (h health) listen(ctx context.Context, address string) (stop func(), err error) {
	if address == "" {
		return func() {}, nil
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		e := &fault.Error{Class: fault.Configuration, Op: "listen", Where: address, Err: err,
			Hint: "set `listen` to a free address, or to \"\" for none"}
		if errors.Is(err, syscall.EADDRINUSE) {
			e.Class = fault.Transient // whoever has it may go, as a former process of ours does
			e.Hint = "another process listens there: stop it, or set `listen` to a free address, or to \"\" for none"
		}
		return nil, e
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", h.metrics)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) { answer(w, h.healthy(r.Context())) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		err := h.healthy(r.Context())
		if err == nil && !h.ready() {
			err = errors.New("starting or stopping")
		}
		answer(w, err)
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			h.log.Error("the health and metrics listener ended", "address", address, "err", err)
		}
	}()
	return func() { _ = server.Close() }, nil
}

func answer(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(err.Error() + "\n"))
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

func first(names []string) []string { return names[:min(len(names), 1)] }

// healthy reports whether the state can be read, in good time.
func (s *Service) healthy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err := s.store.Partitions(ctx, first(s.current().names())...) // one tells as much as all
	return err
}
