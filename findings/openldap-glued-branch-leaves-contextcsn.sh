#!/usr/bin/env bash
# OpenLDAP 2.5.13 (Debian 12, slapd 2.5.13+dfsg-5), a subordinate database below one with the overlay syncprov, in the
# default order of overlays.
#
# A change in the branch does not move the contextCSN of the suffix. A client that looks at contextCSN to learn whether there
# is anything new learns of nothing, although a search of the whole suffix finds the new entry.
#
# Output seen:
#   contextCSN after a change in the branch: unchanged
#   contextCSN after a change above it: moved
#   entries that a search of the suffix finds: 5
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
mkdir branch top

cat >slapd.conf <<CONF
include $work/root/etc/ldap/schema/core.schema
include $work/root/etc/ldap/schema/cosine.schema
include $work/root/etc/ldap/schema/inetorgperson.schema
pidfile $work/pid
modulepath $work/root/usr/lib/ldap
moduleload back_mdb
moduleload syncprov
database mdb
directory $work/branch
suffix ou=branch,dc=example,dc=test
subordinate
rootdn cn=admin,dc=example,dc=test
database mdb
directory $work/top
suffix dc=example,dc=test
rootdn cn=admin,dc=example,dc=test
rootpw secret
overlay syncprov
CONF
url=ldapi://${work//\//%2F}%2Fsocket
slapd -f slapd.conf -h "$url"
for _ in $(seq 50); do [[ -S socket ]] && break; sleep 0.1; done
as=(-x -H "$url" -D cn=admin,dc=example,dc=test -w secret)
person() {
  ldapadd "${as[@]}" >/dev/null <<LDIF
dn: uid=$1,$2
objectClass: inetOrgPerson
uid: $1
cn: $1
sn: Example
LDIF
}
csn() { ldapsearch "${as[@]}" -LLL -b dc=example,dc=test -s base contextCSN | sed -n 's/^contextCSN: //p'; }
compared() { if [[ $1 == "$2" ]]; then echo unchanged; else echo moved; fi; }

ldapadd "${as[@]}" >/dev/null <<LDIF
dn: dc=example,dc=test
objectClass: domain
dc: example

dn: ou=branch,dc=example,dc=test
objectClass: organizationalUnit
ou: branch
LDIF
person ann dc=example,dc=test
before=$(csn)
person bob ou=branch,dc=example,dc=test
below=$(compared "$before" "$(csn)")
person cat dc=example,dc=test
above=$(compared "$before" "$(csn)")
found=$(ldapsearch "${as[@]}" -LLL -b dc=example,dc=test 1.1 | grep -c '^dn:')

echo "contextCSN after a change in the branch: $below"
echo "contextCSN after a change above it: $above"
echo "entries that a search of the suffix finds: $found"
[[ $below == unchanged && $above == moved && $found == 5 ]]
