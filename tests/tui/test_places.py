"""Which messages are widgets: always those that are shown, in their order, and few others."""

from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.tui.widgets.answer import AnswerView
from assistant.tui.widgets.notice import NoticeView
from assistant.tui.widgets.places import Place, Places

COUNT = 30


def places() -> Places:
    def place(number: int) -> Place:
        return Place(f"talk.{number}", lambda: NoticeView("x", name=f"talk.{number}"))

    return Places(place(number) for number in range(COUNT))


def names(made: Places) -> list[str]:
    return [view.name for view in made.shown]


WINDOWS = st.lists(st.tuples(st.integers(0, COUNT), st.integers(0, COUNT)), max_size=8)


@settings(deadline=None)
@given(WINDOWS)
def test_mounting_and_removing_as_told_gives_the_messages_in_their_order(
    windows: list[tuple[int, int]],
) -> None:
    made, mounted = places(), list[str]()
    for first, last in windows:
        if first > last:
            continue
        change = made.show(first, last)
        for view in change.removed:
            mounted.remove(view.name)
        for views, before in change.mounted:
            at = len(mounted) if before is None else mounted.index(before.name)
            mounted[at:at] = [view.name for view in views]
        assert mounted == names(made) == [f"talk.{number}" for number in range(first, last)]


def test_what_is_being_written_stays_a_widget() -> None:
    made = places()
    made.show(10, COUNT)
    writing = AnswerView("talk.30", "Small")
    made.append(writing)
    change = made.show(0, 10)
    assert writing not in change.removed
    assert not writing.display
    assert made.later == COUNT + 1 - 10
    writing.finish("Yes.")
    change = made.show(COUNT - 1, COUNT + 1)
    assert writing.styles.display == "block"
    assert [(len(views), before) for views, before in change.mounted] == [(1, writing)]


def test_a_message_that_comes_back_says_the_same() -> None:
    made = Places()
    view = AnswerView("talk.1", "Small")
    made.append(view)
    view.finish("It is so.", "I think", "done")
    made.show(0, 0)
    made.show(0, 1)
    again = made.shown[0]
    assert again is not view
    assert (again.name, again.text) == ("talk.1", "It is so.")
    assert again.content is view.content


def test_what_is_added_while_earlier_messages_are_shown_is_out_of_sight() -> None:
    made = places()
    made.show(0, 5)
    view = NoticeView("later")
    made.append(view)
    assert not view.display
    assert made.later == COUNT + 1 - 5


def test_forgetting_leaves_the_others_where_they_are() -> None:
    made = places()
    made.show(5, 15)
    assert [view.name for view in made.forget(10, 12)] == ["talk.10", "talk.11"]
    assert (made.first, made.last) == (5, 13)
    assert names(made)[4:6] == ["talk.9", "talk.12"]
    made.forget(0, 2)
    assert (made.first, made.last) == (3, 11)
    made.forget(4)
    assert (made.first, made.last, len(made)) == (3, 4, 4)
