package main

import (
	"context"

	"github.com/spf13/cobra"

	"dirsyncd/sync/api"
)

func newRenameCommand(cli *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rename OLD NEW",
		Short: "give what the state holds of a connection to its new name",
		Long: `After a connection got another name in the configuration: gives everything that
the state holds of it to the new name. At the targets nothing changes: records
keep their keys, which go on to begin with the old name, and so do events. What
the new connection has read is read again; it must not have made records yet.

The daemon must not run: stop it, rename, start it. Of several workers that
share the state none may, on any machine.

Exit codes: 0 renamed, 1 failed or a daemon runs, 2 wrong usage or
configuration, or there is nothing to rename.`,
		Example: `  systemctl stop dirsyncd
  dirsyncd state rename corp-ldap hq-ldap
  systemctl start dirsyncd`,
		Args: takes(2, 2, "the old and the new name"),
	}
	cmd.RunE = cli.with(toChange, func(ctx context.Context, ops api.Operations, args []string) error {
		if err := ops.RenameConnection(ctx, args[0], args[1]); err != nil {
			return err
		}
		if cli.opts.json {
			return cli.out.JSON(struct {
				From string `json:"from"`
				To   string `json:"to"`
			}{args[0], args[1]})
		}
		cli.out.Line("%s is %s now; the keys of its records stay as they are", args[0], args[1])
		return nil
	})
	return cmd
}

func newRetireCommand(cli *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "retire CONNECTION",
		Short: "take away the records of a connection that is gone",
		Long: `After a connection was taken out of the configuration: makes a plan that
deactivates its records at the targets, and holds it. ` + "`dirsyncd approve HASH`" + `
lets it go ahead. When everything was delivered, the state forgets the
connection; should something wait then, the daemon does so with its next start.

` + exitCodesHelp,
		Example: `  dirsyncd state retire old-okta
  dirsyncd plan --offline old-okta
  dirsyncd approve 3f2a9c01d4`,
		Args: takes(1, 1, "a connection that is not configured"),
	}
	cmd.RunE = cli.with(toChange, func(ctx context.Context, ops api.Operations, args []string) error {
		result, err := ops.RetireConnection(ctx, args[0])
		if err != nil {
			return err
		}
		return cli.showResult(result)
	})
	return cmd
}
