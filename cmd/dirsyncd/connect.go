package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"dirsyncd/sync/api"
	"dirsyncd/sync/api/socket"
	"dirsyncd/sync/config"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/spelling"
)

// connect returns the operations: those of the running daemon, or of this process when none runs. done must
// be called at the end.
//
// With a daemon, nothing of the configuration is needed but the path of its socket.
func (cli *cli) connect(ctx context.Context, need access) (ops api.Operations, done func(), err error) {
	path := cli.opts.control
	if path == "" {
		file, err := config.Find(cli.opts.config)
		if err != nil {
			return nil, nil, err
		}
		if path, err = config.ControlSocket(file); err != nil {
			return nil, nil, err
		}
	}
	client, err := cli.dial(ctx, path)
	switch {
	case err == nil:
		client.ActFor(os.Getenv("SUDO_USER"))
		return client, client.Close, nil
	case !errors.Is(err, socket.ErrNoDaemon) || cli.opts.control != "":
		return nil, nil, err
	}
	if need != toCopy { // a copy is read, and goes where root may write
		if err := cli.becomeOwner(); err != nil {
			return nil, nil, err
		}
	}
	load := cli.loadConfig
	if !need.needsSecrets() {
		load = cli.loadBlind
	}
	cfg, err := load()
	if err == nil && cfg.Database != nil && !need.needsSecrets() { // the database asks for one
		cfg, err = cli.loadConfig()
	}
	if err != nil {
		return nil, nil, err
	}
	return cli.local(ctx, cfg, need)
}

// dial reaches the daemon. Who may not use its control socket comes by that of `readers`, where the configuration names one and they may.
func (cli *cli) dial(ctx context.Context, control string) (*socket.Client, error) {
	client, err := socket.Dial(ctx, control)
	if fault.ClassOf(err) != fault.Forbidden || cli.opts.control != "" {
		return client, err
	}
	file, e := config.Find(cli.opts.config)
	if e != nil {
		return nil, err
	}
	readers, e := config.ReadersSocket(file)
	if e != nil || readers == "" {
		return nil, err
	}
	if client, e := socket.Dial(ctx, readers); e == nil {
		return client, nil
	}
	return nil, err
}

// action is what a command does with the operations.
type action func(ctx context.Context, ops api.Operations, args []string) error

// with makes a command's RunE: it connects, calls do, and lets an interrupt end it. A second interrupt cuts.
func (cli *cli) with(need access, do action) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		ctx, stop := interruptible(cmd.Context())
		defer stop()
		ctx = api.WithUser(ctx, operator()) // before root's rights are given up
		ops, done, err := cli.connect(ctx, need)
		if err != nil {
			return err
		}
		defer done()
		return do(ctx, ops, args)
	}
}

func interruptible(ctx context.Context) (context.Context, func()) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	release := context.AfterFunc(ctx, stop) // after the first signal, the second one has its usual effect
	return ctx, func() {
		release()
		stop()
	}
}

// knownConnections complains about names that are no connections.
func knownConnections(ctx context.Context, ops api.Operations, names []string) error {
	if len(names) == 0 {
		return nil
	}
	st, err := ops.Status(ctx)
	if err != nil {
		return err
	}
	var known []string
	for _, c := range st.Connections {
		known = append(known, c.Name)
	}
	for _, c := range st.Unconfigured {
		known = append(known, c.Name) // a plan can look at what is held of them
	}
	return knownAmong(known, names)
}

// knownAmong complains about names that are no connections. What follows a slash names a tenant of one; whether it has such
// a tenant, its source knows.
func knownAmong(known, names []string) error {
	for _, name := range names {
		connection, _, _ := strings.Cut(name, "/")
		if !slices.Contains(known, name) && !slices.Contains(known, connection) {
			return &usageError{fmt.Sprintf("there is no connection %q", name), spelling.Suggest(name, known)}
		}
	}
	return nil
}
