"""Settings: who wins, what is refused and how it is named, and what saving leaves alone."""

import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

import pytest
from conftest import SCALE
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant import safe_files
from assistant.config import (
    FOR_PROJECTS,
    SETTINGS,
    Color,
    OutputForm,
    SamplingChoices,
    Settings,
    WhenFull,
    check_sampling,
    setting_text,
    variable,
)
from assistant.config_sources import (
    Given,
    Loaded,
    find_user_file,
    read_file,
    read_settings,
    remove_setting,
    save_setting,
)
from assistant.errors import AssistantError, UsageError

# A value of each setting other than its default, as it is typed.
TYPED = {
    "model": "a.gguf",
    "api_key_file": "~/key",
    "color": "never",
    "window": "2048",
    "kv_type": "q8_0",
    "threads": "2",
    "max_input": "1000",
    "resident": "false",
    "keep_alive": "2m",
    "snapshot_size": "500MB",
    "history": "false",
    "when_full": "drop",
    "device": "cuda",
    "dtype": "bf16",
    "int8": "true",
    "temperature": "0.5",
    "top_k": "40",
    "top_p": "0.9",
    "min_p": "0.05",
    "repeat_penalty": "1.1",
    "max_tokens": "1",
    "seed": "4294967295",
    "system": "Be brief.",
    "lang": "German",
    "reasoning": "only",
    "output": "json",
    "theme": "nord",
    "mouse": "false",
    "keys": "sidebar=f2",
    "timeout": "1.5",
}
FOR_SAMPLING = ("temperature", "top_k", "top_p", "min_p", "repeat_penalty", "max_tokens", "seed")
ALL = Settings(
    model="a.gguf",
    api_key_file="~/key",
    color=Color.NEVER,
    window=2048,
    kv_type="q8_0",
    threads=2,
    max_input=1000,
    resident=False,
    keep_alive=120.0,
    snapshot_size=500_000_000,
    history=False,
    when_full=WhenFull.DROP,
    device="cuda",
    dtype="bf16",
    int8=True,
    temperature=0.5,
    top_k=40,
    top_p=0.9,
    min_p=0.05,
    repeat_penalty=1.1,
    max_tokens=1,
    seed=4294967295,
    system="Be brief.",
    lang="German",
    reasoning="only",
    output=OutputForm.JSON,
    theme="nord",
    mouse=False,
    keys="sidebar=f2",
    timeout=1.5,
)
# Written without quotes.
BARE = (
    "window",
    "threads",
    "max_input",
    "resident",
    "history",
    "mouse",
    "int8",
    *FOR_SAMPLING,
    "timeout",
)


