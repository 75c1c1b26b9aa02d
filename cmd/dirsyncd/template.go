package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"dirsyncd/connectors/files"
	"dirsyncd/sync/fault"
)

func newTemplateCommand(cli *cli) *cobra.Command {
	var kind, connection string
	cmd := &cobra.Command{
		Use:   "template FILE.csv|FILE.xlsx",
		Short: "write a file to fill in: customers, sites, people, assets, …",
		Long: `Writes a file to fill in, with a column for everything that a row can say, help
for each of them, and an example. Help and example are no rows: in a CSV file
they stand in comments before the header, in a workbook on a sheet of their own.

The file's name says what its rows are (customers.csv, acme-sites.xlsx), or
--kind does: customer, site, person, group, member, licence, device. With
--connection the columns are called as that connection's layout calls them.

A file that is there already is left alone. No source is asked, and the state is
left alone.

Exit codes: 0 written, 1 it could not be, 2 wrong usage or configuration.`,
		Example: `  dirsyncd template customers.xlsx
  dirsyncd template acme-2026.csv --kind site
  dirsyncd template people.csv --connection crm-export`,
		Args: takes(1, 1, "the file to write"),
		ValidArgsFunction: func(*cobra.Command, []string, string) (completions, directive) {
			return completions{"csv", "xlsx"}, cobra.ShellCompDirectiveFilterFileExt
		},
	}
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		file := args[0]
		format := strings.TrimPrefix(strings.ToLower(filepath.Ext(file)), ".")
		if format != "csv" && format != "xlsx" {
			return &usageError{"the name of the file says no form that can be filled in", "end it with .csv or .xlsx"}
		}
		block, err := cli.filesBlock(connection)
		if err != nil {
			return err
		}
		kind, err := kindOfFile(file, kind, block)
		if err != nil {
			return err
		}
		columns := files.Template(kind, block)
		var text bytes.Buffer
		if err := files.WriteTemplate(&text, format, kind, columns); err != nil {
			return err
		}
		if err := writeNew(file, text.Bytes()); err != nil {
			return err
		}
		return cli.showTemplate(file, kind, columns)
	}
	flags := cmd.Flags()
	flags.StringVar(&kind, "kind", "", "what the rows `are` (default: as the file's name says)")
	flags.StringVar(&connection, "connection", "", "the `name` of a connection whose layout holds")
	return cmd
}

// writeNew writes a file that is not there yet.
func writeNew(file string, data []byte) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644) //nolint:gosec // it holds nothing, and others fill it in
	if errors.Is(err, fs.ErrExist) {
		return &usageError{file + " is there already", "it is left alone; give another name, or remove it"}
	}
	if err != nil {
		return &fault.Error{Class: fault.Internal, Op: "template", Where: file, Err: errors.Unwrap(err), Hint: "may this user write there?"}
	}
	if _, err := f.Write(data); err != nil {
		return errors.Join(err, f.Close(), os.Remove(file))
	}
	return f.Close()
}

func (cli *cli) showTemplate(file, kind string, columns []files.TemplateColumn) error {
	if cli.opts.json {
		type column struct {
			Name    string `json:"name"`
			Help    string `json:"help"`
			Example string `json:"example,omitempty"`
		}
		answer := struct {
			File    string   `json:"file"`
			Kind    string   `json:"kind"`
			Columns []column `json:"columns"`
		}{File: file, Kind: kind}
		for _, c := range columns {
			answer.Columns = append(answer.Columns, column(c))
		}
		return cli.out.JSON(answer)
	}
	cli.out.Line("%s: one row for each %s, %d columns", file, kind, len(columns))
	cli.out.Hint("fill it in, then: dirsyncd preview " + file)
	return nil
}
