"""Commands about the model and the settings. What they change holds until the chat is over."""

from collections.abc import Iterable, Iterator

from assistant.chat_commands.chat import Chat
from assistant.chat_commands.command import Choice, Command
from assistant.chat_commands.effects import (
    ConversationChanged,
    Effect,
    Loading,
    ModelChanged,
    Say,
    ShowTable,
    ThemeChosen,
)
from assistant.chat_commands.known_models import known_models
from assistant.chat_commands.typed_settings import AT_START, DEFAULT, FOR_ENGINES, known_key
from assistant.chat_commands.wording import as_code
from assistant.config import SETTINGS, SWITCHES, nearest, setting_text
from assistant.errors import ModelError, UsageError
from assistant.spoken_languages import LANGUAGES, language_name

ONE_OF = "is one of "


def model(chat: Chat, rest: str) -> Iterator[Effect]:
    if not rest:
        yield Say(_model_said(chat))
        known = known_models(chat.settings.model)
        rows = tuple((f"/model {one.name}", one.about) for one in known)
        yield ShowTable(rows, "models on this machine")
        return
    for event in chat.change_model(rest):
        yield Loading(event)
    yield ModelChanged(chat.info.name)


def _model_said(chat: Chat) -> str:
    try:
        info = chat.info
    except ModelError:
        return "The model is still being loaded." if chat.is_loading else "No model is loaded."
    name = f"{info.name} {info.quantisation}".rstrip()
    facts = [f"{info.window:,} tokens of window", info.device]
    if info.parameters:
        facts.insert(0, f"{info.parameters / 1e6:,.0f} million parameters")
    return f"The model is {as_code(name)}: {', '.join(filter(None, facts))}."


def set_(chat: Chat, rest: str) -> Iterator[Effect]:
    key, _, value = rest.replace("=", " ", 1).partition(" ")
    value = value.strip()
    if not key:
        rows = tuple((name, _shown(chat, name), SETTINGS[name].sentence) for name in SETTINGS)
        yield ShowTable(
            rows, f"settings; /set KEY VALUE changes one, /set KEY {DEFAULT} puts it back"
        )
    elif not value:
        known_key(key)
        yield Say(f"{as_code(key)} is {as_code(_shown(chat, key))}. {SETTINGS[key].sentence}")
    elif key == "theme":
        yield from theme(chat, value)
    elif key in AT_START:
        raise UsageError(
            f"{key} is chosen before the chat opens", f"llmchat config set {key} {value}"
        )
    else:
        yield from _change(chat, key, value)
        yield Say(f"{as_code(key)} is {as_code(_shown(chat, key))}.")


def _change(chat: Chat, key: str, value: str) -> Iterator[Effect]:
    for event in chat.change_setting(key, value):
        yield Loading(event)
    if key in FOR_ENGINES:
        yield ModelChanged(chat.info.name)
    if key == "history":
        yield ConversationChanged()
        kept = "kept" if chat.settings.history else "not kept"
        yield Say(f"A new conversation begins, and it is {kept}.")


def _shown(chat: Chat, key: str) -> str:
    return setting_text(key, getattr(chat.settings, key)) or "not set"


def theme(chat: Chat, rest: str) -> Iterator[Effect]:
    if not chat.themes:
        raise UsageError(
            "themes are for the full-screen chat", "llmchat in a terminal, without --linear"
        )
    if not rest:
        rows = tuple((f"/theme {name}",) for name in chat.themes)
        yield ShowTable(rows, "themes")
        return
    if rest not in (*chat.themes, DEFAULT):
        raise UsageError(f"there is no theme {rest[:80]}", nearest(rest, chat.themes))
    yield from _change(chat, "theme", rest)
    yield ThemeChosen(chat.settings.theme)


def system(chat: Chat, rest: str) -> Iterator[Effect]:
    if rest:
        yield from _change(chat, "system", rest)
    said = chat.settings.system
    if not said:
        yield Say("The system message is the prompt's own.")
    else:
        yield Say(f"The system message is {as_code(said)}; `/system {DEFAULT}` takes it back.")


def lang(chat: Chat, rest: str) -> Iterator[Effect]:
    if rest:
        yield from _change(chat, "lang", rest)
    chosen = chat.settings.lang
    name = language_name(chosen) if chosen else "the one of the locale"
    yield Say(f"The language of answers is {name if not chosen else as_code(name)}.")


# ── completion ──────────────────────────────────────────────────────────────────────────────


def _models(chat: Chat, rest: str) -> Iterable[Choice]:
    known = known_models(chat.settings.model)
    return (Choice(one.name, one.about) for one in known if one.name.startswith(rest))


def _settings(_chat: Chat, rest: str) -> Iterable[Choice]:
    """Names, and then what some of them take."""
    key, blank, value = rest.partition(" ")
    if not blank:
        for name, setting in SETTINGS.items():
            if name.startswith(key):
                yield Choice(f"{name} ", setting.sentence)
    elif key in SETTINGS:
        for word in (*_values(key), DEFAULT):
            if word.startswith(value.lstrip()):
                yield Choice(f"{key} {word}")


def _values(key: str) -> tuple[str, ...]:
    takes = SETTINGS[key].takes
    if bool in takes.types:
        return tuple(word for word in SWITCHES if not word.isdecimal())
    known = takes.words.removeprefix(ONE_OF)
    return tuple(known.split(", ")) if known != takes.words else ()


def _themes(chat: Chat, rest: str) -> Iterable[Choice]:
    return (Choice(name) for name in chat.themes if name.startswith(rest))


def _languages(_chat: Chat, rest: str) -> Iterable[Choice]:
    found = ((code, name) for code, name in LANGUAGES.items())
    return (Choice(c, n) for c, n in found if c.startswith(rest) or n.lower().startswith(rest))


COMMANDS = (
    Command(
        "model", "Say which model answers, or take another.", model, "[NAME]", complete=_models
    ),
    Command("system", "Say something else to the model before all.", system, f"[TEXT | {DEFAULT}]"),
    Command(
        "lang",
        "Choose the language of answers.",
        lang,
        f"[LANGUAGE | {DEFAULT}]",
        complete=_languages,
    ),
    Command("theme", "Choose the colours.", theme, "[NAME]", complete=_themes, waits=False),
    Command("set", "See or change settings.", set_, "[KEY [VALUE]]", complete=_settings),
)
