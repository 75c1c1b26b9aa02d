// oidc-provider with one person who is always let in. CONFIG is JSON: {cert, key, clients}. It says its port on a line, and ends with its input.
import * as crypto from 'node:crypto'
import https from 'node:https'
import Provider from 'oidc-provider'

const config = JSON.parse(process.env.CONFIG)
const jwk = (type, options, kid, alg) => ({
  ...crypto.generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), kid, alg, use: 'sig'
})
const names = 'openid profile email'

let handle = (_, res) => res.writeHead(503).end()
const server = https.createServer({ cert: config.cert, key: config.key }, (req, res) => handle(req, res))
server.listen(0, '127.0.0.1', () => {
  const issuer = `https://127.0.0.1:${server.address().port}`
  const provider = new Provider(issuer, {
    clients: config.clients,
    jwks: { keys: [jwk('rsa', { modulusLength: 2048 }, 'rsa', 'RS256'), jwk('ec', { namedCurve: 'P-256' }, 'ec', 'ES256')] },
    cookies: { keys: ['of the test'] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'locale'] },
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: { enabled: true }
    },
    // Its own refuses addresses of this machine.
    fetch: (url, options) => globalThis.fetch(url, { method: options.method, headers: options.headers, body: options.body }),
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: id, email: 'ann@example.test', email_verified: true, name: 'Ann', locale: 'de' })
    }),
    loadExistingGrant: async ctx => {
      const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId })
      grant.addOIDCScope(names)
      await grant.save()
      return grant
    },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` }
  })
  const callback = provider.callback()
  handle = (req, res) => {
    if (req.url.startsWith('/interaction/')) {
      provider.interactionFinished(req, res, { login: { accountId: 'person', amr: ['pwd'] } })
        .catch(err => res.writeHead(500).end(String(err)))
      return
    }
    callback(req, res)
  }
  process.stdout.write(`${server.address().port}\n`)
})
process.stdin.resume()
process.stdin.on('end', () => process.exit(0))
