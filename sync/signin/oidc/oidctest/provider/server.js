// oidc-provider as one or several vendors. CONFIG is JSON: {cert, key, ask, vendors}; see Vendor. It says its port on a line, and ends with its input.
// Who signs in is asked for on a page, where `ask` is true, and else whom login_hint names, or the first.
import * as crypto from 'node:crypto'
import https from 'node:https'
import Provider, { interactionPolicy } from 'oidc-provider'

const config = JSON.parse(process.env.CONFIG)
const jwk = (type, options, kid, alg) => ({
  ...crypto.generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), kid, alg, use: 'sig'
})
const jwks = { keys: [jwk('rsa', { modulusLength: 2048 }, 'rsa', 'RS256'), jwk('ec', { namedCurve: 'P-256' }, 'ec', 'ES256')] }
const names = 'openid profile email'
const wellKnown = '/.well-known/openid-configuration'

// policy asks for what a vendor's words of `prompt` ask for.
const policy = words => {
  const base = interactionPolicy.base()
  for (const name of words) {
    if (!base.get(name)) {
      base.add(new interactionPolicy.Prompt({ name, requestable: true }), 0)
    }
  }
  return base
}

class Vendor {
  constructor (v, number, self) {
    Object.assign(this, v)
    this.address ||= self
    this.issuer ||= this.address
    const { host, pathname } = new URL(this.address)
    const bare = path => path === '/' ? '' : path
    // The ways to the issuer: its document is at `discovery`, the rest is below `mount`.
    this.authorities = [{ mount: pathname, issuer: this.issuer, discovery: v.discovery ?? bare(pathname) + wellKnown }, ...(v.also ?? [])]
      .map(a => ({ ...a, host: a.host ?? host, mount: bare(a.mount) }))
    const claims = Object.values(this.people).flatMap(Object.keys)
    const later = new Set(this.userinfo ?? [])
    this.provider = new Provider(this.issuer, {
      clients: this.clients,
      jwks,
      cookies: { keys: ['of the test'], names: { session: `s${number}`, interaction: `i${number}`, resume: `r${number}` } },
      claims: {
        openid: ['sub', ...claims.filter(c => !later.has(c))],
        email: ['email', 'email_verified'].filter(c => later.has(c)),
        profile: [...later].filter(c => c !== 'email' && c !== 'email_verified')
      },
      ...(this.methods && { clientAuthMethods: this.methods }),
      ...(this.routes && { routes: this.routes }),
      features: { devInteractions: { enabled: false }, backchannelLogout: { enabled: true }, rpInitiatedLogout: { enabled: true } },
      // Its own refuses addresses of this machine.
      fetch: (url, options) => globalThis.fetch(url, { method: options.method, headers: options.headers, body: options.body }),
      findAccount: (_, id) => this.people[id] && ({ accountId: id, claims: () => this.people[id] }),
      loadExistingGrant: async ctx => {
        const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId })
        grant.addOIDCScope(names)
        await grant.save()
        return grant
      },
      interactions: {
        policy: policy(this.prompts ?? []),
        url: ({ req }, { uid }) => `${req.originalUrl.slice(0, -req.url.length)}/interaction/${uid}`
      }
    })
    this.callback = this.provider.callback()
  }

  // authority finds what a request belongs to.
  authority (host, path) {
    const here = this.authorities.filter(a => a.host === host)
    return here.find(a => a.discovery === path) ?? here.find(a => path.startsWith(a.mount + '/'))
  }

  handle (req, res, at) {
    const path = req.url.split('?')[0]
    if (path === at.discovery) {
      req.url = wellKnown
      edited(res, body => without({ ...body, issuer: at.issuer, ...this.metadata }))
    } else {
      req.url = req.url.slice(at.mount.length)
      if (req.url.startsWith('/interaction/')) {
        return this.interact(req, res).catch(err => res.writeHead(500).end(String(err)))
      }
      if (this.keyIssuer && path === at.mount + (this.routes?.jwks ?? '/jwks')) {
        edited(res, body => ({ keys: body.keys.map(k => ({ ...k, issuer: this.keyIssuer })) }))
      }
      if (this.silent) { // says in no answer who it is (RFC 9207 is younger than it)
        const set = res.setHeader.bind(res)
        res.setHeader = (name, value) => set(name, name.toLowerCase() === 'location' ? unnamed(String(value)) : value)
      }
    }
    req.originalUrl = at.mount + req.url
    this.callback(req, res)
  }

  // interact is the page of the provider on which somebody signs in.
  async interact (req, res) {
    const { params } = await this.provider.interactionDetails(req, res)
    let who = this.people[params.login_hint] || this.refusals?.[params.login_hint] ? params.login_hint : Object.keys(this.people)[0]
    if (config.ask) {
      if (req.method !== 'POST') {
        const choice = id => `<p><button name="who" value="${id}">${id}</button></p>`
        res.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' })
        res.end(`<!DOCTYPE html><html lang="en"><title>Who are you?</title><h1>Who are you, at ${this.issuer}?</h1><form method="post">` +
          [...Object.keys(this.people), ...Object.keys(this.refusals ?? {})].map(choice).join('') + '</form></html>')
        return
      }
      let body = ''
      for await (const chunk of req) body += chunk
      who = new URLSearchParams(body).get('who')
    }
    const refused = this.refusals?.[who]
    const login = { accountId: who, amr: ['pwd'] }
    await this.provider.interactionFinished(req, res, refused ?? { login, select_account: {}, create: {} }, { mergeWithLastSubmission: false })
  }
}

// edited changes the JSON of an answer on its way.
const edited = (res, edit) => {
  const end = res.end.bind(res)
  res.end = body => {
    const text = JSON.stringify(edit(JSON.parse(String(body))))
    res.setHeader('Content-Length', Buffer.byteLength(text))
    return end(text)
  }
}

// without leaves out what is null.
const without = object => Object.fromEntries(Object.entries(object).filter(([, v]) => v !== null))

const unnamed = location => {
  if (!location.startsWith('https://')) {
    return location
  }
  const to = new URL(location)
  to.searchParams.delete('iss')
  return to.href
}

let vendors = []
const server = https.createServer({ cert: config.cert, key: config.key }, (req, res) => {
  const path = req.url.split('?')[0]
  for (const v of vendors) {
    const at = v.authority(req.headers.host, path)
    if (at) {
      return v.handle(req, res, at)
    }
  }
  res.writeHead(404).end()
})
server.listen(0, '127.0.0.1', () => {
  const self = `https://127.0.0.1:${server.address().port}`
  vendors = config.vendors.map((v, number) => new Vendor(v, number, self))
  process.stdout.write(`${server.address().port}\n`)
})
process.stdin.resume()
process.stdin.on('end', () => process.exit(0))
