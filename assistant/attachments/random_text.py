"""Tells text that a program drew at random from names, words and numbers that people choose."""

import re
from itertools import pairwise

SHORTEST_KEY = 16  # characters; below it only what is mixed like a password counts
SHORTEST_HEX = 24
FEWEST_DIFFERENT = 6  # characters; placeholders such as xxxx-xxxx have fewer
SYMBOLS = frozenset("!@#$^&*+?~")
# The 150 commonest pairs of letters in the words of Python's standard library, by their first
# letter. Four in five pairs of a word are among them, and one in five of a random text.
_FOLLOWERS = (
    "abcdgilmnprst bael caehiklort daeio eacdefglmnprstvx fefio ge haeio iacdefglmnoprstvz ke "
    "laeiloty maeiop nacdefgiost ocdlmnoprstuw paeiloprt qu raeimorst sacehiopstu taehiorstuy "
    "ublnrst vae wa ze"
)
_USUAL_PAIRS = frozenset(word[0] + second for word in _FOLLOWERS.split() for second in word[1:])


def looks_random(text: str) -> bool:
    """Whether this is drawn at random or mixed like a good password; for texts without blanks."""
    if len(set(text)) < FEWEST_DIFFERENT or _is_sequence(text):
        return False
    has_digit = any(character.isdigit() for character in text)
    if re.fullmatch(r"[0-9a-fA-F-]+", text):
        return has_digit and len(text) >= SHORTEST_HEX and not text.replace("-", "").isdigit()
    has_symbol = not SYMBOLS.isdisjoint(text)
    is_mixed = text.lower() != text != text.upper()
    if len(text) < SHORTEST_KEY:
        if has_digit and has_symbol:
            return any(map(str.isalpha, text))
        return is_mixed and (has_digit or has_symbol) and not is_spelled(text)
    is_long = len(text) >= SHORTEST_KEY + 4
    if has_digit and is_mixed:
        return not is_spelled(text, share=0.6)
    return (has_digit or (is_mixed and (has_symbol or is_long))) and not is_spelled(text)


def is_spelled(text: str, *, share: float = 0.5) -> bool:
    """Whether more than this share of its pairs of letters is usual; so it is without letters."""
    lower = text.lower()
    pairs = [a + b for a, b in pairwise(lower) if "a" <= a <= "z" >= b >= "a"]
    usual = sum(pair in _USUAL_PAIRS for pair in pairs)
    # Of one to three pairs most may be usual by chance.
    by_chance = 0.5 if len(pairs) < 4 else 0.0
    return usual > share * len(pairs) + by_chance or not any(map(str.isalpha, text))


def _is_sequence(text: str) -> bool:
    """An alphabet, or 12345678."""
    steps = sum(ord(b) - ord(a) == 1 for a, b in pairwise(text))
    return 2 * steps > len(text)
