"""FILE::symbol: in every language a definition comes whole, with what stands directly above."""

import time
from pathlib import Path

import pytest

from assistant.attachments import definitions
from assistant.attachments.grammars import BY_SUFFIX
from assistant.attachments.reading import attach
from assistant.errors import InputError

SOURCES = {
    "app.py": """
import os

LIMIT = 3
x, y = 1, 2
type Pair[T] = tuple[T, T]

text = "def hidden(): pass"

# Directly
# above.
@decorator(
    1
)
# between
async def load(
    path,
):
    local = 1
    def inner():
        return 1

    return inner


# Not above: a blank line follows.

class Config:
    size: int = 1
    class Nested:
        def deep(self): return 1
    # of the method
    @property
    def load(self):
        class Local:
            def far(self): pass
    z = 1  # trailing
    def after(self): pass

if LIMIT:
    def branch(): pass
""",
    "app.js": """
/** Says hello. */
export const hello = (name) => {
  const inner = () => 1;
  const plain = 2;
};
const a = 1,
  b = function () {};
/* block */
export default class Shop extends Base {
  static count = 0;
  #secret() {}
  get total() { return 1; }
  'quoted name'() {}
}
exports.run = async function () {};
Shop.prototype.close = () => 3;
const api = {
  load() {},
  save: () => 1,
  version: 2,
};
function* walk() {}
""",
    "app.jsx": "// shown\nexport function Button({ name }) {\n  return <b>{name}</b>;\n}\n",
    "app.ts": """
export interface Shape { area(): number }
type Id = string;
// The space.
namespace Space.Inner {
  export const depth = 1;
}
@sealed
export abstract class Box<T> {
  private size = 1;
  abstract open(): void;
  @memo()
  close(): void {}
}
export enum Color { Red }
declare function outside(): void;
function one(x: string): void;
const generic = <T,>(x: T) => x;
""",
    "app.tsx": "export const App: FC = () => {\n  return <div />;\n};\n",
    "app.go": """
package main

// Stack holds.
type Stack[T any] struct{}

// Push adds.
func (s *Stack[T]) Push(x T) {}

func (Stack[T]) Len() int { var local = 1; return local }

type (
	// A is grouped.
	A struct{}
	B = int
)

const (
	One, Two = 1, 2
)

var single = 3

type Reader interface {
	Read(p []byte) int
}

func Push() {}
""",
    "app.rs": """
/// A point.
#[derive(Debug)]
// noted
pub struct Point<T> { x: T }

impl<T> Point<T> {
    /// Far away.
    #[inline]
    pub fn far(&self) -> bool {
        fn helper() {}
        true
    }
}

impl<T> fmt::Display for Point<T> {
    fn fmt(&self) {}
}

pub trait Shape { fn area(&self); const SIDES: u8 = 1; }
mod geometry { pub mod flat { pub fn area() {} } }
macro_rules! shout { () => {} }
static GLOBAL: u8 = 1;
union Bits { a: u8 }
""",
    "app.c": """
#define LIMIT 3
#define MAX(a, b) \\
    ((a) > (b) ? (a) : (b))

int load(const char *path);
struct Only;

/* A node. */
typedef struct Node {
    struct Node *next;
} Node, *NodeList;

// Loads.
static int *
load(const char *path)
{
    int local = 1;
    struct Node *node;
    return 0;
}

enum Color { RED };
int counter, *table[3];
int (*callback)(int) = 0;
union Bits { int a; };
""",
    "app.cpp": """
namespace outer::inner {

// A vector.
template <class T>
class Vector {
 public:
  Vector();
  explicit Vector(int n) {}
  ~Vector();
  T& at(int i);
  bool operator==(const V& v) { return 1; }
  int size;
};

}  // namespace

// Defined outside.
template <>
T& inner::Vector<int>::at(int i) {}

outer::inner::Vector::~Vector() {}
Foo& Foo::ref() { auto local = 1; return *this; }
Foo::operator bool() const { return true; }
using Number = int;
template <class T> concept Small = true;
struct Foo { virtual void draw() = 0; };
""",
    "app.h": "class Widget {\n  void paint();\n};\nint plain(int);\n",
    "App.java": """
/** The app. */
@Deprecated
public class App {
  // limit
  private static final int LIMIT = 1;
  App() {}
  /* runs */
  @Override
  public void run() { int local = 1; }
  static class Inner {
    void deep() {}
  }
  enum Color { RED { void paint() {} } }
}
record Point(int x) { Point {} }
interface Shape { double area(); }
""",
}
# file | symbol | its full name | the first line | the last line, unless it is the first
FOUND = r"""
app.py | LIMIT | LIMIT | LIMIT = 3
app.py | y | y | x, y = 1, 2
app.py | Pair | Pair | type Pair[T] = tuple[T, T]
app.py | load | load | # Directly | return inner
app.py | load.inner | load.inner | def inner(): | return 1
app.py | inner | load.inner | def inner(): | return 1
app.py | Config | Config | class Config: | def after(self): pass
app.py | Config::load | Config.load | # of the method | def far(self): pass
app.py | far | Config.load.Local.far | def far(self): pass
app.py | Nested.deep | Config.Nested.deep | def deep(self): return 1
app.py | size | Config.size | size: int = 1
app.py | after | Config.after | def after(self): pass
app.py | branch | branch | def branch(): pass
app.js | hello | hello | /** Says hello. */ | };
app.js | inner | hello.inner | const inner = () => 1;
app.js | b | b | b = function () {};
app.js | Shop | Shop | /* block */ | }
app.js | count | Shop.count | static count = 0;
app.js | Shop.#secret | Shop.#secret | #secret() {}
app.js | total | Shop.total | get total() { return 1; }
app.js | quoted name | Shop.quoted name | 'quoted name'() {}
app.js | run | run | exports.run = async function () {};
app.js | Shop.close | Shop.close | Shop.prototype.close = () => 3;
app.js | api.load | api.load | load() {},
app.js | save | api.save | save: () => 1,
app.js | api | api | const api = { | };
app.js | walk | walk | function* walk() {}
app.jsx | Button | Button | // shown | }
app.ts | Shape.area | Shape.area | export interface Shape { area(): number }
app.ts | Id | Id | type Id = string;
app.ts | Space.Inner | Space.Inner | // The space. | }
app.ts | depth | Space.Inner.depth | export const depth = 1;
app.ts | Box | Box | @sealed | }
app.ts | Box.size | Box.size | private size = 1;
app.ts | open | Box.open | abstract open(): void;
app.ts | close | Box.close | @memo() | close(): void {}
app.ts | Color | Color | export enum Color { Red }
app.ts | outside | outside | declare function outside(): void;
app.ts | generic | generic | const generic = <T,>(x: T) => x;
app.tsx | App | App | export const App: FC = () => { | };
app.go | Stack | Stack | // Stack holds. | type Stack[T any] struct{}
app.go | Stack.Push | Stack.Push | // Push adds. | func (s *Stack[T]) Push(x T) {}
app.go | Push | Push | func Push() {}
app.go | Len | Stack.Len | func (Stack[T]) Len() int { var local = 1; return local }
app.go | A | A | // A is grouped. | A struct{}
app.go | B | B | B = int
app.go | Two | Two | const ( | )
app.go | single | single | var single = 3
app.go | Reader.Read | Reader.Read | Read(p []byte) int
app.rs | Point | Point | /// A point. | pub struct Point<T> { x: T }
app.rs | impl Point | impl Point | impl<T> Point<T> { | }
app.rs | Point::far | Point.far | /// Far away. | }
app.rs | helper | Point.far.helper | fn helper() {}
app.rs | impl Display for Point | impl Display for Point | impl<T> fmt::Display for Point<T> { | }
app.rs | fmt | Point.fmt | fn fmt(&self) {}
app.rs | Shape::area | Shape.area | pub trait Shape { fn area(&self); const SIDES: u8 = 1; }
app.rs | flat::area | geometry.flat.area | mod geometry { pub mod flat { pub fn area() {} } }
app.rs | shout | shout | macro_rules! shout { () => {} }
app.rs | GLOBAL | GLOBAL | static GLOBAL: u8 = 1;
app.rs | Bits | Bits | union Bits { a: u8 }
app.c | LIMIT | LIMIT | #define LIMIT 3
app.c | MAX | MAX | #define MAX(a, b) \ | ((a) > (b) ? (a) : (b))
app.c | Node | Node | /* A node. */ | } Node, *NodeList;
app.c | NodeList | NodeList | /* A node. */ | } Node, *NodeList;
app.c | load | load | // Loads. | }
app.c | Color | Color | enum Color { RED };
app.c | table | table | int counter, *table[3];
app.c | callback | callback | int (*callback)(int) = 0;
app.cpp | Vector | outer.inner.Vector | // A vector. | };
app.cpp | Vector::Vector | outer.inner.Vector.Vector | explicit Vector(int n) {}
app.cpp | at | inner.Vector.at | // Defined outside. | T& inner::Vector<int>::at(int i) {}
app.cpp | ~Vector | outer.inner.Vector.~Vector | outer::inner::Vector::~Vector() {}
app.cpp | operator == | outer.inner.Vector.operator== | bool operator==(const V& v) { return 1; }
app.cpp | size | outer.inner.Vector.size | int size;
app.cpp | Foo::ref | Foo.ref | Foo& Foo::ref() { auto local = 1; return *this; }
app.cpp | operator bool | Foo.operator bool | Foo::operator bool() const { return true; }
app.cpp | Number | Number | using Number = int;
app.cpp | Small | Small | template <class T> concept Small = true;
app.cpp | draw | Foo.draw | struct Foo { virtual void draw() = 0; };
app.h | Widget.paint | Widget.paint | void paint();
app.h | plain | plain | int plain(int);
App.java | App | App | /** The app. */ | }
App.java | App.App | App.App | App() {}
App.java | LIMIT | App.LIMIT | // limit | private static final int LIMIT = 1;
App.java | run | App.run | /* runs */ | public void run() { int local = 1; }
App.java | Inner.deep | App.Inner.deep | void deep() {}
App.java | RED.paint | App.Color.RED.paint | enum Color { RED { void paint() {} } }
App.java | Point | Point | record Point(int x) { Point {} }
App.java | area | Shape.area | interface Shape { double area(); }
"""
HIDDEN = """
app.py | hidden local inner.local text.hidden load.local
app.js | plain inner.plain version api.version name
app.go | local
app.c | local Only next.Node node
app.cpp | local v T
App.java | local
"""


