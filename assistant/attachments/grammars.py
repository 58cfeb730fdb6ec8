"""What tree-sitter calls the things that a language's definitions are made of.

One table entry for each language whose symbols can be attached; the reading is definitions'.
"""

from dataclasses import dataclass
from importlib import import_module
from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Language


def _kinds(words: str) -> frozenset[str]:
    return frozenset(words.split())


@dataclass(frozen=True, slots=True)
class Grammar:
    """Kinds of nodes, as the grammar in `module` names them.

    `definitions` define a name everywhere; `variables` do unless they stand inside `bodies`,
    where they are local, or hold a function; `function_values` do only when they hold one.
    `wrappers` belong to the one definition that they hold (`export`, decorators), `above` to
    the definition on the line below. `needs_body`: without one they only mention the name.
    `transparent` ones add no name to what stands inside them.
    """

    shown: str
    module: str
    definitions: frozenset[str]
    variables: frozenset[str] = frozenset()
    function_values: frozenset[str] = frozenset()
    bodies: frozenset[str] = frozenset()
    wrappers: frozenset[str] = frozenset()
    above: frozenset[str] = frozenset({"comment"})
    needs_body: frozenset[str] = frozenset()
    transparent: frozenset[str] = frozenset()
    function: str = "language"

    def load(self) -> "Language":
        """The compiled grammar. Takes 15 ms for the first of a process."""
        from tree_sitter import Language  # takes 10 ms, and most attachments need no grammar

        return Language(getattr(import_module(self.module), self.function)())


PYTHON = Grammar(
    "Python",
    "tree_sitter_python",
    definitions=_kinds("function_definition class_definition type_alias_statement"),
    variables=_kinds("assignment"),
    bodies=_kinds("function_definition lambda"),
    wrappers=_kinds("decorated_definition"),
)

_SCRIPT_DEFINITIONS = _kinds(
    "function_declaration generator_function_declaration class_declaration method_definition"
    " field_definition"
)
_SCRIPT_BODIES = _kinds(
    "function_declaration generator_function_declaration function_expression"
    " generator_function arrow_function method_definition class_static_block"
)
_SCRIPT_WRAPPERS = _kinds(
    "export_statement lexical_declaration variable_declaration ambient_declaration"
)
JAVASCRIPT = Grammar(
    "JavaScript",
    "tree_sitter_javascript",
    definitions=_SCRIPT_DEFINITIONS,
    variables=_kinds("variable_declarator"),
    function_values=_kinds("pair assignment_expression"),
    bodies=_SCRIPT_BODIES,
    wrappers=_SCRIPT_WRAPPERS,
    above=_kinds("comment decorator"),
)
_TYPED_DEFINITIONS = _SCRIPT_DEFINITIONS | _kinds(
    "abstract_class_declaration interface_declaration type_alias_declaration enum_declaration"
    " internal_module module function_signature method_signature abstract_method_signature"
    " public_field_definition"
)


def _typescript(function: str) -> Grammar:
    return Grammar(
        "TypeScript",
        "tree_sitter_typescript",
        definitions=_TYPED_DEFINITIONS,
        variables=JAVASCRIPT.variables,
        function_values=JAVASCRIPT.function_values,
        bodies=_SCRIPT_BODIES,
        wrappers=_SCRIPT_WRAPPERS,
        above=JAVASCRIPT.above,
        function=function,
    )


TYPESCRIPT, TSX = _typescript("language_typescript"), _typescript("language_tsx")

GO = Grammar(
    "Go",
    "tree_sitter_go",
    definitions=_kinds("function_declaration method_declaration type_spec type_alias method_elem"),
    variables=_kinds("const_spec var_spec"),
    bodies=_kinds("block"),
    wrappers=_kinds("type_declaration const_declaration var_declaration"),
)

RUST = Grammar(
    "Rust",
    "tree_sitter_rust",
    definitions=_kinds(
        "function_item function_signature_item struct_item enum_item union_item trait_item"
        " impl_item mod_item type_item associated_type const_item static_item macro_definition"
    ),
    above=_kinds("line_comment block_comment attribute_item"),
)

_C_TYPES = _kinds("struct_specifier union_specifier enum_specifier")
_C_DEFINITIONS = _C_TYPES | _kinds(
    "function_definition type_definition preproc_def preproc_function_def"
)
C = Grammar(
    "C",
    "tree_sitter_c",
    definitions=_C_DEFINITIONS,
    variables=_kinds("declaration"),
    bodies=_kinds("compound_statement"),
    wrappers=_kinds("type_definition declaration"),
    needs_body=_C_TYPES,
    transparent=_kinds("type_definition declaration"),
)
_CPP_TYPES = _C_TYPES | _kinds("class_specifier")
CPP = Grammar(
    "C++",
    "tree_sitter_cpp",
    definitions=_C_DEFINITIONS
    | _CPP_TYPES
    | _kinds("namespace_definition alias_declaration concept_definition"),
    variables=_kinds("declaration field_declaration"),
    bodies=_kinds("compound_statement"),
    wrappers=_kinds("template_declaration type_definition declaration field_declaration"),
    needs_body=_CPP_TYPES,
    transparent=_kinds("type_definition declaration field_declaration"),
)

JAVA = Grammar(
    "Java",
    "tree_sitter_java",
    definitions=_kinds(
        "class_declaration interface_declaration enum_declaration record_declaration"
        " annotation_type_declaration method_declaration constructor_declaration"
        " compact_constructor_declaration annotation_type_element_declaration enum_constant"
    ),
    variables=_kinds("variable_declarator"),
    bodies=_kinds("block constructor_body lambda_expression"),
    wrappers=_kinds("field_declaration constant_declaration"),
    above=_kinds("line_comment block_comment"),
)

BY_SUFFIX = {
    **dict.fromkeys(("py", "pyi"), PYTHON),
    **dict.fromkeys(("js", "jsx", "mjs", "cjs"), JAVASCRIPT),
    **dict.fromkeys(("ts", "mts", "cts"), TYPESCRIPT),
    "tsx": TSX,
    "go": GO,
    "rs": RUST,
    "c": C,
    # Headers are C or C++; nearly all C reads the same in C++.
    **dict.fromkeys(("h", "cc", "cpp", "cxx", "hh", "hpp", "hxx"), CPP),
    "java": JAVA,
}
LANGUAGES = tuple(sorted({grammar.shown for grammar in BY_SUFFIX.values()}))


def grammar_of(file_name: str) -> Grammar | None:
    return BY_SUFFIX.get(PurePath(file_name).suffix.removeprefix(".").lower())
