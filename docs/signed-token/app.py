#!/usr/bin/env python3
"""A small application into which people come by the signed token of dirsyncd. Python 3.9 or newer, and the package
cryptography (Debian: python3-cryptography).

    python3 app.py --listen 127.0.0.1:8080 --auth https://auth.example.com --app shop --people people.json

A start for an application of your own: keep the class Verifier and what /login, /sso and /signed-out do, and replace
the rest. people.json says whom the application knows, by the key of the record: {"hq-entra/0d1f…": "Ann"}. TLS is the
work of the reverse proxy in front.
"""

import argparse
import base64
import hashlib
import html
import http.cookies
import http.server
import json
import secrets
import sys
import threading
import time
import urllib.parse
import urllib.request

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

SKEW = 60  # seconds that our clock and that of dirsyncd may differ
KEYS_LIFE = 3600
KEYS_EVERY = 300  # an unknown kid makes us fetch no more often
REMEMBERED = 24 * 3600  # a nonce
MAX_FORM = 16 << 10
MAX_KEYS = 64 << 10
LOGIN_LIFE = 15 * 60
SESSION_LIFE = 8 * 3600
LOGIN, SESSION = "__Host-login", "__Host-session"
# What a logout token is about (OpenID Connect Back-Channel Logout 1.0, section 2.4).
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


class Refused(Exception):
    """Why a token is not taken."""


def unbase64(text):
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64.urlsafe_b64encode(data).decode().rstrip("=") != text:
        raise ValueError("not base64url")
    return data


def digest(text):
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


