"""Finds API keys and other secrets in text, so that a warning can be given before it is sent.

Only where they stand and what they look like comes out, never a secret itself.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import starmap
from typing import NamedTuple

from msgspec import Struct

from assistant.attachments.assigned_secrets import PLACEHOLDER, find_assigned
from assistant.attachments.random_text import FEWEST_DIFFERENT, is_spelled, looks_random


class Secret(Struct, frozen=True):
    """What it looks like ("GitHub token"), and its line, from 1."""

    kind: str
    line: int


class _Format(NamedTuple):
    """Keys that begin with `start`, which is fast to look for; a pattern tells what follows.

    A group of `rest` is the part that has to look drawn at random, if it is not all of it.
    """

    kind: str
    start: str
    rest: str


# As the documentation of each has them, or the keys that are given out.
_FORMATS = (
    _Format("AWS access key id", "AKIA", r"[A-Z0-9]{16}(?!\w)"),
    _Format("AWS access key id", "ASIA", r"[A-Z0-9]{16}(?!\w)"),
    _Format("GitHub token", "gh", r"[pousr]_[A-Za-z0-9]{36,255}+"),
    _Format("GitHub token", "github_pat_", r"\w{22,255}+"),
    _Format("GitLab token", "gl", r"(?:pat|dt|rt|cbt|ptt|ft|soat|agent)-([\w-]{20,300}+)"),
    _Format("Slack token", "xox", r"[abceoprs]-([\w-]{16,500}+)"),
    _Format("Slack token", "xapp-", r"[\w-]{16,500}+"),
    _Format(
        "Slack webhook",
        "hooks.slack.com/",
        r"(?:services|workflows|triggers)/[\w/-]{8,80}/(\w{16,40})(?!\w)",
    ),
    _Format("Google API key", "AIza", r"[\w-]{35}(?![\w-])"),
    _Format("Google client secret", "GOCSPX-", r"[\w-]{28}(?![\w-])"),
    _Format("Google access token", "ya29.", r"[\w-]{40,2000}+"),
    _Format("Anthropic API key", "sk-ant-", r"[\w-]{20,300}+"),
    _Format("OpenRouter API key", "sk-or-v1-", r"[0-9a-f]{64}"),
    _Format("OpenAI API key", "sk-proj-", r"[\w-]{20,300}+"),
    _Format("OpenAI API key", "sk-svcacct-", r"[\w-]{20,300}+"),
    _Format("OpenAI API key", "sk-admin-", r"[\w-]{20,300}+"),
    _Format("OpenAI API key", "sk-", r"[A-Za-z0-9]{20,100}+(?![\w-])"),
    _Format("Hugging Face token", "hf_", r"[A-Za-z0-9]{34}(?!\w)"),
    _Format("Hugging Face token", "api_org_", r"[A-Za-z0-9]{34}(?!\w)"),
    _Format("Stripe key", "sk_live_", r"[A-Za-z0-9]{16,250}+"),
    _Format("Stripe key", "rk_live_", r"[A-Za-z0-9]{16,250}+"),
    _Format("Stripe webhook secret", "whsec_", r"[A-Za-z0-9+/]{24,100}+"),
    _Format("npm token", "npm_", r"[A-Za-z0-9]{36}(?!\w)"),
    _Format("PyPI token", "pypi-Ag", r"[\w-]{50,1000}+"),
    _Format("SendGrid API key", "SG.", r"[\w-]{16,32}\.[\w-]{32,64}(?![\w-])"),
    _Format("Twilio API key", "SK", r"[0-9a-f]{32}(?!\w)"),
    _Format("DigitalOcean token", "dop_v1_", r"[0-9a-f]{64}"),
    _Format("Docker token", "dckr_pat_", r"[\w-]{20,100}+"),
    _Format("Grafana token", "glsa_", r"[A-Za-z0-9]{32}_[0-9a-f]{8}"),
    _Format("Groq API key", "gsk_", r"[A-Za-z0-9]{40,100}+"),
    _Format("Replicate token", "r8_", r"[A-Za-z0-9]{37}(?!\w)"),
    _Format("Shopify token", "shp", r"(?:at|ca|pa|ss)_([0-9a-fA-F]{32})"),
    _Format("Vault token", "hvs.", r"[\w-]{24,300}+"),
    _Format("age key", "AGE-SECRET-KEY-1", r"[A-Z0-9]{58}"),
    _Format("storage account key", "AccountKey=", r"[A-Za-z0-9+/]{80,100}={0,2}"),
    # Three parts, of which two begin with `{"`. Possessive: no part is read twice.
    _Format("JSON Web Token", "eyJ", r"[\w-]{10,}+\.eyJ[\w-]{10,}+\.([\w-]{16,}+)"),
    # An encrypted one as well: its passphrase may be short. The mark alone is no key.
    _Format(
        "private key",
        "-----BEGIN ",
        r"(?:[A-Z0-9]{2,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:\\[nrt]|[^A-Za-z0-9+/=]|[A-Z][\w-]{2,20}:[^\n\\]{0,100}){1,80}+([A-Za-z0-9+/]{40})",
    ),
)
# No letter, digit or dash stands before a key, unless it ends an escape such as \n.
_BORDER = r"(?:(?<![\w-]{start})|(?<=\\[nrt]{start}))"


class _Span(NamedTuple):
    start: int
    end: int
    kind: str


def find_secrets(text: str) -> list[Secret]:
    """The secrets of a text in their order. The time grows as the text does."""
    found = sorted(_find_formats(text))
    for others in (_find_url_passwords(text), starmap(_Span, find_assigned(text))):
        found = sorted([*found, *_apart_from(found, others)])
    secrets, line, position = [], 1, 0
    for span in found:
        line += text.count("\n", position, span.start)
        position = span.start
        secrets.append(Secret(span.kind, line))
    return secrets


def _apart_from(found: list[_Span], others: Iterable[_Span]) -> Iterator[_Span]:
    """Those of the others that are not found already under a better name."""
    starts = [span.start for span in found]
    for span in others:
        before = bisect_left(starts, span.end)
        if not before or found[before - 1].end <= span.start:
            yield span


# ── keys that are told by their form ────────────────────────────────────────────────────────


def _find_formats(text: str) -> Iterator[_Span]:
    for kind, start, rest in _FORMATS:
        if start not in text:
            continue  # most texts have none, and nothing is compiled for them
        for found in _pattern(start, rest).finditer(text):
            drawn = found[1] if found.lastindex else found[0].removeprefix(start)
            if _is_drawn(drawn):
                yield _Span(*found.span(), kind)


@cache
def _pattern(start: str, rest: str) -> re.Pattern[str]:
    literal = re.escape(start)
    return re.compile(literal + _BORDER.replace("{start}", literal) + rest, re.ASCII)


def _is_drawn(text: str) -> bool:
    if len(set(text)) < FEWEST_DIFFERENT or re.search(PLACEHOLDER, text):
        return False
    return any(map(str.isdigit, text)) or not is_spelled(text, share=0.7)


# ── passwords in URLs ───────────────────────────────────────────────────────────────────────

# Compiled when they are used: many texts have no URL.
_URL = r"""://([^\s:/@"'<>`]{0,100}+):([^\s/"'<>`]{3,200})@([\w.-]{1,200}+)"""
_EXAMPLE_HOST = (
    r"(?i)(?:.*\.)?example(?:\.\w+)?|.*\.(?:test|invalid)"
    r"|(?:my|your|some)?[_-]?(?:host|hostname|server|domain)(?:\.(?:com|org|net))?"
)
_LOCAL_HOST = r"(?i)localhost|127\..*|0\.0\.0\.0"
_USUAL_PASSWORDS = (
    r"(?i)(?:my|your|some|the|db|user)?[_-]?(?:p|pw|pwd|pass|passwd|password|secret|token|key|auth)"
    r"[_-]?(?:word)?\d{0,4}"
)


def _find_url_passwords(text: str) -> Iterator[_Span]:
    for found in re.finditer(_URL, text) if "://" in text else ():
        user, password, host = found.groups()
        if password != user and not _is_made_up(password, host):
            yield _Span(*found.span(2), "password in a URL")


def _is_made_up(password: str, host: str) -> bool:
    """Whether it is one of an example, or of a server for trying things out."""
    if re.fullmatch(_EXAMPLE_HOST, host) or re.fullmatch(_USUAL_PASSWORDS, password):
        return True
    if re.fullmatch(_LOCAL_HOST, host) and not looks_random(password):
        return True
    is_word = len(set(password)) < 4 or (password.isalpha() and is_spelled(password))
    return is_word or re.search(PLACEHOLDER, password) is not None
