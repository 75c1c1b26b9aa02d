#!/usr/bin/env bash
# PostgreSQL 15.20 (Debian 12, postgresql-15 15.20-0+deb12u1), with the settings that it comes with (`jit` is on, `jit_above_cost` 100000).
#
# `enable_seqscan = off` has the server compile statements over tables of one row. The setting forbids nothing: it adds
# 10,000,000,000 to the cost of a whole scan, and where there is no other way the statement's cost is above every limit
# from which on it is compiled, with inlining and optimization. A session that turns whole scans off to have its look-ups
# by an index pays that for each execution of each statement that reads something without an index, also of a view such as
# pg_stat_activity. `jit = off` mends it.
#
# Output seen:
#   whole scans on:           not compiled, 0.1 ms
#   whole scans off:          compiled, 704.3 ms (two busy CPUs)
#   whole scans off, jit off: not compiled, 0.1 ms
#
# Needs a Debian 12 with apt-get. It installs nothing: the packages are unpacked in a temporary folder. Exits with 1 when the
# behaviour is another one.
set -euo pipefail

work=$(mktemp -d)
trap 'if [[ -f $work/data/postmaster.pid ]]; then kill -INT "$(head -1 "$work/data/postmaster.pid")" && sleep 2; fi; rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq postgresql-15=15.20-0+deb12u1 postgresql-client-15=15.20-0+deb12u1 libpq5=15.20-0+deb12u1 libllvm14 libz3-4 libedit2 libbsd0 libmd0 libicu72 libxml2 >/dev/null 2>&1
for deb in *.deb; do dpkg-deb -x "$deb" root; done
export LD_LIBRARY_PATH=$work/root/usr/lib/x86_64-linux-gnu
bin=$work/root/usr/lib/postgresql/15/bin
# PostgreSQL refuses to run as root.
as=()
if [[ $(id -u) == 0 ]]; then
  as=(setpriv --reuid 65534 --regid 65534 --clear-groups)
  chown -R 65534:65534 "$work"
fi
"${as[@]}" "$bin/initdb" -D data -U tester -A trust -L "$work/root/usr/share/postgresql/15" --no-locale --no-sync >/dev/null
"${as[@]}" "$bin/pg_ctl" -w -D data -l log -o "-k $work -h ''" start >/dev/null

# look SETTINGS: whether the statement is compiled, and how long it takes in ms
look() {
  "$bin/psql" -XqAt -h "$work" -U tester -d postgres -c "$1" \
    -c "explain (analyze, timing off) select count(*) from pg_stat_activity a join one o on o.name = a.application_name where o.name <> ''" >plan
  echo "$(grep -q '^JIT' plan && echo compiled || echo not compiled), $(sed -n 's/^Execution Time: \([0-9]*\.[0-9]\).*/\1/p' plan) ms"
}
"$bin/psql" -Xq -h "$work" -U tester -d postgres -c "create table one (name text); insert into one values ('x')"
"$bin/psql" -XAt -h "$work" -U tester -d postgres -c 'select version()'
on=$(look "set jit = on")
off=$(look "set enable_seqscan = off")
mended=$(look "set enable_seqscan = off; set jit = off")
echo "whole scans on:           $on"
echo "whole scans off:          $off"
echo "whole scans off, jit off: $mended"
[[ $on == not* && $off == compiled* && $mended == not* ]]
