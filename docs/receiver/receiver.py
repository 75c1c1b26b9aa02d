#!/usr/bin/env python3
"""Takes the events of dirsyncd and keeps a small table of them in SQLite. Python 3.9 or newer, nothing else.

    WEBHOOK_SECRET=whsec_... python3 receiver.py --listen 127.0.0.1:8080 --db desk.db
    python3 receiver.py --db desk.db --list

A start for a receiver of your own: replace what apply() does by calls to your service desk, and keep the rest. TLS is
the work of the reverse proxy in front of it. While a secret is replaced, WEBHOOK_SECRET may hold both, with a blank between.
"""

import argparse
import base64
import binascii
import hashlib
import hmac
import http.server
import json
import os
import sqlite3
import sys
import threading
import time

MAX_BODY = 64 << 20  # bytes; far more than a batch has
MAX_AGE = 5 * 60  # seconds that a request may be old, after Standard Webhooks
REMEMBERED = 14 * 24 * 3600  # seconds for which ids of events are kept

SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
  subject TEXT PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, active INTEGER NOT NULL, record TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS members (
  subject TEXT NOT NULL, list TEXT NOT NULL, member TEXT NOT NULL, PRIMARY KEY (subject, list, member));
CREATE TABLE IF NOT EXISTS taken (id TEXT PRIMARY KEY, at INTEGER NOT NULL);
"""


class Refused(Exception):
    """What is wrong with an event. dirsyncd parks it with this text until an operator looks at it."""


def apply(db, event):
    """Brings the table up to date with one event, which was not taken before."""
    data, subject = event["data"], event["subject"]
    op, kind, key, record = data["op"], data["kind"], data["key"], data["record"]
    if op not in ("create", "update", "reactivate", "deactivate", "delete"):
        raise Refused(f"unknown operation {op!r}")
    if op == "delete":
        db.execute("DELETE FROM records WHERE subject = ?", (subject,))
        db.execute("DELETE FROM members WHERE subject = ?", (subject,))
        return
    # A joiner is who comes with op "create", without data.get("initial"), and not as "sent again": only then is it time for a welcome.
    # The record is complete in every event: whether it was known before does not matter.
    db.execute(
        "INSERT INTO records VALUES (?, ?, ?, ?, ?) ON CONFLICT (subject) DO UPDATE SET active = excluded.active, record = excluded.record",
        (subject, kind, key, op != "deactivate", json.dumps(record, ensure_ascii=False, sort_keys=True)),
    )
    if op == "create":  # it lists all members
        db.execute("DELETE FROM members WHERE subject = ?", (subject,))
    for name, change in data.get("changes", {}).items():
        if "added" in change:
            db.executemany("INSERT OR IGNORE INTO members VALUES (?, ?, ?)", [(subject, name, m) for m in change["added"]])
            db.executemany("DELETE FROM members WHERE subject = ? AND list = ? AND member = ?", [(subject, name, m) for m in change["removed"]])


def take(db, event):
    """Takes one event and returns (status, error). A repeated one is answered as it was the first time."""
    event_id = event.get("id") if isinstance(event, dict) else None
    if not isinstance(event_id, str) or not event_id:
        raise ValueError("an event has no id")
    try:
        with db:  # one transaction: what the event does, and that it was taken
            if db.execute("INSERT OR IGNORE INTO taken VALUES (?, ?)", (event_id, int(time.time()))).rowcount:
                apply(db, event)
    except Refused as why:
        return 422, str(why)
    except (AttributeError, KeyError, TypeError) as why:
        return 422, f"not an event of dirsyncd: {why!r}"
    return 200, ""


def keys_of(secrets):
    """Returns the keys of secrets that stand in a text with blanks between."""
    keys = []
    for secret in secrets.split():
        if not secret.startswith("whsec_"):
            raise ValueError("a secret begins with whsec_")
        keys.append(base64.b64decode(secret[len("whsec_"):], validate=True))
    if not keys:
        raise ValueError("set WEBHOOK_SECRET to the secret of the target")
    return keys


def is_number(text):
    return text.isascii() and text.isdigit() and len(text) <= 15


def signed(keys, headers, body, now):
    """Reports whether a request is from one who has a key, and is not an old one that somebody sends again."""
    stamp, message_id = headers.get("webhook-timestamp", ""), headers.get("webhook-id", "")
    if not is_number(stamp) or abs(now - int(stamp)) > MAX_AGE:
        return False
    message = b".".join([message_id.encode("latin-1"), stamp.encode(), body])
    good = False
    for key in keys:
        want = b"v1," + base64.b64encode(hmac.new(key, message, hashlib.sha256).digest())
        for signature in headers.get("webhook-signature", "").split(" "):
            good |= hmac.compare_digest(want, signature.encode("latin-1"))
    return good


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60  # seconds of silence after which a connection is closed

    def do_POST(self):
        length = self.headers.get("Content-Length", "")
        if not is_number(length) or int(length) > MAX_BODY:
            self.close_connection = True
            return self.answer(413 if is_number(length) else 411)
        body = self.rfile.read(int(length))
        if len(body) < int(length):  # the sender went away
            self.close_connection = True
            return None
        if not signed(self.server.keys, self.headers, body, time.time()):
            return self.answer(401, {"error": "the signature is wrong, or the request too old"})
        try:
            events = json.loads(body)
            with self.server.lock:
                if not isinstance(events, list):
                    status, error = take(self.server.db, events)
                    return self.answer(status, {"error": error} if error else None)
                results = [(event, take(self.server.db, event)) for event in events]
        except (ValueError, RecursionError) as why:
            return self.answer(400, {"error": str(why)})
        except sqlite3.Error as why:  # nothing is lost: all of it comes again
            print("the table takes nothing:", why, file=sys.stderr)
            return self.answer(503)
        return self.answer(200, {"results": [
            {"id": event["id"], "status": status, "error": error} for event, (status, error) in results if status != 200
        ]})

    def answer(self, status, value=None):
        body = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass  # requests name people


def open_table(path):
    db = sqlite3.connect(path, check_same_thread=False)
    db.execute("PRAGMA synchronous = FULL")  # what was answered must survive a power cut
    db.executescript(SCHEMA)
    with db:
        db.execute("DELETE FROM taken WHERE at < ?", (int(time.time()) - REMEMBERED,))
    return db


def show(db):
    """Prints the table, one record a line."""
    for subject, active, record in db.execute("SELECT subject, active, record FROM records ORDER BY subject"):
        row = {"subject": subject, "active": bool(active), "record": json.loads(record)}
        for name, member in db.execute("SELECT list, member FROM members WHERE subject = ? ORDER BY list, member", (subject,)):
            row.setdefault(name, []).append(member)
        print(json.dumps(row, ensure_ascii=False, sort_keys=True))


def main():
    options = argparse.ArgumentParser(description="takes the events of dirsyncd and keeps a small table of them")
    options.add_argument("--listen", default="127.0.0.1:8080", metavar="HOST:PORT")
    options.add_argument("--db", default="desk.db", metavar="FILE")
    options.add_argument("--list", action="store_true", help="print the table and end")
    args = options.parse_args()
    db = open_table(args.db)
    if args.list:
        return show(db)
    try:
        keys = keys_of(os.environ.get("WEBHOOK_SECRET", ""))
    except (ValueError, binascii.Error) as why:
        sys.exit(f"receiver: {why}")
    host, _, port = args.listen.rpartition(":")
    server = http.server.ThreadingHTTPServer((host, int(port)), Handler)
    server.keys, server.db, server.lock = keys, db, threading.Lock()
    print(f"listening on http://{host}:{server.server_address[1]}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    return None


if __name__ == "__main__":
    main()
