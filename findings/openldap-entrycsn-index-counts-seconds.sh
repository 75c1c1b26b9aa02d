#!/usr/bin/env bash
# OpenLDAP 2.5.13 (Debian 12, slapd 2.5.13+dfsg-5), back-mdb, `index entryCSN eq`.
#
# The index on entryCSN tells entries apart by the second only. A search for what is newer than the last change looks at
# every entry of that second: after a bulk load, for all that was loaded in it, it takes about as long as a search without
# an index, and a small part of that once anything was changed later.
#
# Output seen (200 searches each, 20,000 entries):
#   newer than the load's last entry: 1 entry each, 4561 ms
#   newer than a later change:        1 entry each, 78 ms
#
# Needs a Debian 12 with apt-get. It installs nothing: the packages are unpacked in a temporary folder. Exits with 1 when the
# behaviour is another one.
set -euo pipefail

work=$(mktemp -d)
trap '[[ -f $work/pid ]] && kill "$(cat "$work/pid")" 2>/dev/null; sleep 1; rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq slapd=2.5.13+dfsg-5 ldap-utils=2.5.13+dfsg-5 libldap-2.5-0=2.5.13+dfsg-5 libodbc2 libltdl7 libsasl2-2 >/dev/null 2>&1
for deb in *.deb; do dpkg-deb -x "$deb" root; done
export LD_LIBRARY_PATH=$work/root/usr/lib/x86_64-linux-gnu PATH=$work/root/usr/sbin:$work/root/usr/bin:$PATH
mkdir data

cat >slapd.conf <<CONF
include $work/root/etc/ldap/schema/core.schema
include $work/root/etc/ldap/schema/cosine.schema
include $work/root/etc/ldap/schema/inetorgperson.schema
pidfile $work/pid
modulepath $work/root/usr/lib/ldap
moduleload back_mdb
database mdb
maxsize 1073741824
directory $work/data
suffix dc=example,dc=test
rootdn cn=admin,dc=example,dc=test
rootpw secret
index objectClass,entryCSN eq
CONF
{
  printf 'dn: dc=example,dc=test\nobjectClass: domain\ndc: example\n\n'
  for i in $(seq 20000); do
    printf 'dn: uid=p%d,dc=example,dc=test\nobjectClass: inetOrgPerson\nuid: p%d\ncn: P\nsn: P\nentryCSN: 20260301080000.%06dZ#000000#000#000000\n\n' "$i" "$i" "$i"
  done
} >load.ldif
slapadd -q -f slapd.conf -l load.ldif
slapd -f slapd.conf -h "ldapi://${work//\//%2F}%2Fsocket"
url=ldapi://${work//\//%2F}%2Fsocket
for _ in $(seq 50); do [[ -S socket ]] && break; sleep 0.1; done
as=(-x -H "$url" -D cn=admin,dc=example,dc=test -w secret)

# newer CSN: how many entries 200 searches found, and how long they took in ms
newer() {
  local began found
  for _ in $(seq 200); do echo "$1"; done >values
  began=$(date +%s%N)
  found=$(ldapsearch "${as[@]}" -LLL -b dc=example,dc=test -f values '(&(uid=*)(entryCSN>=%s))' 1.1 | grep -c '^dn:')
  echo "$((found / 200)) $((($(date +%s%N) - began) / 1000000))"
}
# The topmost entry has the time of the load: it is no person.
read -r found slow <<<"$(newer '20260301080000.020000Z#000000#000#000000')"
echo "newer than the load's last entry: $found entry each, $slow ms"
ldapmodify "${as[@]}" >/dev/null <<LDIF
dn: uid=p7,dc=example,dc=test
changetype: modify
replace: sn
sn: Q
LDIF
csn=$(ldapsearch "${as[@]}" -LLL -o ldif-wrap=no -b uid=p7,dc=example,dc=test -s base entryCSN | sed -n 's/^entryCSN: //p')
read -r late quick <<<"$(newer "$csn")"
echo "newer than a later change:        $late entry each, $quick ms"
[[ $found == 1 && $late == 1 && $slow -gt $((5 * quick)) ]]
