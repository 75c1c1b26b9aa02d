#!/usr/bin/env bash
# Redmine 5.0.4 (Debian 12, redmine 5.0.4-5+deb12u1), REST API.
#
# GET /users.json lists active users. The parameter status asks for others: 1 active, 2 registered, 3 locked, and empty for all.
# "*", which elsewhere in this API means any (issues.json?status_id=*), answers 200 with nobody, and a total of 0. Whoever takes it for all has
# an empty list with an honest total, which looks like a Redmine without users.
#
# Output seen (administrator, one locked user, and the anonymous one of each Redmine, who is never listed):
#   status absent: 1
#   status=:       2
#   status=3:      1
#   status=*:      0, with 200
#
# Needs a Debian 12 with these packages installed: redmine and redmine-sqlite 5.0.4-5+deb12u1, puma 5.6.5-3+deb12u2; curl and
# python3. Configuration, database and everything that is written are in a temporary folder; an installed Redmine is neither read nor
# changed. Exits with 1 when the behaviour is another one.
set -euo pipefail

for package in redmine=5.0.4-5+deb12u1 redmine-sqlite=5.0.4-5+deb12u1 puma=5.6.5-3+deb12u2; do
  [[ $(dpkg-query -W -f '${Version}' "${package%%=*}" 2>/dev/null) == "${package#*=}" ]] || { echo "needs $package" >&2; exit 2; }
done
work=$(mktemp -d)
server=
trap '[[ -n $server ]] && kill -- -"$server" 2>/dev/null; sleep 1; rm -rf "$work"' EXIT
mkdir "$work"/{config,log,tmp,files}
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$work/Gemfile" <<'GEMS'
eval_gemfile '/usr/share/redmine/Gemfile'
gem 'sqlite3', '~> 1.4.0', platforms: [:mri, :mingw, :x64_mingw]
GEMS
echo "production: {adapter: sqlite3, database: $work/redmine.db, timeout: 60000}" >"$work/config/database.yml"
echo "of-the-finding-of-the-finding-of-the-finding-of-the-finding-of-the-finding" >"$work/config/secret_key.txt"
# An instance is a folder below /var/lib/redmine; from there it is led to ours.
export RAILS_ENV=production HOME=$work TMPDIR=$work BUNDLE_GEMFILE=$work/Gemfile SCHEMA=$work/schema.rb REDMINE_INSTANCE=../../../../../../../..$work
cd /usr/share/redmine
rake db:migrate >"$work/setup.log" 2>&1
key=0fa11cadec0de0fa11cadec0de0fa11cadec0de0
python3 - "$work/redmine.db" "$key" <<'SQL'
import sqlite3, sys

db = sqlite3.connect(sys.argv[1])
db.executescript(f"""
INSERT INTO settings (name, value, updated_on) VALUES ('rest_api_enabled', '1', '2026-01-01');
UPDATE users SET must_change_passwd = 0 WHERE login = 'admin';
INSERT INTO tokens (user_id, action, value, created_on, updated_on) SELECT id, 'api', '{sys.argv[2]}', '2026-01-01', '2026-01-01' FROM users WHERE login = 'admin';
""")
SQL
setsid puma -b "tcp://127.0.0.1:$port" -t 1:1 -w 0 -e production config.ru >"$work/server.log" 2>&1 &
server=$!
ask() { curl -s -H "X-Redmine-API-Key: $key" -H 'Content-Type: application/json' "$@"; }
url=http://127.0.0.1:$port
for _ in $(seq 300); do ask -f -o /dev/null "$url/users/current.json" && break; sleep 0.2; done

ask -o /dev/null -X POST "$url/users.json" \
  -d '{"user": {"login": "ann", "firstname": "Ann", "lastname": "Example", "mail": "ann@example.test", "generate_password": true, "status": 3}}'
id=$(ask "$url/users.json?status=&name=ann" | python3 -c 'import json, sys; print(json.load(sys.stdin)["users"][0]["id"])')
ask -o /dev/null -X PUT "$url/users/$id.json" -d '{"user": {"status": 3}}'

total() { ask "$url/users.json$1" | python3 -c 'import json, sys; a = json.load(sys.stdin); assert len(a["users"]) == a["total_count"]; print(a["total_count"])'; }
absent=$(total '') all=$(total '?status=') locked=$(total '?status=3') star=$(total '?status=*') code=$(ask -o /dev/null -w '%{http_code}' "$url/users.json?status=*")
echo "status absent: $absent"
echo "status=:       $all"
echo "status=3:      $locked"
echo "status=*:      $star, with $code"
[[ $absent == 1 && $all == 2 && $locked == 1 && $star == 0 && $code == 200 ]]
