#!/usr/bin/env bash
# oidc-provider 9.13.3 (npm) as an OpenID Connect provider with its own interaction policy.
#
# prompt=select_account is one of the four words of OpenID Connect Core 1.0, 3.1.2.1: a provider that cannot obtain a choice of account answers with an error,
# "typically account_selection_required". Where the operator has added no such prompt, and that is how it is installed, this one answers invalid_request, as
# for a request that is malformed, and its discovery document does not say which words it takes (prompt_values_supported). A client that asks for a choice of
# account after signing out lets nobody in; prompt=login works.
#
# Output seen:
#   prompt_values_supported: absent
#   prompt=select_account: error invalid_request, unsupported prompt value requested
#   prompt=login: goes on to the page where people sign in
#
# Needs Node.js 20 or newer, npm and curl. Everything that is installed and written is in a temporary folder. Exits with 1 when the behaviour is another one.
set -euo pipefail

work=$(mktemp -d)
server=
trap '[[ -n $server ]] && kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work"
echo '{"private": true, "type": "module"}' >package.json
npm install --no-audit --no-fund --ignore-scripts oidc-provider@9.13.3 >npm.log 2>&1 || { cat npm.log >&2; exit 2; }
cat >server.js <<'JS'
import http from 'node:http'
import Provider from 'oidc-provider'

let handle = () => {}
const server = http.createServer((req, res) => handle(req, res))
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`
  handle = new Provider(issuer, {
    clients: [{ client_id: 'us', client_secret: 'of-the-finding', redirect_uris: ['https://client.example.test/cb'], grant_types: ['authorization_code'], response_types: ['code'] }],
    cookies: { keys: ['of the finding'] }
  }).callback()
  console.log(issuer)
})
JS
mkfifo said
node server.js >said 2>node.log &
server=$!
read -r issuer <said
ask() {
  curl -sS -o /dev/null -w '%{redirect_url}' -G "$issuer/auth" -d client_id=us -d response_type=code -d scope=openid --data-urlencode redirect_uri=https://client.example.test/cb \
    -d state=s -d nonce=n -d code_challenge_method=S256 -d code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM -d "prompt=$1"
}
{
  if curl -sS "$issuer/.well-known/openid-configuration" | grep -q prompt_values_supported; then echo "prompt_values_supported: there"; else echo "prompt_values_supported: absent"; fi
  for prompt in select_account login; do
    to=$(ask $prompt)
    case $to in
      *'/interaction/'*) echo "prompt=$prompt: goes on to the page where people sign in" ;;
      *) node -e 'const q = new URL(process.argv[1]).searchParams; console.log(`prompt=${process.argv[2]}: error ${q.get("error")}, ${q.get("error_description")}`)' "$to" $prompt ;;
    esac
  done
} >out
cat out
diff - out <<'END'
prompt_values_supported: absent
prompt=select_account: error invalid_request, unsupported prompt value requested
prompt=login: goes on to the page where people sign in
END
