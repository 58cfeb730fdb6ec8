"""Words as they are typed behind a command: blanks part them, quotes keep them together."""

import re

from msgspec import Struct

# A quote belongs to a word only where it ends before a blank: "don't" has none. The @ of a
# mention may stand before it.
WORD = re.compile(r"\s*(?:@?\"([^\"]*)\"(?!\S)|@?'([^']*)'(?!\S)|(\S+))")


class FirstWord(Struct, frozen=True):
    """`word` without its quotes, and what stands behind it as it is."""

    word: str
    rest: str


def first_word(text: str) -> FirstWord:
    """ "" of nothing but blanks."""
    found = WORD.match(text)
    if found is None:
        return FirstWord("", "")
    word = next(group for group in found.groups() if group is not None)
    return FirstWord(word, text[found.end() :].strip())


def split_words(text: str) -> list[str]:
    words = []
    while text.strip():
        first = first_word(text)
        words.append(first.word)
        text = first.rest
    return words


def quoted(word: str) -> str:
    """As it has to be typed to be one word."""
    if word and not re.search(r"\s", word):
        return word
    return f"'{word}'" if '"' in word else f'"{word}"'
