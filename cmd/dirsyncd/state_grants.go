package main

import (
	"cmp"
	"errors"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"dirsyncd/store/postgres"
	"dirsyncd/sync/config"
	"dirsyncd/sync/fault"
)

func newGrantsCommand(cli *cli) *cobra.Command {
	var reader string
	cmd := &cobra.Command{
		Use:   "grants",
		Short: "print the SQL for the roles of a state in PostgreSQL",
		Long: `Prints, for a state in PostgreSQL, the statements that make the role of the
configuration and give it what it needs; those for a role that may read
everything and change nothing, for backups, for reports, and for ` + "`status`" + ` on
a machine without a daemon; those that take away what is needed only at the
first start; and that which lets the metrics see who else keeps the database
from clearing away. It asks nobody and needs no password. docs/postgresql.md
says more.

Exit codes: 0 printed, 2 wrong usage or configuration, or the state is a file.`,
		Example: `  dirsyncd state grants
  dirsyncd state grants --reader reporting
  dirsyncd state grants --json | jq -r '.[0].sql[]'`,
		Args: takes(0, 0, ""),
	}
	cmd.RunE = func(*cobra.Command, []string) error {
		cfg, err := cli.loadBlind()
		if err != nil {
			return err
		}
		if cfg.Database == nil {
			return &fault.Error{Class: fault.Configuration, Op: "print grants", Where: cfg.StateName(), Err: errors.New("the state is a file, and has no roles"),
				Hint: "its owner and its mode say who may read it"}
		}
		list, err := grantsOf(cfg.Database, reader)
		if err != nil {
			return err
		}
		if cli.opts.json {
			return cli.out.JSON(list)
		}
		for i, g := range list {
			if i > 0 {
				cli.out.Raw("\n")
			}
			cli.out.Raw("-- " + strings.ReplaceAll(g.For, "\n", "\n-- ") + "\n" + strings.Join(g.SQL, "\n") + "\n")
		}
		return nil
	}
	cmd.Flags().StringVar(&reader, "reader", "", "the name of the `ROLE` that only reads; by default that of the state with _reader")
	return cmd
}

// grants are statements for one purpose, to be executed in their order.
type grants struct {
	For string   `json:"for"`
	SQL []string `json:"sql"`
}

// grantsOf are those of a database that has the state.
func grantsOf(d *config.Database, reader string) ([]grants, error) {
	u, err := url.Parse(d.URL)
	if err != nil { // it was read once
		return nil, err
	}
	role, schema := u.User.Username(), cmp.Or(d.Schema, postgres.DefaultSchema)
	owner, database, only := identifier(role), identifier(strings.Trim(u.Path, "/")), identifier(cmp.Or(reader, role+"_reader"))
	schemas := identifier(schema) + ", " + identifier(schema+workersSuffix)
	return []grants{
		{"Once, before the first start, as a superuser. Leave out what is there already.", []string{
			"CREATE ROLE " + owner + " LOGIN; -- its password: \\password " + owner,
			"GRANT CONNECT, CREATE ON DATABASE " + database + " TO " + owner + ";",
		}},
		{"After the first start of the daemon, in this database: a role that may read everything, which is\nthe directory itself, and change nothing.", []string{
			"CREATE ROLE " + only + " LOGIN;",
			"GRANT CONNECT ON DATABASE " + database + " TO " + only + ";",
			"GRANT USAGE ON SCHEMA " + schemas + " TO " + only + ";",
			"GRANT SELECT ON ALL TABLES IN SCHEMA " + schemas + " TO " + only + ";",
			"GRANT SELECT ON ALL SEQUENCES IN SCHEMA " + schemas + " TO " + only + "; -- for pg_dump",
			"ALTER DEFAULT PRIVILEGES FOR ROLE " + owner + " IN SCHEMA " + schemas + " GRANT SELECT ON TABLES TO " + only + ";",
			"ALTER DEFAULT PRIVILEGES FOR ROLE " + owner + " IN SCHEMA " + schemas + " GRANT SELECT ON SEQUENCES TO " + only + ";",
		}},
		{"After the first start of the daemon, where its role is to make no schemas: it starts and works as before.\n`plan`, and whatever else works on a copy of the state, needs the right and says so then.", []string{
			"REVOKE CREATE ON DATABASE " + database + " FROM " + owner + ";",
		}},
		{"As a superuser, where dirsyncd_database_oldest_snapshot_seconds is to know of transactions of other roles, too.\nThe role sees then what everybody on this server asks.", []string{
			"GRANT pg_read_all_stats TO " + owner + ";",
		}},
	}, nil
}

// identifier writes a name as SQL has it.
func identifier(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