@pytest.fixture(autouse=True)
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, source in SOURCES.items():
        (tmp_path / name).write_text(source)


def rows(table: str) -> list[list[str]]:
    return [row.split(" | ") for row in table.strip().split("\n")]


@pytest.mark.parametrize("row", rows(FOUND), ids=lambda row: f"{row[0]}::{row[1]}")
def test_a_definition_comes_whole(row: list[str]) -> None:
    file, symbol, name, first_line, *rest = row
    [attachment] = attach([f"{file}::{symbol}"], None).attachments
    lines = attachment.text.rstrip("\n").split("\n")
    assert (lines[0].strip(), lines[-1].strip()) == (first_line, rest[0] if rest else first_line)
    assert attachment.source is not None
    assert attachment.source.lines is not None
    first, last = attachment.source.lines
    assert SOURCES[file].split("\n")[first - 1 : last] == lines
    shown = f"line {first}" if first == last else f"lines {first}-{last}"
    assert attachment.name == f"{file}::{name} ({shown})"


@pytest.mark.parametrize("row", rows(HIDDEN), ids=lambda row: row[0])
def test_what_is_local_or_only_mentioned_is_no_definition(row: list[str]) -> None:
    for symbol in row[1].split():
        with pytest.raises(InputError, match="has no definition of"):
            attach([f"{row[0]}::{symbol}"], None)


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        (
            "app.go::push",
            "app.go has no definition of push",
            "did you mean Stack.Push (lines 7-8), Push (line 28)? all names: app.go::",
        ),
        ("app.py::zzzzzz", "app.py has no definition of zzzzzz", "all names: app.py::"),
        (
            "app.cpp::",
            "app.cpp:: needs a name: outer.inner, outer.inner.Vector, outer.inner.Vector.Vector, "
            "outer.inner.Vector.~Vector, outer.inner.Vector.at, outer.inner.Vector.operator==, "
            "outer.inner.Vector.size, inner.Vector.at, Foo.ref, Foo.operator bool, Number, Small, "
            "Foo, Foo.draw",
            "for example app.cpp::outer.inner",
        ),
        (
            "app.py::Config.",
            "app.py::Config needs a name: Config.size, Config.Nested, Config.load, Config.z, "
            "Config.after",
            "for example app.py::Config.size",
        ),
        ("app.py::Nothing.", "app.py::Nothing has no definitions", "name lines: app.py:10-40"),
        (
            "twice.ts::f",
            "twice.ts has 3 definitions of f: f (line 1), f (line 2), f (line 3)",
            "name the lines: twice.ts:1-1",
        ),
        (
            "many.py::f",
            "many.py has 20 definitions of f: "
            + ", ".join(f"C{n}.f (line {3 * n + 2})" for n in range(8))
            + " and 12 more",
            "name the lines: many.py:2-2",
        ),
        (
            "notes.md::x",
            "notes.md: symbols are found in C, C++, Go, Java, JavaScript, Python, Rust and "
            "TypeScript",
            "name lines instead: notes.md:10-40",
        ),
        (
            "empty.py::x",
            "empty.py has no definition of x, nor of anything else",
            "name lines: empty.py:10-40",
        ),
    ],
)
def test_a_symbol_that_is_not_there_or_not_alone_is_answered_with_what_there_is(
    name: str, message: str, hint: str
) -> None:
    Path("twice.ts").write_text(
        "function f(a: string): void;\nfunction f(a: number): void;\nfunction f(a: any) {}\n"
    )
    Path("many.py").write_text("".join(f"class C{n}:\n    f = 1\n\n" for n in range(20)))
    Path("notes.md").write_text("# x\n")
    Path("empty.py").touch()
    with pytest.raises(InputError) as caught:
        attach([name], None)
    assert caught.value.message == message
    assert caught.value.hint == hint


