"""Are secrets found before they are sent, with how many false alarms, and how fast?

Thirty keys, drawn anew from a fixed seed, stand in configuration and source code as people write
it. The standard library of Python has none.
"""

import os
import random
import re
import string
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path

from assistant.attachments.secrets import Secret, find_secrets
from benchmarks.measure import RUNS, detail, show

SEED = 7
FILES = 200
TIMED_BYTES = 4 << 20

WORDS = string.ascii_letters + string.digits
CAPITALS = string.ascii_uppercase + string.digits
HEX = "0123456789abcdef"

# A secret stands where its kind does, in «marks».
TEXTS = (
    """\
# production
DEBUG=false
DATABASE_URL=postgres://shop:«password in a URL»@db.internal.acme.io:5432/shop
AWS_ACCESS_KEY_ID=«AWS access key id»
AWS_SECRET_ACCESS_KEY=«AWS secret access key»
SENDGRID_API_KEY=«SendGrid API key»
SECRET_KEY='«secret»'
LOG_LEVEL=info
""",
    """\
from dataclasses import dataclass

OPENAI_API_KEY = "«OpenAI API key»"
client = Anthropic(api_key="«Anthropic API key»", max_retries=3)
os.environ["HF_TOKEN"] = "«Hugging Face token»"


@dataclass
class Config:
    host: str = "localhost"
    password: str = "«password»"
    token_url: str = "https://auth.acme.io/oauth2/token"
""",
    """\
services:
  app:
    image: acme/app:1.4
    environment:
      STRIPE_KEY: «Stripe key»
      POSTGRES_PASSWORD: «password»
      - name: API_TOKEN
        value: "«token»"
""",
    """\
{
  "mail": {"user": "robot@acme.io", "password": "«password»"},
  "maps": {"key": "«Google API key»"},
  "hook": "https://«Slack webhook»",
  "bearer": "«JSON Web Token»"
}
""",
    """\
#!/bin/sh
set -eu
git clone https://robot:«GitHub token»@github.com/acme/app.git
curl -H "PRIVATE-TOKEN: «GitLab token»" https://gitlab.com/api/v4/projects
curl -H "Authorization: Bearer «credential»" https://api.acme.io/v1/me
mysql --user=root --password=«password» < dump.sql
""",
    """\
//registry.npmjs.org/:_authToken=«npm token»
[pypi]
username = __token__
password = «PyPI token»
""",
    """\
const twilio = require("twilio")("«Twilio API key»", process.env.TWILIO_SECRET);
const slack = new WebClient("«Slack token»");
const config = { apiKey: "«key»", projectId: "acme-4711" };
export const limits = { maxTokens: 4096, tokenType: "Bearer" };
""",
    """\
-- key of the deployment
key = [[
«private key»
]]
""",
    """\
String url = "Server=db;User Id=sa;Password=«password»;Encrypt=true";
private static final String AWS_KEY = "«AWS access key id»";
tokens.put("github", "«GitHub token»");
String clientSecret = "«secret»";
""",
)


def main() -> None:
    source = random.Random(SEED)
    planted, found, strange = 0, 0, 0
    for text in TEXTS:
        filled, expected = plant(text, source)
        seen = find_secrets(filled)
        planted += len(expected)
        found += sum(secret in seen for secret in expected)
        strange += len([secret for secret in seen if secret not in expected])
        for secret in expected:
            if secret not in seen:
                detail(f"not found: {secret.kind} in line {secret.line}")
    kinds = {kind for text in TEXTS for kind in re.findall("«(.+?)»", text)}
    detail(f"{planted} secrets of {len(kinds)} kinds; {strange} alarms beside them")
    show("planted secrets that are found", found, planted, at_most=False, unit="")
    _measure_alarms()
    _measure_time()


def plant(text: str, source: random.Random) -> tuple[str, list[Secret]]:
    """The text with secrets in place of its marks, and what is to be found in it."""
    expected: list[Secret] = []
    filled = ""
    for part in re.split("(«.+?»)", text):
        if part.startswith("«"):
            kind = part.strip("«»")
            expected.append(Secret(kind, filled.count("\n") + 1))
            filled += FAKES[kind](source)
        else:
            filled += part
    return filled, expected


