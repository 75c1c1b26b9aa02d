#!/usr/bin/env bash
# Request Tracker 5.0.3 (Debian 12, request-tracker5 5.0.3+dfsg-3~deb12u7), REST 2.
#
# A user is disabled by  PUT /user/NAME {"Disabled": 1}. JSON has a word for that, true. With it the answer is a 200 as well, whose
# list of texts is empty, and the user stays in use. Whoever goes by the status takes the account for closed.
#
# Output seen:
#   Disabled: true  answers 200 [], and the user is in use
#   Disabled: 1     answers 200 ["User disabled"], and the user is disabled
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

put() { ask -X PUT -d "$1" -w ' %{http_code}' "$rest/user/ann"; }
state() { ask "$rest/user/ann" | python3 -c 'import json, sys; print("disabled" if str(json.load(sys.stdin)["Disabled"]) == "1" else "in use")'; }
ask -o /dev/null -X POST -d '{"Name": "ann", "EmailAddress": "ann@example.test"}' "$rest/user"
said() { echo "${1##* } ${1% *}"; }

first=$(put '{"Disabled": true}') first_state=$(state)
second=$(put '{"Disabled": 1}') second_state=$(state)
echo "Disabled: true  answers $(said "$first"), and the user is $first_state"
echo "Disabled: 1     answers $(said "$second"), and the user is $second_state"
[[ $first == *' 200' && $first_state == 'in use' && $second == *' 200' && $second_state == disabled ]]
