"""Lines that stand for code left out, and lines that only look like it."""

import time

import pytest

from assistant.edits.elisions import find_elision


@pytest.mark.parametrize(
    "line",
    [
        "# ...",
        "...",
        "    ...",
        "// …",
        "# ... rest unchanged",
        "# ... (rest of the code remains the same) ...",
        "# rest of the code",
        "    # The rest of the class remains unchanged.",
        "// ... existing code ...",
        "// … existing code …",
        "// existing code",
        "/* ... other methods ... */",
        "        {/* ... */}",
        "{/* existing components here */}",
        "<!-- ... remaining content ... -->",
        "-- ... same as before",
        "# (unchanged)",
        "# unchanged",
        "# same as original",
        "# other methods...",
        "# The remaining functions stay the same",
        "# [previous code here]",
        "# ... restliche Methoden bleiben ...",
        "# … 其余代码不变 …",
        "# code omitted for brevity",
        "# ... (omitted)",
        "# your code here",
        "# Keep existing imports",
        "[...]",
        "[... rest of the file ...]",
        "... rest of the code",
        "fn load() { /* ... */ }",
        "void load() { // existing implementation",
        "void load() { /* unchanged */ }",
        "    pass  # existing code",
        "def load(self):  # ... unchanged",
    ],
)
def test_a_line_that_stands_for_code_is_found(line: str) -> None:
    elision = find_elision(["def first():", line, "last()"], ["def first():", "last()"])
    assert elision is not None
    assert (elision.line, elision.text) == (2, line.strip())


@pytest.mark.parametrize(
    "line",
    [
        "x = [...existing, item]",
        "  ...existingItems,",
        "  ...rest",
        "def f(*args: Callable[..., int]) -> tuple[int, ...]:",
        "int printf(const char *format, ...);",
        "a[..., 0] = 1",
        'print("...")',
        'raise ValueError("the rest of the code remains the same ...")',
        "# the rest of the code assumes that x is sorted",
        "# Loading...",
        "# loads the existing rows of the table",
        "# same key as in the cache",
        "# the order is the same as in the file",
        "#",
        "# ----------",
        "// ---- existing users ----",
        "for x in range(1...10) {",
        "match x { 1..=3 => y, .. => z }",
        "",
        "# " + "rest " * 100,
    ],
)
def test_a_line_that_says_something_else_is_not(line: str) -> None:
    assert find_elision([line], []) is None


@pytest.mark.parametrize(
    "line",
    ["def load(self, path): ...", "function load() { ... }", "class load<T> {...};", "load: ..."],
)
def test_a_body_of_dots_is_code_left_out_where_there_was_a_body(line: str) -> None:
    assert find_elision([line], ["def load(self):", "    return 1"]) is not None
    assert find_elision([line], ["def reload(self):", "    load_all()"]) is None


def test_what_the_old_text_had_may_stay_but_not_become_more() -> None:
    old = ["class P(Protocol):", "    def a(self): ...", "    # ...", "    def b(self): ..."]
    assert find_elision(old, old) is None
    assert find_elision([*old[:3], old[1]], old) is not None
    assert find_elision([line.strip() for line in old], old) is None


def test_long_and_hostile_lines_take_no_time() -> None:
    lines = [
        "# " + "rest of the code " * 11,
        "{" * 190 + "...",
        "# " + "a " * 98 + "...",
        "." * 199,
    ]
    start = time.process_time()
    for line in lines * 250:
        find_elision([line], [])
    assert time.process_time() - start < 1
