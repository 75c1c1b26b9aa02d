#!/usr/bin/env bash
# OpenLDAP 2.5.13 (Debian 12, slapd 2.5.13+dfsg-5), overlay refint.
#
# refint looks for the entries that name a renamed one after the rename was answered, and then changes them by the DN that they
# had when it looked. When such an entry (a group) is itself renamed in between, the change is lost: the rename of the person
# and that of the group both succeed, and the group goes on listing a name that nobody has. It is a matter of some
# milliseconds, so two renames in one LDIF are enough, and happens in one of 30 to one of 3 of them.
#
# Output seen (the number of the round differs):
#   both renames succeeded in round 26
#   the person is:     uid=ann26,dc=example,dc=test
#   the group lists:   uid=ann25,dc=example,dc=test
#   entry of that name: none
#
# Needs a Debian 12 with apt-get. It installs nothing: the packages are unpacked in a temporary folder. Exits with 1 when the
# behaviour is another one: when no change was lost in 400 rounds.
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
moduleload refint
database mdb
directory $work/data
suffix dc=example,dc=test
rootdn cn=admin,dc=example,dc=test
rootpw secret
overlay refint
refint_attributes member
CONF
url=ldapi://${work//\//%2F}%2Fsocket
slapd -f slapd.conf -h "$url"
for _ in $(seq 50); do [[ -S socket ]] && break; sleep 0.1; done
as=(-x -H "$url" -D cn=admin,dc=example,dc=test -w secret)

ldapadd "${as[@]}" >/dev/null <<LDIF
dn: dc=example,dc=test
objectClass: domain
dc: example

dn: uid=ann0,dc=example,dc=test
objectClass: inetOrgPerson
uid: ann0
cn: Ann
sn: Example

dn: cn=desk0,dc=example,dc=test
objectClass: groupOfNames
cn: desk0
member: uid=ann0,dc=example,dc=test
LDIF

member() { ldapsearch "${as[@]}" -LLL -o ldif-wrap=no -b "cn=desk$1,dc=example,dc=test" -s base member | sed -n 's/^member: //p'; }

for round in $(seq 400); do
  before=$((round - 1))
  ldapmodify "${as[@]}" >/dev/null <<LDIF
dn: uid=ann$before,dc=example,dc=test
changetype: modrdn
newrdn: uid=ann$round
deleteoldrdn: 1

dn: cn=desk$before,dc=example,dc=test
changetype: modrdn
newrdn: cn=desk$round
deleteoldrdn: 1
LDIF
  for _ in $(seq 40); do # refint works after the answer; two seconds are more than it needs
    [[ $(member "$round") == "uid=ann$round,dc=example,dc=test" ]] && continue 2
    sleep 0.05
  done
  echo "both renames succeeded in round $round"
  echo "the person is:     $(ldapsearch "${as[@]}" -LLL -o ldif-wrap=no -b dc=example,dc=test '(cn=Ann)' 1.1 | sed -n 's/^dn: //p')"
  echo "the group lists:   $(member "$round")"
  named=$(ldapsearch "${as[@]}" -LLL -b "$(member "$round")" -s base 1.1 2>/dev/null | sed -n 's/^dn: //p') || true
  echo "entry of that name: ${named:-none}"
  [[ $(member "$round") == "uid=ann$before,dc=example,dc=test" && -z $named ]]
  exit
done
echo "no change was lost"
exit 1
