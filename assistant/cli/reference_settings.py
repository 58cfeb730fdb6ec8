"""docs/settings.md, written from the fields of `Settings`:

python -m assistant.cli.reference_settings > docs/settings.md
"""

import sys
from dataclasses import fields

from assistant.config import SETTINGS, Settings, setting_text, variable

START = """\
# Settings

Every setting has one name: `NAME = VALUE` in a file, `LLMCHAT_NAME` in the environment.

1. a flag: `-m`, `--color`, `-o temperature 0`, …
2. the environment; an empty variable counts as not set
3. `.llmchat.toml` of the project, once you trust it (`llmchat trust`)
4. your own `config.toml`; `llmchat config path` says where it is
5. the default

The first that says something wins; `llmchat config show` says which did. `--config FILE` reads
another file in place of your own, `--no-config` reads neither yours nor the project's. Whatever is
wrong in any of them is an error that names file, line and key. Only a variable LLMCHAT_… that is no
setting is ignored; `llmchat doctor` names it.

A project's file is found in the current folder or above it, up to the repository's root. It may set
what shapes an answer, and nothing that names a file, chooses a device, or changes what you get to
see. llmchat asks before it is used for the first time, and again whenever it has changed.

## A config.toml

```toml
model = "~/models/qwen2.5-coder-7b-instruct-q4_k_m.gguf"
color = "never"
window = 16384     # tokens
temperature = 0.2
```

`llmchat config set temperature 0.2` writes such a line, and keeps all other lines and comments.

## All of them

| setting | environment | it… | default | for projects | meaning |
| --- | --- | --- | --- | --- | --- |
"""


def settings_markdown() -> str:
    """The whole page."""
    return START + "".join(_row(spec.name, spec.default) for spec in fields(Settings))


def _row(name: str, default: object) -> str:
    setting = SETTINGS[name]
    text = setting_text(name, default)
    cells = [
        f"`{name}`",
        f"`{variable(name)}`",
        setting.takes.words,
        f"`{text}`" if text else "",
        "yes" if setting.is_for_projects else "no",
        setting.sentence,
    ]
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    sys.stdout.write(settings_markdown())
