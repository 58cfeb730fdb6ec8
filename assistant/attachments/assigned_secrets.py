"""Passwords, tokens and keys that a text gives a name: `api_key = "…"`, `--password …`."""

import re
from collections.abc import Iterator
from functools import cache

from assistant.attachments.random_text import SHORTEST_KEY, looks_random

LONGEST_VALUE = 200  # characters
OPENING = ("(", "[", "{")
CLOSING = ('"', "'", "`", "\\")  # a backslash escapes one
KINDS = {
    "pass": "password",
    "pwd": "password",
    "secret": "secret",
    "token": "token",
    "bearer": "token",
    "auth": "credential",
    "credential": "credential",
    "key": "key",
}
# ${NAME}, $NAME, %NAME%, {name}, <name> and what people write for "put yours here".
PLACEHOLDER = (
    r"^\$\w+$|^%\w+%$|^<|[$%]?[{(].*[})]|\*\*\*|xxxx|XXXX|\.\.\.|…|your|YOUR|placeholder|PLACEHOLDER"
    r"|[Cc]hange.?[Mm]e|CHANGE.?ME|redacted|REDACTED|dummy|DUMMY|replace|REPLACE"
)
# What a name ends with that stands for no secret itself.
HARMLESS_ENDS = (
    r"(?:id|ids|url|uri|name|path|file|type|hash|sha\d*|digest|checksum|arn|fingerprint|version)$"
)
IN_CALL = r"""\(\s?["'][\w.-]{0,60}$"""  # set("api_token", "…")
NAME = r"(?a)[a-zA-Z_]\w*(?:[.:-]+[a-zA-Z_]\w*)*[.:]?"
AWS_FORM = r"[A-Za-z0-9/+]{40}"


@cache
def _pattern() -> re.Pattern[str]:
    """For text in lower case. Most files have no such word, and need not wait for it.

    A sign is "=" and its like, a comma in a call, a blank as after an option, or `value` as in
    {"name": …, "value": …}.
    What a value took is not read again, so that no text takes long.
    """
    return re.compile(
        r"""(?P<name>(?:pass(?:word|wd|phrase|code)|pwd|secret|token|bearer|auth|credential
            |(?:api|access|private|account|signing|encryption|master|shared|service)[_.-]?key)
            [\w.-]{0,40}+)
        (?P<sign>
            \\?["'`]?\]?,?\s{1,30}+\\?"?value\\?"?[ \t]{0,4}[:=][ \t]{0,4}
            |\\?["'`]?\]?[ \t]{0,20}+(?:=>|:=|==?|:(?:[ \t]?[&'\w\[\]<>.|]{1,30}+[ ]=)?|[>,])
            [ \t]{0,20}+
            |[ ]
        )
        (?P<quote>[bru]{0,2}\\?["'`])?(?:(?:bearer|basic|token)[ ])?
        (?P<value>(?:[^\s"'`,;(){}\[\]<>\\&|]|&(?(quote)|(?![\w.]+=))){8,}+)""",
        re.VERBOSE,
    )


def find_assigned(text: str) -> Iterator[tuple[int, int, str]]:
    """Where a secret begins and ends, and its kind. Time grows as the text does."""
    lower = text.replace("\u0130", "i").lower()  # the one letter that lower() makes longer
    if not any(word in lower for word in KINDS):
        return
    for found in _pattern().finditer(lower):
        start, end = found.span("value")
        value = text[start:end]
        if len(value) > LONGEST_VALUE or not _is_assignment(found):
            continue
        if "access" in found["name"] and re.fullmatch(AWS_FORM, value):
            yield start, end, "AWS secret access key"
        elif _is_secret(value, is_quoted=bool(found["quote"])):
            yield start, end, _kind(found["name"])


def _is_assignment(found: re.Match[str]) -> bool:
    name, sign, text, end = found["name"], found["sign"], found.string, found.end()
    is_closed = text.startswith(CLOSING, end)
    is_call = text.startswith(OPENING, end) and not found["quote"]
    if is_call or (found["quote"] and not is_closed) or re.search(HARMLESS_ENDS, name):
        return False
    if "," in sign and "value" not in sign:
        before = text[max(0, found.start() - 80) : found.start()]
        return bool(found["quote"]) and re.search(IN_CALL, before) is not None
    return True


def _is_secret(value: str, *, is_quoted: bool) -> bool:
    if re.search(PLACEHOLDER, value) or "example" in value.lower():
        return False
    if not is_quoted and re.fullmatch(NAME, value) and len(value) < SHORTEST_KEY:
        return False  # a variable, in all likelihood
    return looks_random(value)


def _kind(name: str) -> str:
    return next(kind for word, kind in KINDS.items() if word in name)