def test_a_long_list_of_names_is_cut_and_says_so() -> None:
    Path("long.py").write_text("".join(f"def f{n}(): pass\n" for n in range(100)))
    with pytest.raises(InputError, match=r"f58, f59 and 40 more$"):
        attach(["long.py::"], None)


@pytest.mark.parametrize("suffix", sorted(BY_SUFFIX))
def test_every_grammar_loads_and_recovers_from_broken_code(suffix: str) -> None:
    Path(f"broken.{suffix}").write_text("}}} (((\n\x0c\x7f `'\"")
    with pytest.raises(InputError, match="has no definition of x"):
        attach([f"broken.{suffix}::x"], None)


@pytest.mark.parametrize(
    ("file", "source", "text"),
    [
        ("a.py", "def f(:\n    x = 1\n\ndef good(x):\n    return x\n\nclass :\n", "def good"),
        ("a.c", "int broken( {\n\nint good(void) {\n  return 1;\n}\n", "int good"),
        ("a.ts", "const = ;\nfunction good() {\n  return 1\n}\nclass {", "function good"),
        ("a.go", "func f() { x := }\n\nfunc good() {}\n}}\n", "func good"),
    ],
)
def test_a_good_definition_in_broken_code_is_found(file: str, source: str, text: str) -> None:
    Path(file).write_text(source)
    [attachment] = attach([f"{file}::good"], None).attachments
    assert attachment.text.startswith(text)


