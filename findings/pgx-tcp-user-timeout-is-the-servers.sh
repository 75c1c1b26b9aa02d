#!/usr/bin/env bash
# pgx 5.13.0 (github.com/jackc/pgx/v5, Go) and psql 15.20 (libpq) on PostgreSQL 15.20 (Debian 12, 15.20-0+deb12u1).
#
# `tcp_user_timeout` in a connection string is how long libpq, the client, waits for what it sent to be acknowledged. pgx hands it to the
# server as a setting of the session, and PostgreSQL has one of the same name for its own end: the server gives a silent path up after that
# time, and the client, whose string it is, never does but for the system's patience (TCP_USER_TIMEOUT of its socket stays 0).
# `keepalives_idle` and its like, which libpq takes, keep pgx from connecting: the server knows no such setting.
# Who wants the client's end to notice has to set it in a DialFunc.
#
# Output seen:
#   psql, tcp_user_timeout=5000: the server's is 0
#   pgx, tcp_user_timeout=5000:  the server's is 5000, the client's 0
#   psql, keepalives_idle=7:     connected
#   pgx, keepalives_idle=7:      refused: unrecognized configuration parameter "keepalives_idle" (42704)
#
# Needs a Debian 12 with apt-get, and go with its module proxy. It installs nothing: the packages are unpacked in a temporary folder.
# Exits with 1 when the behaviour is another one.
set -euo pipefail

work=$(mktemp -d)
trap 'if [[ -f $work/data/postmaster.pid ]]; then kill -INT "$(head -1 "$work/data/postmaster.pid")" && sleep 2; fi; rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq postgresql-15=15.20-0+deb12u1 postgresql-client-15=15.20-0+deb12u1 libpq5=15.20-0+deb12u1 libllvm14 libz3-4 libedit2 libbsd0 libmd0 libicu72 libxml2 >/dev/null 2>&1
for deb in *.deb; do dpkg-deb -x "$deb" root; done
lib=$work/root/usr/lib/x86_64-linux-gnu
bin=$work/root/usr/lib/postgresql/15/bin
# PostgreSQL refuses to run as root.
as=()
if [[ $(id -u) == 0 ]]; then
  as=(setpriv --reuid 65534 --regid 65534 --clear-groups)
  chown -R 65534:65534 "$work"
fi
port=$((20000 + RANDOM % 10000))
LD_LIBRARY_PATH=$lib "${as[@]}" "$bin/initdb" -D data -U tester -A trust -L "$work/root/usr/share/postgresql/15" --no-locale --no-sync >/dev/null
LD_LIBRARY_PATH=$lib "${as[@]}" "$bin/pg_ctl" -w -D data -l log -o "-k $work -h 127.0.0.1 -p $port" start >/dev/null

mkdir go
cd go
cat >go.mod <<'MOD'
module finding

go 1.25.0
MOD
cat >main.go <<'GO'
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

func main() {
	conn, err := pgx.Connect(context.Background(), os.Args[1])
	if refused := (*pgconn.PgError)(nil); errors.As(err, &refused) {
		fmt.Printf("refused: %s (%s)\n", refused.Message, refused.Code)
		return
	} else if err != nil {
		panic(err)
	}
	var server string
	if err := conn.QueryRow(context.Background(), "show tcp_user_timeout").Scan(&server); err != nil {
		panic(err)
	}
	raw, err := conn.PgConn().Conn().(*net.TCPConn).SyscallConn()
	if err != nil {
		panic(err)
	}
	client := -1
	const userTimeout = 18 // TCP_USER_TIMEOUT of Linux
	if err := raw.Control(func(fd uintptr) { client, err = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, userTimeout) }); err != nil {
		panic(err)
	}
	fmt.Printf("the server's is %s, the client's %d\n", server, client)
}
GO
go get github.com/jackc/pgx/v5@v5.13.0 >/dev/null 2>&1
go build -o ../pgx .
cd ..

at="host=127.0.0.1 port=$port user=tester dbname=postgres sslmode=disable"
libpq() { LD_LIBRARY_PATH=$lib "$bin/psql" -XqAt "$at $1" -c "$2"; }
one="the server's is $(libpq tcp_user_timeout=5000 'show tcp_user_timeout')"
two=$(./pgx "$at tcp_user_timeout=5000")
three=$(libpq keepalives_idle=7 "select 'connected'")
four=$(./pgx "$at keepalives_idle=7")
echo "psql, tcp_user_timeout=5000: $one"
echo "pgx, tcp_user_timeout=5000:  $two"
echo "psql, keepalives_idle=7:     $three"
echo "pgx, keepalives_idle=7:      $four"
[[ $one == "the server's is 0" && $two == "the server's is 5000, the client's 0" && $three == connected && $four == 'refused: unrecognized configuration parameter "keepalives_idle" (42704)' ]]
