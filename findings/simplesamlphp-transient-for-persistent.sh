#!/usr/bin/env bash
# SimpleSAMLphp 1.19.7 (Debian 12, simplesamlphp 1.19.7-1+deb12u2) as an identity provider of SAML 2.0.
#
# A request names the format of name identifier that it wants (NameIDPolicy). SAML 2.0 Core, 3.4.1.1, has a provider that cannot give it answer with an error
# whose second status is InvalidNameIDPolicy. Where nothing generates persistent identifiers, and that is how it is installed, this one
# answers with success and a transient identifier, another one at each sign-in. Whoever takes the identifier of a successful answer for
# what was asked for makes a new account each time.
#
# Output seen (two sign-ins of one person, urn:oasis:names:tc:SAML:2.0:nameid-format:persistent asked for):
#   status Success, format transient
#   status Success, format transient
#   the same identifier: no
#
# Needs a Debian 12 with these packages installed: simplesamlphp 1.19.7-1+deb12u2, php-cli, php-xml, php-mbstring; curl, openssl and python3.
# Configuration, keys and everything that is written are in a temporary folder; the configuration of an installed one is neither read
# nor changed. Exits with 1 when the behaviour is another one.
set -euo pipefail

[[ $(dpkg-query -W -f '${Version}' simplesamlphp 2>/dev/null) == 1.19.7-1+deb12u2 ]] || { echo "needs simplesamlphp=1.19.7-1+deb12u2" >&2; exit 2; }
work=$(mktemp -d)
server=
trap '[[ -n $server ]] && kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
mkdir "$work"/{config,cert,log,data,tmp,metadata,www}
ln -s /usr/share/simplesamlphp/www "$work/www/simplesamlphp"
openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=idp.example.test -days 1 -keyout "$work/cert/idp.pem" -out "$work/cert/idp.crt" 2>/dev/null
cat >"$work/config/config.php" <<PHP
<?php
\$config = [
  'baseurlpath' => 'simplesamlphp/', 'certdir' => '$work/cert/', 'loggingdir' => '$work/log/', 'datadir' => '$work/data/', 'tempdir' => '$work/tmp', 'metadatadir' => '$work/metadata/',
  'attributenamemapdir' => '/etc/simplesamlphp/attributemap/', 'timezone' => 'UTC', 'secretsalt' => 'salt-of-the-finding', 'auth.adminpassword' => 'admin-of-the-finding',
  'technicalcontact_name' => 'Test', 'technicalcontact_email' => 'na@example.test', 'admin.checkforupdates' => false, 'logging.handler' => 'file', 'logging.level' => 7,
  'enable.saml20-idp' => true, 'module.enable' => ['exampleauth' => true, 'core' => true, 'saml' => true], 'store.type' => 'phpsession',
  'session.phpsession.savepath' => '$work/data', 'session.cookie.secure' => false, 'session.cookie.samesite' => null, 'metadata.sources' => [['type' => 'flatfile']],
  'language.available' => ['en'], 'language.default' => 'en', 'theme.use' => 'default', 'production' => true,
];
PHP
cat >"$work/config/authsources.php" <<'PHP'
<?php
$config = ['example' => ['exampleauth:UserPass', 'ann:of-the-finding' => ['uid' => ['ann']]]];
PHP
cat >"$work/metadata/saml20-idp-hosted.php" <<'PHP'
<?php
$metadata['https://idp.example.test'] = ['host' => '__DEFAULT__', 'privatekey' => 'idp.pem', 'certificate' => 'idp.crt', 'auth' => 'example'];
PHP
cat >"$work/metadata/saml20-sp-remote.php" <<'PHP'
<?php
$metadata['https://sp.example.test'] = ['AssertionConsumerService' => 'https://sp.example.test/acs'];
PHP
export SIMPLESAMLPHP_CONFIG_DIR=$work/config
php -S 127.0.0.1:0 -t "$work/www" >"$work/php.log" 2>&1 &
server=$!
address=
for _ in $(seq 600); do
  address=$(sed -n 's/.*(\(http:[^)]*\)) started.*/\1/p' "$work/php.log")
  [[ -n $address ]] && break
  sleep 0.1
done
python3 - "$address" >"$work/out" <<'PY'
import base64, html, http.cookiejar, re, sys, urllib.error, urllib.parse, urllib.request, uuid, zlib
from datetime import datetime, timezone

base = sys.argv[1] + "/simplesamlphp/saml2/idp/SSOService.php"
persistent = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"


def sign_in():
    request = (
        '<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"'
        f' ID="_{uuid.uuid4().hex}" Version="2.0" IssueInstant="{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}" Destination="{base}"'
        ' AssertionConsumerServiceURL="https://sp.example.test/acs"><saml:Issuer>https://sp.example.test</saml:Issuer>'
        f'<samlp:NameIDPolicy Format="{persistent}" AllowCreate="true"/></samlp:AuthnRequest>'
    )
    deflate = zlib.compressobj(wbits=-15)
    packed = base64.b64encode(deflate.compress(request.encode()) + deflate.flush())
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    page = browser.open(base + "?" + urllib.parse.urlencode({"SAMLRequest": packed}))
    text = page.read().decode()
    state = html.unescape(re.search(r'name="AuthState" value="([^"]*)"', text)[1])
    form = urllib.parse.urlencode({"username": "ann", "password": "of-the-finding", "AuthState": state}).encode()
    text = browser.open(page.geturl(), form).read().decode()
    answer = base64.b64decode(html.unescape(re.search(r'name="SAMLResponse" value="([^"]*)"', text)[1])).decode()
    status = re.search(r'<samlp:StatusCode Value="[^"]*:([A-Za-z]+)"', answer)[1]
    name = re.search(r'<saml:NameID[^>]*Format="[^"]*:([a-z]+)"[^>]*>([^<]*)<', answer)
    print(f"status {status}, format {name[1]}")
    return name[2]


first, second = sign_in(), sign_in()
print("the same identifier:", "yes" if first == second else "no")
PY
cat "$work/out"
diff - "$work/out" <<'OUT'
status Success, format transient
status Success, format transient
the same identifier: no
OUT
