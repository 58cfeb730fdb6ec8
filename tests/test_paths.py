"""Where files go, and what happens when they cannot go there."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from assistant import paths
from assistant.errors import UsageError

FOLDERS = {
    "config": paths.config_folder,
    "data": paths.data_folder,
    "cache": paths.cache_folder,
    "state": paths.state_folder,
    "runtime": paths.runtime_folder,
}


@pytest.fixture
def no_overrides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder, and nothing in the environment that moves anything."""
    monkeypatch.delenv("LLMCHAT_HOME")
    for kind in ("CONFIG_HOME", "DATA_HOME", "CACHE_HOME", "STATE_HOME", "RUNTIME_DIR"):
        monkeypatch.delenv(f"XDG_{kind}", raising=False)
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    return home


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_llmchat_home_moves_every_folder_and_creates_none(private_home: Path) -> None:
    for kind, folder in FOLDERS.items():
        assert folder() == private_home / kind
    assert list(private_home.iterdir()) == []


def test_llmchat_home_may_be_relative_or_begin_with_a_tilde(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setenv("LLMCHAT_HOME", "here")
    assert paths.config_folder() == tmp_path / "here" / "config"
    monkeypatch.setenv("LLMCHAT_HOME", "~/there")
    assert paths.config_folder() == Path("/home/someone/there/config")


@pytest.mark.skipif(sys.platform != "linux", reason="XDG is Linux's")
def test_without_it_the_folders_are_those_of_xdg(
    no_overrides: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert paths.config_folder() == no_overrides / ".config/llmchat"
    assert paths.data_folder() == no_overrides / ".local/share/llmchat"
    assert paths.cache_folder() == no_overrides / ".cache/llmchat"
    assert paths.state_folder() == no_overrides / ".local/state/llmchat"
    monkeypatch.setenv("XDG_CONFIG_HOME", "/elsewhere")
    assert paths.config_folder() == Path("/elsewhere/llmchat")


def test_sockets_go_to_the_runtime_folder_or_to_our_own_in_tmp(
    no_overrides: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert paths.runtime_folder() == tmp_path / "llmchat"
    monkeypatch.setattr(os, "access", lambda *_args: False)
    assert paths.runtime_folder() == tmp_path / f"tmp/llmchat-{os.getuid()}/runtime"


def test_a_folder_is_created_for_its_owner_only_with_what_is_above_it(
    no_overrides: Path,
) -> None:
    folder = paths.writable(paths.data_folder() / "models")
    assert folder == paths.data_folder() / "models"
    assert {mode(place) for place in (folder, folder.parent, no_overrides)} == {0o700}


def test_a_folder_that_is_there_keeps_its_mode(private_home: Path) -> None:
    folder = paths.config_folder()
    folder.mkdir(mode=0o755)
    assert paths.writable(folder) == folder
    assert mode(folder) == 0o755


def test_a_home_that_is_no_folder_leads_to_a_temporary_one(
    no_overrides: Path, tmp_path: Path
) -> None:
    no_overrides.write_text("a file")
    own = tmp_path / f"tmp/llmchat-{os.getuid()}"
    assert paths.writable(paths.data_folder() / "models") == own / "data/models"
    assert paths.writable(paths.config_folder()) == own / "config"
    assert mode(own) == mode(own / "data/models") == 0o700


def test_a_folder_that_may_not_be_written_leads_to_a_temporary_one(
    no_overrides: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_args: False)
    assert paths.writable(paths.cache_folder()).is_relative_to(tmp_path / "tmp")


def test_without_any_home_nothing_is_written_below_the_current_folder(
    no_overrides: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert paths.config_folder() == tmp_path / f"tmp/llmchat-{os.getuid()}/config"
    assert paths.writable(paths.config_folder()) == paths.config_folder()


def test_a_temporary_folder_that_others_can_read_is_closed(
    no_overrides: Path, tmp_path: Path
) -> None:
    no_overrides.write_text("a file")
    own = tmp_path / f"tmp/llmchat-{os.getuid()}"
    own.mkdir(mode=0o777)
    own.chmod(0o777)
    paths.writable(paths.state_folder())
    assert mode(own) == 0o700


@pytest.mark.parametrize("squatter", ["link", "file", "owner"])
def test_a_temporary_folder_of_somebody_else_is_refused(
    no_overrides: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, squatter: str
) -> None:
    no_overrides.write_text("a file")
    own = tmp_path / f"tmp/llmchat-{os.getuid()}"
    if squatter == "link":
        (tmp_path / "theirs").mkdir()
        own.symlink_to(tmp_path / "theirs")
    elif squatter == "file":
        own.write_text("")
    else:
        folder = paths.state_folder()
        monkeypatch.setattr(os, "getuid", lambda: 4_242)
        (tmp_path / "tmp/llmchat-4242").mkdir()
        assert folder == paths.state_folder()
    with pytest.raises(UsageError) as caught:
        paths.writable(paths.state_folder())
    assert "LLMCHAT_HOME" in caught.value.hint
    assert "\n" not in caught.value.message


def test_importing_paths_imports_no_library() -> None:
    code = (
        "import sys, assistant.paths;"
        "assert not {'platformdirs', 'tempfile', 'yaml', 'jinja2'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