def read(
    text: str = "",
    *,
    folder: Path | None = None,
    project: str = "",
    flags: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Loaded:
    """From texts; `flags` are those of -o."""
    files: list[Path | None] = [None, None]
    for at, (name, content) in enumerate((("config.toml", text), (".llmchat.toml", project))):
        if folder is not None and content:
            files[at] = folder / name
            (folder / name).write_text(content)
    return read_settings(
        {name: Given(value, f"-o {name}") for name, value in (flags or {}).items()},
        user_file=files[0],
        project_file=files[1],
        environment=environment or {},
    )


def refusal(text: str, folder: Path, *, project: str = "") -> tuple[str, str]:
    with pytest.raises(UsageError) as caught:
        read(text, folder=folder, project=project)
    return caught.value.message.replace(f"{folder}/", ""), caught.value.hint


def toml(name: str) -> str:
    return f"{name} = {TYPED[name]}" if name in BARE else f'{name} = "{TYPED[name]}"'


# ── from where ──────────────────────────────────────────────────────────────────────────────


def test_nothing_set_gives_the_defaults() -> None:
    loaded = read(environment={"LLMCHAT_MODEL": "", "LLMCHAT_UNKNOWN": "1"})
    assert loaded.settings == Settings()
    assert set(loaded.origins.values()) == {"default"}
    assert list(loaded.origins) == [spec.name for spec in fields(Settings)] == list(TYPED)


def test_every_setting_can_be_set_in_the_environment() -> None:
    loaded = read(environment={variable(name): text for name, text in TYPED.items()})
    assert loaded.settings == ALL
    assert loaded.origins == {name: variable(name) for name in TYPED}


def test_every_setting_can_be_set_in_the_users_file(tmp_path: Path) -> None:
    loaded = read("\n".join(map(toml, TYPED)), folder=tmp_path)
    assert loaded.settings == ALL
    assert set(loaded.origins.values()) == {str(tmp_path / "config.toml")}


def test_every_setting_can_be_set_by_a_flag() -> None:
    flags = {name: Given(text, f"--{name}") for name, text in TYPED.items()}
    loaded = read_settings(flags, user_file=None, project_file=None, environment={})
    assert loaded.settings == ALL
    assert loaded.origins["model"] == "--model"


def test_the_text_of_a_value_gives_that_value() -> None:
    for spec in fields(Settings):
        for value in (getattr(ALL, spec.name), spec.default):
            if text := setting_text(spec.name, value):
                again = read(environment={variable(spec.name): text}).settings
                assert getattr(again, spec.name) == value


@given(st.sets(st.sampled_from(["user", "project", "environment", "flag"])))
@settings(max_examples=max(16, int(100 * SCALE)), deadline=None)
def test_the_strongest_source_wins(
    tmp_path_factory: pytest.TempPathFactory, sources: set[str]
) -> None:
    folder = tmp_path_factory.mktemp("sources")
    loaded = read(
        "top_k = 1\nseed = 1" if "user" in sources else "",
        folder=folder,
        project="top_k = 2" if "project" in sources else "",
        flags={"top_k": "4"} if "flag" in sources else {},
        environment={"LLMCHAT_TOP_K": "3"} if "environment" in sources else {},
    )
    ranked = [
        ("flag", 4, "-o top_k"),
        ("environment", 3, "LLMCHAT_TOP_K"),
        ("project", 2, f"{folder}/.llmchat.toml"),
        ("user", 1, f"{folder}/config.toml"),
        ("", None, "default"),
    ]
    _, value, origin = next(row for row in ranked if row[0] in sources or not row[0])
    assert (loaded.settings.top_k, loaded.origins["top_k"]) == (value, origin)
    assert loaded.settings.sampling.seed == (1 if "user" in sources else None)


def test_auto_leaves_the_choice_open() -> None:
    assert (
        read(environment={"LLMCHAT_DEVICE": "auto", "LLMCHAT_DTYPE": "auto"}).settings == Settings()
    )


@pytest.mark.parametrize(
    ("text", "expected"), [("1", True), ("true", True), ("0", False), ("false", False)]
)
def test_a_switch_is_on_or_off(text: str, expected: bool, tmp_path: Path) -> None:
    assert read(environment={"LLMCHAT_INT8": text}).settings.int8 is expected
    assert read(f"int8 = {text}", folder=tmp_path).settings.int8 is expected


def test_sampling_settings_are_sampling_choices() -> None:
    sampling = read(flags={name: TYPED[name] for name in FOR_SAMPLING}).settings.sampling
    assert sampling == SamplingChoices(0.5, 40, 0.9, 0.05, 1.1, 1, 4294967295)
    assert Settings().sampling == SamplingChoices()


def test_an_absent_file_is_no_error_unless_it_was_named(tmp_path: Path) -> None:
    none = tmp_path / "none.toml"
    loaded = read_settings({}, user_file=none, project_file=none, environment={})
    assert loaded.settings == Settings()
    with pytest.raises(UsageError) as caught:
        find_user_file(str(none))
    assert caught.value.message == f"there is no file {none}"
    none.touch()
    assert find_user_file(str(none)) == none
    assert find_user_file().name == "config.toml"


# ── what is refused ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("LLMCHAT_COLOR", "red", "it is one of auto, always, never"),
        ("LLMCHAT_KV_TYPE", "f32", "it is one of f16, q8_0, q4_0"),
        ("LLMCHAT_WINDOW", "-1", "it takes a whole number"),
        ("LLMCHAT_THREADS", "two", "it takes a whole number"),
        ("LLMCHAT_MAX_INPUT", "9" * 30, "it takes a whole number"),
        ("LLMCHAT_MAX_INPUT", "9" * 5000, "it takes a whole number"),
        ("LLMCHAT_DEVICE", "gpu", "it is one of auto, cpu, cuda"),
        ("LLMCHAT_DTYPE", "int8", "it is one of auto, f32, bf16, f16"),
        ("LLMCHAT_INT8", "yes", "it is one of 1, true, 0, false"),
        ("LLMCHAT_TIMEOUT", "inf", "it takes a number from 0 to 1,000,000"),
    ],
)
def test_a_wrong_variable_is_named(name: str, text: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(environment={name: text})
    assert caught.value.message == f"{name}={text}: {reason}"
    assert caught.value.hint == f"unset {name}"


def test_a_weaker_source_is_checked_too() -> None:
    with pytest.raises(UsageError, match="LLMCHAT_SEED=x: it takes"):
        read(flags={"seed": "1"}, environment={"LLMCHAT_SEED": "x"})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("\n\ntemperature = 9", "line 3: temperature = 9: it takes a number from 0 to 5"),
        ("window = -1", "line 1: window = -1: it takes a whole number"),
        ("window = 1.0", "line 1: window = 1.0: it takes a whole number"),
        ('window = "1"', 'line 1: window = "1": it takes a whole number, without quotes'),
        ("window = true", "line 1: window = true: it takes a whole number"),
        ("seed = 2020-01-01", "line 1: seed = 2020-01-01: it takes a whole number from 0 to"),
        ("top_p = nan", "line 1: top_p = nan: it takes a number from 0 to 1"),
        ("top_k = 0x" + "f" * 9999, "line 1: top_k = a number of too many digits: it takes"),
        ("lang = 1", "line 1: lang = 1: it takes a language such as de or German, in quotes"),
        ('color = "red"', 'line 1: color = "red": it is one of auto, always, never'),
        ("color = true", "line 1: color = true: it is one of auto, always, never, in quotes"),
        ('int8 = "1"', 'line 1: int8 = "1": it is one of 1, true, 0, false, without quotes'),
        ('model = ["a"]', "line 1: model = ['a']: it takes a .gguf file"),
        ('lang = "de"\n[sampling]\nseed = 1', "line 2: unknown table sampling"),
        ("# x\nsampling.seed = 1", "line 2: unknown table sampling"),
        ("'model'.path = 1", "line 1: unknown table model"),
    ],
)
def test_a_wrong_value_in_a_file_is_named_with_its_line(
    text: str, reason: str, tmp_path: Path
) -> None:
    assert refusal(text, tmp_path)[0].startswith(f"config.toml, {reason}")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("tempreature = 1", 1),
        ('"tempreature" = 1', 1),
        (r'"tempr\u0065ature" = 1', 1),
        ('system = """\ntempreature = 9\n\\""""\n\'tempreature\' = 1', 4),
        ("system = '''\ntempreature = 9\n'''' # '''\ntempreature = 1", 4),
        ('model = "#\'\'\'" # """\n\ttempreature\t=\t1', 2),
        ("[[tempreature]]\na = 1", 1),
    ],
)
def test_an_unknown_key_gets_its_line_and_the_nearest_key(
    text: str, line: int, tmp_path: Path
) -> None:
    message, hint = refusal(text, tmp_path)
    assert message == f"config.toml, line {line}: unknown key tempreature"
    assert hint == "did you mean temperature?"