def _measure_alarms() -> None:
    files = sorted(
        path for path in Path(os.__file__).parent.rglob("*.py") if "site-packages" not in path.parts
    )
    texts = {path: path.read_text("utf-8", "replace") for path in files}
    chosen = random.Random(SEED).sample(files, FILES)
    alarms = sum(bool(find_secrets(texts[path])) for path in chosen)
    everywhere = sum(bool(find_secrets(text)) for text in texts.values())
    detail(f"in all {len(files):,} files of the library: {everywhere} with an alarm")
    show(
        f"of {FILES} files of the standard library, with an alarm", alarms, 1, at_most=True, unit=""
    )


def _measure_time() -> None:
    text = ""
    for path in sorted(Path(os.__file__).parent.glob("[a-z]*.py")):
        text += path.read_text()
        if len(text) > TIMED_BYTES:
            break
    sizes = {"1 KB of code": text[:1024], "1 MB of code": text}
    bars = {"1 KB of code": 1.0, "1 MB of code": 100.0}
    for name, part in sizes.items():
        megabytes = len(part) / 2**20 if name.startswith("1 MB") else 1.0
        measured = min(_milliseconds(part) for _ in range(RUNS)) / megabytes
        show(f"look for secrets in {name}", measured, bars[name], at_most=True, unit="ms")


def _milliseconds(text: str) -> float:
    started = time.perf_counter()
    find_secrets(text)
    return (time.perf_counter() - started) * 1e3


# ── what keys look like; none is anybody's ──────────────────────────────────────────────────


def _draw(source: random.Random, letters: str, count: int) -> str:
    return "".join(source.choices(letters, k=count))


def _key(start: str, letters: str, count: int) -> Callable[[random.Random], str]:
    return lambda source: start + _draw(source, letters, count)


def _password(source: random.Random) -> str:
    return _draw(source, WORDS + "!@#^*+~", 20)


def _slack_webhook(source: random.Random) -> str:
    places = [letter + _draw(source, CAPITALS, 10) for letter in "TB"]
    return "/".join(("hooks.slack.com/services", *places, _draw(source, WORDS, 24)))


def _slack_token(source: random.Random) -> str:
    numbers = [_draw(source, string.digits, 12) for _ in range(2)]
    return "-".join(("xoxb", *numbers, _draw(source, WORDS, 24)))


def _web_token(source: random.Random) -> str:
    parts = (b'{"alg":"HS256","typ":"JWT"}', b'{"sub":"4711","admin":true}', source.randbytes(32))
    return ".".join(urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def _private_key(source: random.Random) -> str:
    body = b64encode(source.randbytes(600)).decode()
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    return "\n".join(
        ("-----BEGIN RSA PRIVATE " + "KEY-----", *lines, "-----END RSA PRIVATE KEY-----")
    )


FAKES: dict[str, Callable[[random.Random], str]] = {
    "AWS access key id": _key("AKIA", CAPITALS, 16),
    "AWS secret access key": _key("", WORDS + "/+", 40),
    "Anthropic API key": _key("sk-ant-api03-", WORDS + "-_", 95),
    "GitHub token": _key("ghp_", WORDS, 36),
    "GitLab token": _key("glpat-", WORDS + "-_", 20),
    "Google API key": _key("AIza", WORDS + "-_", 35),
    "Hugging Face token": _key("hf_", string.ascii_letters, 34),
    "JSON Web Token": _web_token,
    "OpenAI API key": _key("sk-proj-", WORDS + "-_", 156),
    "PyPI token": _key("pypi-AgEIcHlwaS5vcmc", WORDS + "-_", 160),
    "SendGrid API key": lambda s: f"SG.{_draw(s, WORDS, 22)}.{_draw(s, WORDS + '-_', 43)}",
    "Slack token": _slack_token,
    "Slack webhook": _slack_webhook,
    "Stripe key": _key("sk_live_", WORDS, 24),
    "Twilio API key": _key("SK", HEX, 32),
    "credential": _key("", WORDS, 40),
    "key": _key("", WORDS, 32),
    "npm token": _key("npm_", WORDS, 36),
    "password": _password,
    "password in a URL": _key("", WORDS, 16),
    "private key": _private_key,
    "secret": _key("", string.ascii_lowercase + string.digits + "!#^*-_+", 50),
    "token": _key("", HEX, 40),
}
