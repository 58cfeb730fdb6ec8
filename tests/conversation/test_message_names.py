"""`k7m2q.4` means a message, `k7m2q` a conversation, and nothing the latest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.conversation.message_names import MessageName, join_name, split_name
from assistant.errors import InputError


@given(st.from_regex(r"[a-z][a-z0-9]{4}", fullmatch=True), st.integers(1, 999_999_999))
def test_a_name_is_split_as_it_was_joined(name: str, number: int) -> None:
    assert split_name(join_name(name, number)) == MessageName(name, number)


def test_what_is_left_out_is_the_latest_or_the_whole() -> None:
    assert split_name("") == MessageName("", None)
    assert split_name("k7") == MessageName("k7", None)
    assert split_name(".4") == MessageName("", 4)


@pytest.mark.parametrize("word", ["k7.", "k7.0", "k7.-1", "k7.x", "k7.1.2", "k7.²", "k7.٤", "."])
def test_a_number_that_is_none_is_refused(word: str) -> None:
    with pytest.raises(InputError, match="is no message"):
        split_name(word)


def test_a_number_without_end_is_refused() -> None:
    with pytest.raises(InputError):
        split_name(f"k7.{'9' * 5000}")