def test_lines_are_those_of_the_file_whatever_its_line_ends_and_encoding() -> None:
    text = "# é\r\nx = 1\r\n\r\n# größe\r\ndef größe():\r\n    pass\r\ny = 2"
    for encoding in ("utf-8-sig", "utf-16", "cp1252"):
        Path("odd.py").write_bytes(text.encode(encoding))
        [attachment] = attach(["odd.py::größe"], None).attachments
        assert attachment.text == "# größe\r\ndef größe():\r\n    pass\r\n"


def test_code_nested_more_deeply_than_python_calls_is_read() -> None:
    deep = "".join(" " * depth + "if x:\n" for depth in range(1_500))
    Path("deep.py").write_text(deep + " " * 1_500 + "def bottom(): pass\n" + "(" * 3_000)
    [attachment] = attach(["deep.py::bottom"], None).attachments
    assert attachment.text.strip() == "def bottom(): pass"


def test_a_name_in_many_places_is_found_as_well() -> None:
    Path("often.py").write_text("x = [" + "f, " * 5_000 + "]\ndef f(): pass\n" + "f()\n" * 5_000)
    [attachment] = attach(["often.py::f"], None).attachments
    assert attachment.text == "def f(): pass\n"


def test_a_parser_that_does_not_come_to_an_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(definitions, "PARSE_SECONDS", 0.2)
    Path("slow.cpp").write_text("a<" * 100_000)
    with pytest.raises(InputError, match=r"slow.cpp cannot be read as C\+\+: it takes too long"):
        attach(["slow.cpp::x"], None)


def test_very_many_definitions_of_one_name_are_told_apart_quickly(tmp_path: Path) -> None:
    file = tmp_path / "many.py"
    file.write_text("def f(): pass\n" * 20_000)
    started = time.process_time()
    with pytest.raises(InputError, match="has 20000 definitions of f: "):
        attach([f"{file}::f"], None)
    assert time.process_time() - started < 10
