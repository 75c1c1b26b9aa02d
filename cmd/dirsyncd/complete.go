package main

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/api"
	"dirsyncd/sync/api/socket"
	"dirsyncd/sync/config"
)

// completeTimeout is how long a slow daemon may keep the operator's shell waiting.
const completeTimeout = 2 * time.Second

type (
	completions = []cobra.Completion
	directive   = cobra.ShellCompDirective
)

const noFiles = cobra.ShellCompDirectiveNoFileComp

// daemonOnly asks the running daemon, if there is one: completion never opens the state by itself.
func (cli *cli) daemonOnly(ctx context.Context, ask func(context.Context, api.Operations)) {
	ctx, cancel := context.WithTimeout(ctx, cli.completing)
	defer cancel()
	path := cli.opts.control
	if file, err := config.Find(cli.opts.config); path == "" && err == nil {
		path, _ = config.ControlSocket(file)
	}
	if path == "" {
		return
	}
	client, err := socket.Dial(ctx, path)
	if err != nil {
		return
	}
	defer client.Close()
	ask(ctx, client)
}

// completeConnections completes names of connections that the line does not have yet.
func (cli *cli) completeConnections(_ *cobra.Command, args []string, _ string) (completions, directive) {
	var names completions
	if cfg, err := cli.loadBlind(); err == nil {
		for _, c := range cfg.Connections {
			names = append(names, cobra.CompletionWithDesc(c.Name, c.Connector))
		}
	} else {
		cli.daemonOnly(context.Background(), func(ctx context.Context, ops api.Operations) {
			st, _ := ops.Status(ctx)
			for _, c := range st.Connections {
				names = append(names, cobra.CompletionWithDesc(c.Name, c.Connector))
			}
		})
	}
	return without(names, args), noFiles
}

// completeConnection completes one name.
func (cli *cli) completeConnection(cmd *cobra.Command, args []string, word string) (completions, directive) {
	if len(args) > 0 {
		return nil, noFiles
	}
	return cli.completeConnections(cmd, args, word)
}

// completeAfterFirst completes connections after an argument that only the operator knows.
func (cli *cli) completeAfterFirst(cmd *cobra.Command, args []string, word string) (completions, directive) {
	if len(args) == 0 {
		return nil, noFiles
	}
	return cli.completeConnections(cmd, args[1:], word)
}

// completeTargetThenConnections completes a target, then connections.
func (cli *cli) completeTargetThenConnections(cmd *cobra.Command, args []string, word string) (completions, directive) {
	if len(args) > 0 {
		return cli.completeConnections(cmd, args[1:], word)
	}
	var names completions
	if cfg, err := cli.loadBlind(); err == nil {
		for _, t := range cfg.Targets {
			names = append(names, cobra.CompletionWithDesc(t.Name, t.Target))
		}
	}
	return names, noFiles
}

// completeHashes completes hashes of held plans.
func (cli *cli) completeHashes(_ *cobra.Command, args []string, _ string) (completions, directive) {
	var hashes completions
	if len(args) > 0 {
		return nil, noFiles
	}
	cli.daemonOnly(context.Background(), func(ctx context.Context, ops api.Operations) {
		st, _ := ops.Status(ctx)
		for _, c := range st.Connections {
			for _, t := range c.Tenants {
				if t.Held != nil {
					where := place(c.Name, t.Tenant, t.Name)
					hashes = append(hashes, cobra.CompletionWithDesc(t.Held.Hash, where))
				}
			}
		}
		for _, c := range st.Unconfigured {
			for _, t := range c.Tenants {
				if t.Held != nil {
					hashes = append(hashes, cobra.CompletionWithDesc(t.Held.Hash, place(c.Name, t.Tenant, t.Name)))
				}
			}
		}
	})
	return hashes, noFiles
}

// completeParked completes ids of parked items.
func (cli *cli) completeParked(_ *cobra.Command, args []string, _ string) (completions, directive) {
	var ids completions
	cli.daemonOnly(context.Background(), func(ctx context.Context, ops api.Operations) {
		items, _ := ops.Parked(ctx)
		for _, item := range items {
			ids = append(ids, cobra.CompletionWithDesc(item.ID, term.CutShort(term.Clean(item.Subject), 40)))
		}
	})
	return without(ids, args), noFiles
}

// completeKinds completes the kinds of record that `why` explains.
func completeKinds(_ *cobra.Command, args []string, _ string) (completions, directive) {
	if len(args) > 0 {
		return nil, noFiles
	}
	return api.ExplainedKinds(), noFiles
}

// without leaves out what the line has already. A completion may have a description after a tab.
func without(list completions, args []string) completions {
	return slices.DeleteFunc(list, func(c cobra.Completion) bool {
		for _, a := range args {
			if c == a || len(c) > len(a) && c[:len(a)] == a && c[len(a)] == '\t' {
				return true
			}
		}
		return false
	})
}
