#!/usr/bin/env bash
# Request Tracker 5.0.3 (Debian 12, request-tracker5 5.0.3+dfsg-3~deb12u7), REST 2.
#
# A telephone number has room for 30 characters. A longer one is taken with 200, and the answer quotes the whole of it as the value
# that is there now; the next look finds the first 30 characters. Whoever believes the answer compares for ever with what is not there.
#
# Output seen:
#   sent:     +44 20 7946 0123 extension 4567 (reception)
#   answer:   200 ["User 29: WorkPhone changed from (no value) to '+44 20 7946 0123 extension 4567 (reception)'"]
#   is there: +44 20 7946 0123 extension 456
#
# Needs a Debian 12 with these packages installed: request-tracker5, rt5-db-sqlite and rt5-standalone, each in the version above; curl
# and python3. Configuration, database and everything that is written are in a temporary folder; an installed Request Tracker is neither read nor
# changed. Exits with 1 when the behaviour is another one.
set -euo pipefail

version=5.0.3+dfsg-3~deb12u7
for package in request-tracker5 rt5-db-sqlite rt5-standalone; do
  [[ $(dpkg-query -W -f '${Version}' "$package" 2>/dev/null) == "$version" ]] || { echo "needs $package $version" >&2; exit 2; }
done
work=$(mktemp -d)
server=
trap '[[ -n $server ]] && kill -- -"$server" 2>/dev/null; sleep 1; rm -rf "$work"' EXIT
cd "$work"
mkdir var conf.d
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >RT_SiteConfig.pm <<CONF
use utf8;
Set(\$rtname, 'rt.example.test');
Set(\$Organization, 'rt.example.test');
Set(\$WebDomain, '127.0.0.1');
Set(\$WebPort, $port);
Set(\$DatabaseType, 'SQLite');
Set(\$DatabaseName, '$work/rt.db');
Set(\$MailCommand, 'mbox');
Set(\$LogToSyslog, undef);
Set(\$LogToSTDERR, 'critical');
Set(\$WebSessionClass, 'Apache::Session::File');
\$RT::VarPath = \$RT::MasonDataDir = \$RT::MasonSessionDir = '$work/var';
1;
CONF
cat >data.pl <<'DATA'
our @Users = ({ Name => 'sync', Password => 'finding-secret', Privileged => 1 });
our @ACL = ({ UserId => 'sync', Right => 'SuperUser' });
1;
DATA
export RT_SITE_CONFIG=$work/RT_SiteConfig.pm RT_SITE_CONFIG_DIR=$work/conf.d
rt-setup-database-5 --action init --skip-create >setup.log 2>&1
rt-setup-database-5 --action insert --skip-create --datafile data.pl >>setup.log 2>&1
setsid /usr/share/request-tracker5/libexec/rt-server --port "$port" >server.log 2>&1 &
server=$!
rest=http://127.0.0.1:$port/REST/2.0
ask() { curl -s -u sync:finding-secret -H 'Content-Type: application/json' "$@"; }
for _ in $(seq 300); do ask -f -o /dev/null "$rest/user/sync" && break; sleep 0.2; done

ask -o /dev/null -X POST -d '{"Name": "ann", "EmailAddress": "ann@example.test"}' "$rest/user"
sent='+44 20 7946 0123 extension 4567 (reception)'
answer=$(ask -X PUT -d "{\"WorkPhone\": \"$sent\"}" -w ' %{http_code}' "$rest/user/ann")
there=$(ask "$rest/user/ann" | python3 -c 'import json, sys; print(json.load(sys.stdin)["WorkPhone"])')
echo "sent:     $sent"
echo "answer:   ${answer##* } ${answer% *}"
echo "is there: $there"
[[ $answer == *"$sent"*' 200' && $there == "${sent:0:30}" ]]
