#!/usr/bin/env bash
# Filters of SCIM (RFC 7644 section 3.4.2.2: values are JSON, so a quotation mark in one is written as \"), as three libraries read
# them: scim2/filter-parser v2.3.1 (Go; what elimity-com/scim is made with), scimmy 1.3.5 and scim2-parse-filter 0.2.10 (npm).
#
# The value of  userName eq "a\"b"  should be  a"b .
#
# Output seen:
#   filter-parser: a\"b
#   scimmy: error
#   scim2-parse-filter: a"b
#
# The first compares with another text than was asked for and finds nobody, the second refuses the filter. Needs go and npm with
# their registries. Exits with 1 when the behaviour is another one.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

mkdir go
cd go
cat >go.mod <<MOD
module finding

go 1.24
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"

	filter "github.com/scim2/filter-parser/v2"
)

func main() {
	e, err := filter.ParseFilter([]byte(`userName eq "a\"b"`))
	if err != nil {
		fmt.Println("error")
		return
	}
	fmt.Println(e.(*filter.AttributeExpression).CompareValue)
}
GO
go get github.com/scim2/filter-parser/v2@v2.3.1 >/dev/null 2>&1
first=$(go run .)
cd ..

mkdir js
cd js
npm init -y >/dev/null
npm install --silent --no-audit --no-fund scimmy@1.3.5 scim2-parse-filter@0.2.10 >/dev/null 2>&1
cat >run.mjs <<'JS'
import SCIMMY from "scimmy";
import {parse} from "scim2-parse-filter";

const text = String.raw`userName eq "a\"b"`;
const show = (read) => {
  try {
    return read();
  } catch {
    return "error";
  }
};
console.log(show(() => new SCIMMY.Types.Filter(text)[0].userName[1]));
console.log(show(() => parse(text).compValue));
JS
mapfile -t rest < <(node run.mjs)

printf 'filter-parser: %s\nscimmy: %s\nscim2-parse-filter: %s\n' "$first" "${rest[0]}" "${rest[1]}"
[[ $first == 'a\"b' && ${rest[0]} == error && ${rest[1]} == 'a"b' ]]
