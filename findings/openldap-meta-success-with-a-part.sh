#!/usr/bin/env bash
# OpenLDAP 2.5.13 (Debian 12, slapd 2.5.13+dfsg-5), back-meta in front of two servers.
#
# While one of the two servers is down, a search of the whole suffix ends with success and holds the entries of the other one
# alone. Nothing in the answer tells it from that of a smaller directory.
#
# Output seen:
#   both up: result 0, people 4
#   one down: result 0, people 2
#
# Needs a Debian 12 with apt-get. It installs nothing: the packages are unpacked in a temporary folder. Exits with 1 when the
# behaviour is another one.
set -euo pipefail

work=$(mktemp -d)
trap 'for p in "$work"/*.pid; do [[ -f $p ]] && kill "$(cat "$p")" 2>/dev/null; done; sleep 1; rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq slapd=2.5.13+dfsg-5 ldap-utils=2.5.13+dfsg-5 libldap-2.5-0=2.5.13+dfsg-5 libodbc2 libltdl7 libsasl2-2 >/dev/null 2>&1
for deb in *.deb; do dpkg-deb -x "$deb" root; done
export LD_LIBRARY_PATH=$work/root/usr/lib/x86_64-linux-gnu PATH=$work/root/usr/sbin:$work/root/usr/bin:$PATH

preamble() {
  cat <<CONF
include $work/root/etc/ldap/schema/core.schema
include $work/root/etc/ldap/schema/cosine.schema
include $work/root/etc/ldap/schema/inetorgperson.schema
pidfile $work/$1.pid
modulepath $work/root/usr/lib/ldap
CONF
}
address() { echo "ldapi://${work//\//%2F}%2F$1.socket"; }
serve() { # serve NAME
  slapd -f "$1.conf" -h "$(address "$1")"
  for _ in $(seq 50); do [[ -S $1.socket ]] && break; sleep 0.1; done
}
for side in a b; do
  mkdir "$side"
  { preamble "$side"; printf 'moduleload back_mdb\ndatabase mdb\ndirectory %s\nsuffix ou=%s,dc=example,dc=test\nrootdn cn=admin,dc=example,dc=test\n' "$work/$side" "$side"
    printf 'access to * by * read\n'; } >"$side.conf"
  {
    printf 'dn: ou=%s,dc=example,dc=test\nobjectClass: organizationalUnit\nou: %s\n\n' "$side" "$side"
    for n in 1 2; do
      printf 'dn: uid=%s%d,ou=%s,dc=example,dc=test\nobjectClass: inetOrgPerson\nuid: %s%d\ncn: x\nsn: x\n\n' "$side" "$n" "$side" "$side" "$n"
    done
  } | slapadd -q -f "$side.conf"
  serve "$side"
done
{
  preamble meta
  printf 'moduleload back_ldap\nmoduleload back_meta\ndatabase meta\nsuffix dc=example,dc=test\n'
  for side in a b; do printf 'uri "%s/ou=%s,dc=example,dc=test"\n' "$(address "$side")" "$side"; done
} >meta.conf
serve meta

ask() {
  local result=0
  ldapsearch -x -H "$(address meta)" -LLL -b dc=example,dc=test '(objectClass=inetOrgPerson)' 1.1 >answer 2>/dev/null || result=$?
  echo "result $result, people $(grep -c '^dn:' answer)"
}
up=$(ask)
kill "$(cat b.pid)"
for _ in $(seq 50); do [[ -f b.pid ]] || break; sleep 0.1; done
down=$(ask)
echo "both up: $up"
echo "one down: $down"
[[ $up == "result 0, people 4" && $down == "result 0, people 2" ]]
