"""Settings as they are typed in a chat: checked, and which of them another engine is needed for."""

from dataclasses import replace
from typing import Any

from assistant.config import SAMPLING_RANGES, SETTINGS, Settings, check_setting, nearest
from assistant.errors import UsageError

DEFAULT = "default"  # typed for the value that a setting has when nobody sets it
FOR_ENGINES = (
    *("model", "api_key_file", "window", "kv_type", "threads", "resident", "keep_alive"),
    *("snapshot_size", "device", "dtype", "int8"),
)  # settings that another engine has to be opened for

AT_START = ("mouse", "keys")  # how the screen takes the terminal; it does so once


def with_setting(settings: Settings, key: str, value: str) -> Settings:
    """Raises `UsageError` for an unknown key, with the nearest, or a value that it does not
    take."""
    known_key(key)
    if value == DEFAULT:
        checked: Any = getattr(Settings(), key)
    else:
        checked = check_setting(key, value, f"{key} {value}", f"/set {key} {DEFAULT}")
    return replace(settings, **{key: checked})


def known_key(key: str) -> str:
    """Raises `UsageError` for an unknown one."""
    if key not in SETTINGS:
        raise UsageError(f"there is no setting {key[:80]!r}", nearest(key, tuple(SETTINGS)))
    return key


def sampling_field(key: str) -> str:
    """What a setting is called in `SamplingChoices`; "" when it is none of them."""
    field = "max_new_tokens" if key == "max_tokens" else key
    return field if field in SAMPLING_RANGES else ""