def test_files_that_are_no_settings(tmp_path: Path) -> None:
    assert refusal("a = \n", tmp_path)[0] == "config.toml, line 1: it is no TOML: Invalid value"
    assert refusal('x = 1\n\ny = "', tmp_path)[0].startswith("config.toml, line 3: it is no TOML")
    assert refusal("seed = " + "9" * 5000, tmp_path)[0].startswith("config.toml: it is no TOML: ")
    assert refusal("x = " + "[" * 9999, tmp_path)[0].startswith("config.toml: it is no TOML: ")
    assert refusal("#" * (1 << 20) + "\n", tmp_path)[0] == "config.toml is larger than 1 MiB"
    file = tmp_path / "config.toml"
    file.write_bytes(b"seed = 1\nlang = '\xff'")
    with pytest.raises(UsageError, match=r"config.toml, line 2: it is not UTF-8"):
        read_settings({}, user_file=file, project_file=None, environment={})


def test_a_file_in_the_place_of_the_folder_is_no_file_of_settings(tmp_path: Path) -> None:
    (tmp_path / "config").touch()
    assert read_file(tmp_path / "config" / "config.toml") == {}


def test_a_folder_in_the_place_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_settings({}, user_file=tmp_path, project_file=None, environment={})
    assert caught.value.message == f"{tmp_path} is a folder, not a file"


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.symlink_to(file)
    with pytest.raises(UsageError, match="cannot be read: Too many levels of symbolic links"):
        read_settings({}, user_file=file, project_file=None, environment={})


