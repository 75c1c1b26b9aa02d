package tour

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/xuri/excelize/v2"

	"dirsyncd/sync/api"
)

const spreadsheetConfig = `
  crm:
    connector: files
    schedule: "@every 1m"
    mapping: crm
    targets: [journal]
    import: {mode: sync}   # its events are marked, so that a desk can keep its automations quiet
    files:
      folder: crm
      settle: 0s           # a real one: 10s, so that a file that is being written is left alone
      kinds:
        customer: {file: crm.xlsx, sheets: [Customers], key: Number, columns: {name: Customer, reference: Number, domain: Mail domain}}
        site: {file: crm.xlsx, sheets: [Sites], key: Number, columns: {name: Site, customer: Customer, city: City, created: Opened}}

mappings:
  crm:
    customers:
      - name: customers
        customer: {number: = reference, domain: = domain}
    sites:
      - name: sites
        site: {customer: = customer.name, city: = city, opened: = created}
    fields:
      customer: {name: = name}
      site: {name: = name}
`

// spreadsheet has customers and sites from a workbook join. One row of it is wrong, and is corrected.
func (t *tour) spreadsheet(ctx context.Context) error {
	t.title("A spreadsheet", "Sales keeps customers and their sites in a workbook. It is read like any other\n"+
		"   source: customers reach the desk before their sites. One day is no day.")
	if err := os.MkdirAll(t.path("crm"), 0o700); err != nil {
		return err
	}
	if err := t.writeWorkbook("next spring"); err != nil {
		return err
	}
	if err := t.addConnection(ctx, spreadsheetConfig, nil); err != nil {
		return err
	}
	run, err := t.syncOne(ctx, "crm")
	if err != nil {
		return err
	}
	if err := expect("all rows but one join", run.Outcome == "parked" && run.Counts["customer"]["create"] == 2 && run.Counts["site"]["create"] == 2); err != nil {
		return err
	}
	t.Out.Line("     Every event says that it is of an import, for automations that are to keep quiet.")
	parked, err := t.ops.Parked(ctx)
	if err != nil {
		return err
	}
	t.Out.Line("   $ dirsyncd parked list")
	for _, p := range parked {
		t.Out.Para("     ", p.Connection+": "+p.Reason)
	}
	if err := expect("the row is parked with its place", len(parked) == 1 && strings.Contains(parked[0].Reason, "Opened")); err != nil {
		return err
	}
	t.Out.Line("   Sales corrects the row:")
	if err := t.writeWorkbook("2026-04-01"); err != nil {
		return err
	}
	run, err = t.syncOne(ctx, "crm")
	if err != nil {
		return err
	}
	return expect("the corrected row joins", run.Outcome == "clean" && run.Counts["site"]["create"] == 1)
}

// writeWorkbook writes the workbook, in which the last site was opened on some day.
func (t *tour) writeWorkbook(day string) error {
	f := excelize.NewFile()
	defer func() { _ = f.Close() }()
	if err := f.SetSheetName("Sheet1", "Customers"); err != nil {
		return err
	}
	if _, err := f.NewSheet("Sites"); err != nil {
		return err
	}
	for sheet, rows := range map[string][][]any{
		"Customers": {{"Number", "Customer", "Mail domain"}, {"0042", "Harbour View Hotel", "harbourview.example"}, {"0043", "Hill Farm Foods", "hillfarm.example"}},
		"Sites": {
			{"Number", "Customer", "Site", "City", "Opened"}, {"S-1", "0042", "Dock 4", "Hull", "2019-05-01"},
			{"S-2", "0043", "Creamery", "Settle", "2021-12-31"}, {"S-3", "0043", "Farm shop", "Skipton", day},
		},
	} {
		for i, row := range rows {
			if err := f.SetSheetRow(sheet, fmt.Sprintf("A%d", i+1), &row); err != nil {
				return err
			}
		}
	}
	return f.SaveAs(t.path("crm/crm.xlsx"))
}

// addConnection adds connections and mappings to the configuration, with the files that they need, and opens the state anew.
func (t *tour) addConnection(ctx context.Context, more string, files map[string][]byte) error {
	text, err := os.ReadFile(t.path("config.yaml"))
	if err != nil {
		return err
	}
	all := strings.Replace(string(text), "\nmappings:\n", more, 1)
	if err := os.WriteFile(t.path("config.yaml"), []byte(all), 0o600); err != nil {
		return err
	}
	for name, data := range files {
		if err := os.WriteFile(t.path(name), data, 0o600); err != nil {
			return err
		}
	}
	t.done()
	t.done = nil
	cfg, err := t.Load(t.path("config.yaml"))
	if err != nil {
		return err
	}
	t.ops, t.done, err = t.Open(ctx, cfg)
	return err
}

// syncOne syncs one connection of several.
func (t *tour) syncOne(ctx context.Context, connection string) (api.Run, error) {
	return t.syncOf(ctx, api.SyncRequest{Connections: []string{connection}}, " "+connection)
}