class Verifier:
    """Checks tokens of one dirsyncd for one application. Many threads may use it."""

    def __init__(self, issuer, audience, keys_url):
        self.issuer, self.audience, self.keys_url = issuer, audience, keys_url
        self.lock = threading.Lock()
        self.keys, self.fetched = {}, None
        self.used = {}  # what counts once, and until when it is remembered

    def sign_in(self, token, nonce):
        """Checks a token that somebody brings, against the nonce that belongs to this browser."""
        claims = self.verify(token)
        if "events" in claims:
            raise Refused("it is no token to sign in with")
        if not nonce or claims.get("nonce") != nonce:
            raise Refused("the nonce is not that of this browser")
        if not self.once("jti " + claims["jti"], claims["exp"]):
            raise Refused("the token was used already")
        if not self.once("nonce " + nonce, time.time() + REMEMBERED):
            raise Refused("the nonce was used already")
        return claims

    def logout(self, token):
        """Checks a token that says that somebody has signed out. One that comes again ends nothing more, and is no
        error: dirsyncd may not have seen the first answer."""
        claims = self.verify(token)
        events = claims.get("events")
        if not isinstance(events, dict) or LOGOUT_EVENT not in events or "nonce" in claims:
            raise Refused("it is no logout token")
        return claims

    def verify(self, token):
        """Checks all that is the same for both."""
        try:
            head, body, signature = token.split(".")
            header, raw = json.loads(unbase64(head)), unbase64(signature)
        except ValueError:
            raise Refused("not a token") from None
        if not isinstance(header, dict) or header.get("alg") != "ES256" or "crit" in header:
            raise Refused("signed otherwise than by ES256")  # never what the token says
        key = self.key(header.get("kid"))
        if len(raw) != 64:
            raise Refused("the signature is wrong")
        der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
        try:
            key.verify(der, (head + "." + body).encode(), ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            raise Refused("the signature is wrong") from None
        try:
            claims = json.loads(unbase64(body))
            texts = [claims[name] for name in ("iss", "aud", "sub", "jti")]
            issued, expires = claims["iat"], claims["exp"]
        except (ValueError, KeyError, TypeError):
            raise Refused("a claim is missing") from None
        if not all(isinstance(t, str) and t for t in texts) or not all(type(n) is int for n in (issued, expires)):
            raise Refused("a claim is of another type")
        now = time.time()
        if claims["iss"] != self.issuer:
            raise Refused("from another issuer")
        if claims["aud"] != self.audience:
            raise Refused("for another application")
        if now >= expires:
            raise Refused("it has run out")
        if abs(now - issued) > SKEW:
            raise Refused("it was not made just now: do the clocks agree?")
        return claims

    def once(self, what, until):
        """Reports whether something was not used before, and remembers it. Several processes need one memory that all
        of them have."""
        with self.lock:
            now = time.time()
            self.used = {name: end for name, end in self.used.items() if now < end}
            if what in self.used:
                return False
            self.used[what] = until
            return True

    def key(self, kid):
        """Returns the key with an id. Keys are kept for an hour; an unknown id makes us fetch them again, at most once
        in five minutes."""
        if not isinstance(kid, str):
            raise Refused("no kid")
        with self.lock:
            age = KEYS_LIFE if self.fetched is None else time.monotonic() - self.fetched
            if kid in self.keys and age < KEYS_LIFE:
                return self.keys[kid]
            if age >= KEYS_EVERY:
                self.keys, self.fetched = self.fetch(), time.monotonic()
            if kid in self.keys:
                return self.keys[kid]
        raise Refused("no published key has the kid")

    def fetch(self):
        """Gets the published keys (RFC 7517)."""
        with urllib.request.urlopen(self.keys_url, timeout=10) as answer:
            published = json.loads(answer.read(MAX_KEYS))["keys"]
        keys = {}
        for k in published:
            if k.get("kty") == "EC" and k.get("crv") == "P-256" and k.get("kid"):
                x, y = (int.from_bytes(unbase64(k[n]), "big") for n in "xy")
                keys[k["kid"]] = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
        return keys


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers browsers, and dirsyncd at /signed-out."""

    # Set by main. people: names by the key of the record; nothing else says who somebody is.
    verifier, auth, people = None, "", {}
    sessions, lock = {}, threading.Lock()  # by the hash of the cookie: sub, sid, when it ends

    def answer(self, status, text="", cookies=(), location=""):
        data = text.encode()
        self.send_response(status)
        for cookie in cookies:
            self.send_header("Set-Cookie", cookie)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def cookie(self, name):
        found = http.cookies.SimpleCookie(self.headers.get("Cookie", "")).get(name)
        return found.value if found else ""

    def do_GET(self):
        if self.path == "/login":
            # A nonce that only this browser can bring back. The token comes by a POST from another site, with which
            # browsers send no cookie but one with SameSite=None.
            secret = secrets.token_urlsafe(32)
            query = urllib.parse.urlencode({"app": self.verifier.audience, "rd": "/", "nonce": digest(secret)})
            self.answer(303, cookies=[f"{LOGIN}={secret}; Path=/; Max-Age={LOGIN_LIFE}; Secure; HttpOnly; SameSite=None"],
                        location=f"{self.auth}/auth/start?{query}")
            return
        if self.path != "/":
            self.answer(404)
            return
        with self.lock:
            sub, _, ends = self.sessions.get(digest(self.cookie(SESSION)), ("", "", 0))
        if time.time() < ends:
            self.answer(200, "Hello " + html.escape(self.people[sub]))
        else:
            self.answer(401, '<a href="/login">Sign in</a>')

    def do_POST(self):
        try:
            length = int(self.headers.get("Content-Length", "-1"))
            if not 0 <= length <= MAX_FORM:
                raise ValueError
            form = dict(urllib.parse.parse_qsl(self.rfile.read(length).decode(), keep_blank_values=True))
        except ValueError:
            self.answer(400, "the form cannot be read")
            return
        try:
            if self.path == "/sso":
                self.enter(form.get("token", ""))
            elif self.path == "/signed-out":
                self.signed_out(form.get("logout_token", ""))
            else:
                self.answer(404)
        except Refused as why:
            print("app: refused:", why, file=sys.stderr)
            self.answer(403 if self.path == "/sso" else 400, "the token is not good")
        except OSError as why:
            print("app: the keys cannot be fetched:", why, file=sys.stderr)
            self.answer(503, "come again later")

    def enter(self, token):
        secret = self.cookie(LOGIN)
        if not secret:
            self.answer(400, "begin again at /login")
            return
        claims = self.verifier.sign_in(token, digest(secret))
        if claims["sub"] not in self.people:  # by sub alone: names and addresses change hands
            self.answer(403, "you have no account here")
            return
        fresh = secrets.token_urlsafe(32)  # a fresh session: what the browser had before is not used again
        with self.lock:
            self.sessions[digest(fresh)] = (claims["sub"], claims.get("sid", ""), time.time() + SESSION_LIFE)
        self.answer(303, location="/", cookies=[f"{LOGIN}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=None",
                                                f"{SESSION}={fresh}; Path=/; Secure; HttpOnly; SameSite=Lax"])

    def signed_out(self, token):
        """The logout_url: dirsyncd says that somebody has signed out, or has no access any more."""
        claims = self.verifier.logout(token)
        with self.lock:
            for key, (sub, sid, _) in list(self.sessions.items()):
                if sub == claims["sub"] and claims.get("sid", sid) == sid:
                    del self.sessions[key]
        self.answer(200)

    def log_message(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", default="127.0.0.1:8080")
    parser.add_argument("--auth", required=True, help="the central host, as web.url of dirsyncd has it")
    parser.add_argument("--keys", help="where its keys are fetched, if not at AUTH/auth/keys")
    parser.add_argument("--app", required=True, help="name of this application at dirsyncd")
    parser.add_argument("--people", default="people.json", help="whom the application knows")
    o = parser.parse_args()
    Handler.verifier = Verifier(o.auth, o.app, o.keys or o.auth + "/auth/keys")
    Handler.auth = o.auth
    with open(o.people, encoding="utf-8") as f:
        Handler.people = json.load(f)
    host, _, port = o.listen.rpartition(":")
    server = http.server.ThreadingHTTPServer((host, int(port)), Handler)
    print(f"listening on http://{host}:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
