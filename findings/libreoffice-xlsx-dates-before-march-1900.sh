#!/usr/bin/env bash
# LibreOffice Calc 7.4.7 (Debian 12, libreoffice-calc 4:7.4.7-1+deb12u14), written as .xlsx.
#
# 28 February 1900 is written as day 60. In the format (ECMA-376 part 1, 18.17.4.1) day 60 is 29 February 1900, a day that never was, and 28
# February is day 59. From 1 March on both count alike. A day before that which Excel has written, and one that LibreOffice has
# written, are told apart by nothing in the file.
#
# Output seen:
#   1900-02-28 is day 60
#   1900-03-01 is day 61
#
# Needs a Debian 12 with libreoffice-calc (soffice) and unzip installed. Exits with 1 when the behaviour is another one.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
printf 'a,b\n1900-02-28,1900-03-01\n' >days.csv
HOME=$work soffice --headless --infilter='CSV:44,34,UTF8,1,1/5/2/5' --convert-to xlsx days.csv >/dev/null 2>&1
sheet=$(unzip -p days.xlsx xl/worksheets/sheet1.xml)
day() { grep -o "r=\"$1\"[^>]*><v>[0-9]*" <<<"$sheet" | grep -o '[0-9]*$'; }
echo "1900-02-28 is day $(day A2)"
echo "1900-03-01 is day $(day B2)"
[[ $(day A2) == 60 && $(day B2) == 61 ]]
