#!/usr/bin/env bash
# OpenLDAP 2.5.13 (Debian 12, slapd 2.5.13+dfsg-5), overlay refint.
#
# After a person is renamed, refint rewrites the values that named it in other entries (member, manager). Those entries
# keep their entryCSN and their modifyTimestamp. A client that asks for what changed since a time or a CSN gets the person
# under its new name, and not the group, whose list of members is another one now.
#
# Output seen:
#   member before: uid=ann,dc=example,dc=test
#   member after:  uid=anna,dc=example,dc=test
#   entryCSN of the group: unchanged
#   modifyTimestamp of the group: unchanged
#   changed since the rename, as a filter sees it: uid=anna,dc=example,dc=test
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
moduleload refint
database mdb
directory $work/data
suffix dc=example,dc=test
rootdn cn=admin,dc=example,dc=test
rootpw secret
overlay refint
refint_attributes member manager
CONF
slapd -f slapd.conf -h "ldapi://${work//\//%2F}%2Fsocket"
url=ldapi://${work//\//%2F}%2Fsocket
for _ in $(seq 50); do [[ -S socket ]] && break; sleep 0.1; done
as=(-x -H "$url" -D cn=admin,dc=example,dc=test -w secret)

ldapadd "${as[@]}" >/dev/null <<LDIF
dn: dc=example,dc=test
objectClass: domain
dc: example

dn: uid=ann,dc=example,dc=test
objectClass: inetOrgPerson
uid: ann
cn: Ann
sn: Example

dn: cn=desk,dc=example,dc=test
objectClass: groupOfNames
cn: desk
member: uid=ann,dc=example,dc=test
LDIF

attribute() { ldapsearch "${as[@]}" -LLL -o ldif-wrap=no -b cn=desk,dc=example,dc=test -s base "$1" | sed -n "s/^$1: //p"; }
member=$(attribute member) csn=$(attribute entryCSN) stamp=$(attribute modifyTimestamp)
sleep 2 # modifyTimestamp counts seconds
since=$(date -u +%Y%m%d%H%M%SZ)
ldapmodrdn "${as[@]}" -r uid=ann,dc=example,dc=test uid=anna
for _ in $(seq 50); do [[ $(attribute member) != "$member" ]] && break; sleep 0.1; done # refint works after the answer

echo "member before: $member"
echo "member after:  $(attribute member)"
same() { [[ $1 == "$2" ]] && echo unchanged || echo "changed: $1 to $2"; }
echo "entryCSN of the group: $(same "$csn" "$(attribute entryCSN)")"
echo "modifyTimestamp of the group: $(same "$stamp" "$(attribute modifyTimestamp)")"
changed=$(ldapsearch "${as[@]}" -LLL -o ldif-wrap=no -b dc=example,dc=test "(modifyTimestamp>=$since)" 1.1 | sed -n 's/^dn: //p')
echo "changed since the rename, as a filter sees it: $changed"

[[ $(attribute member) == uid=anna,dc=example,dc=test && $(attribute entryCSN) == "$csn" && $(attribute modifyTimestamp) == "$stamp" &&
  $changed == uid=anna,dc=example,dc=test ]]