@pytest.mark.parametrize("name", [name for name in SETTINGS if name not in FOR_PROJECTS])
def test_what_a_project_may_not_set(name: str, tmp_path: Path) -> None:
    message, hint = refusal("", tmp_path, project=f"\n{toml(name)}")
    assert message == f".llmchat.toml, line 2: a project may not set {name}"
    assert hint == f"it may set {', '.join(FOR_PROJECTS)}"
    assert {"model", "device", "dtype", "int8", "threads"}.isdisjoint(FOR_PROJECTS)
    assert {"color", "output", "reasoning", "timeout"}.isdisjoint(FOR_PROJECTS)


def test_what_a_project_may_set(tmp_path: Path) -> None:
    loaded = read(folder=tmp_path, project="\n".join(map(toml, FOR_PROJECTS)))
    for name in FOR_PROJECTS:
        assert getattr(loaded.settings, name) == getattr(ALL, name)


@pytest.mark.parametrize("key", ["tempreature", "Temperature", "temp", "max_token"])
def test_an_unknown_option_gets_the_nearest_one(key: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(flags={key: "0"})
    nearest = "max_tokens" if key == "max_token" else "temperature"
    assert caught.value.message == f"unknown option -o {key}"
    assert caught.value.hint == f"did you mean {nearest}?"


@pytest.mark.parametrize("key", ["max_new_tokens", "zzz"])
def test_an_option_that_is_like_no_other_gets_all_of_them(key: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(flags={key: "1"})
    assert caught.value.message == f"unknown option -o {key}"
    assert "max_tokens" in caught.value.hint


@pytest.mark.parametrize("value", ["", "x", "nan", "inf", "-inf", "-0.1", "5.1", "1e3", "0x1"])
def test_values_out_of_range_are_refused(value: str) -> None:
    expected = f"-o temperature {value}: it takes a number from 0 to 5"
    with pytest.raises(UsageError) as caught:
        read(flags={"temperature": value})
    assert caught.value.message == expected
    with pytest.raises(UsageError) as caught:
        check_sampling("temperature", value)
    assert caught.value.message == "temperature: it takes a number from 0 to 5"


def test_the_stronger_choice_wins() -> None:
    strong, weak = SamplingChoices(temperature=0.0), SamplingChoices(temperature=1.0, top_k=5)
    assert strong.over(weak) == SamplingChoices(temperature=0.0, top_k=5)
    assert weak.over(strong).temperature == 1.0


# ── saving ──────────────────────────────────────────────────────────────────────────────────


def test_saving_keeps_comments_and_order(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("# mine\nseed = 1  # lucky\n\n# colours\ncolor = 'never'")
    save_setting(file, "seed", "2")
    save_setting(file, "temperature", "0")
    assert file.read_text() == (
        "# mine\nseed = 2  # lucky\n\n# colours\ncolor = 'never'\ntemperature = 0.0\n"
    )
    assert remove_setting(file, "seed")
    assert not remove_setting(file, "seed")
    assert file.read_text().startswith("# mine\n")
    assert "lucky" not in file.read_text()


def test_what_is_saved_is_read(tmp_path: Path) -> None:
    file = tmp_path / "new" / "config.toml"
    for name, text in TYPED.items():
        save_setting(file, name, text)
    assert read_settings({}, user_file=file, project_file=None, environment={}).settings == ALL
    save_setting(file, "device", "auto")
    assert tomllib.loads(file.read_text())["device"] == "auto"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert list(file.parent.iterdir()) == [file]


@given(st.text(st.characters(exclude_categories=["Cs"])))
@settings(max_examples=max(20, int(300 * SCALE)), deadline=None)
def test_any_text_can_be_saved(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    file = tmp_path_factory.mktemp("saved") / "config.toml"
    save_setting(file, "system", text)
    loaded = read_settings({}, user_file=file, project_file=None, environment={})
    assert loaded.settings.system == text


def test_a_wrong_value_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    refusals = {
        ("temperature", "9"): "temperature 9: it takes a number from 0 to 5",
        ("tempreature", "1"): "unknown setting tempreature",
        ("lang", "\udcff"): "lang \udcff: it is not UTF-8",
    }
    for (name, text), message in refusals.items():
        with pytest.raises(UsageError) as caught:
            save_setting(file, name, text)
        assert caught.value.message == message
    with pytest.raises(UsageError, match="unknown setting tempreature"):
        remove_setting(file, "tempreature")
    assert not file.exists()
    file.write_text("not TOML")
    with pytest.raises(UsageError, match="line 1: it is no TOML"):
        save_setting(file, "seed", "1")
    assert file.read_text() == "not TOML"


def test_a_wrong_file_can_be_mended(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("tempreature = 1\nseed = -1\n")
    assert remove_setting(file, "tempreature")
    save_setting(file, "seed", "1")
    assert file.read_text() == "seed = 1\n"


def test_a_linked_file_stays_linked(tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    (tmp_path / "dotfiles" / "llmchat.toml").write_text("seed = 1\n")
    file = tmp_path / "config.toml"
    file.symlink_to("dotfiles/llmchat.toml")
    save_setting(file, "seed", "2")
    assert file.is_symlink()
    assert (tmp_path / "dotfiles" / "llmchat.toml").read_text() == "seed = 2\n"


def test_a_file_keeps_its_permissions(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("seed = 1\n")
    file.chmod(0o644)
    save_setting(file, "seed", "2")
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


def test_a_saved_file_is_on_the_disk_under_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(safe_files, "sync_folder", synced.append)
    save_setting(tmp_path / "config.toml", "seed", "1")
    assert synced == [tmp_path]


def test_a_named_file_in_a_folder_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(UsageError, match="the current folder is gone") as caught:
        find_user_file("mine.toml")
    assert caught.value.hint == "cd somewhere else"


def test_a_file_that_cannot_be_written_stays_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    file = tmp_path / "config.toml"
    save_setting(file, "seed", "1")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(AssistantError) as caught:
        save_setting(file, "seed", "2")
    assert caught.value.message == f"{file} cannot be written: No space left on device"
    assert file.read_text() == "seed = 1\n"
    assert list(tmp_path.iterdir()) == [file]
