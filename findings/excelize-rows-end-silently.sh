#!/usr/bin/env bash
# github.com/xuri/excelize/v2 v2.11.1 (Go module), the streaming reader Rows.
#
# A sheet whose XML breaks off in the middle of a row, in an archive that is whole, is read as a shorter sheet: Next returns false,
# Columns, Error and Close return no error. Whoever takes what is missing from a sheet for gone removes everybody behind the break.
#
# Output seen:
#   rows read: 2 of 4
#   error: <nil>
#   closed with: <nil>
#
# Needs Go 1.26 and the Go module proxy. Exits with 1 when the behaviour is another one.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >go.mod <<MOD
module finding
go 1.26.0
require github.com/xuri/excelize/v2 v2.11.1
MOD
cat >main.go <<'GO'
package main

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"os"

	"github.com/xuri/excelize/v2"
)

func main() {
	f := excelize.NewFile()
	for i := 1; i <= 4; i++ {
		_ = f.SetCellValue("Sheet1", fmt.Sprintf("A%d", i), fmt.Sprint("person ", i))
	}
	var whole, broken bytes.Buffer
	_ = f.Write(&whole)
	in, _ := zip.NewReader(bytes.NewReader(whole.Bytes()), int64(whole.Len()))
	out := zip.NewWriter(&broken)
	for _, part := range in.File {
		r, _ := part.Open()
		data, _ := io.ReadAll(r)
		if part.Name == "xl/worksheets/sheet1.xml" {
			data = data[:bytes.Index(data, []byte(`<c r="A3"`))+5]
		}
		w, _ := out.Create(part.Name)
		_, _ = w.Write(data)
	}
	_ = out.Close()

	f, err := excelize.OpenReader(&broken)
	if err != nil {
		fmt.Println("open:", err)
		os.Exit(1)
	}
	rows, err := f.Rows("Sheet1")
	if err != nil {
		fmt.Println("rows:", err)
		os.Exit(1)
	}
	n := 0
	var failed error
	for rows.Next() {
		cells, err := rows.Columns()
		if err != nil {
			failed = err
		}
		if len(cells) > 0 {
			n++
		}
	}
	if failed == nil {
		failed = rows.Error()
	}
	closed := rows.Close()
	fmt.Printf("rows read: %d of 4\nerror: %v\nclosed with: %v\n", n, failed, closed)
	if n >= 4 || failed != nil || closed != nil {
		os.Exit(1)
	}
}
GO
GOFLAGS=-mod=mod go run . 2>&1 | grep -v '^go: '
