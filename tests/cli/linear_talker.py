"""The linear chat with an engine that says what it is told: `python linear_talker.py FILE WORDS…`.

FILE holds the answer, "starter" is the real model; `SLOWLY` and `REASON` as of talking_engine.py.
WORDS are options of ours: `-q`, `-v`, `-y`, `-o=KEY=VALUE`, `--continue`, `--list`,
`--show-context`, and the question that is asked first.
"""

import sys
from pathlib import Path

from talking_engine import TalkingEngine

from assistant.chat_commands.chat import open_chosen_engine
from assistant.cli.linear_chat import run_linear
from assistant.cli.main import open_closed_streams
from assistant.cli.options import Options
from assistant.cli.report import Report
from assistant.config import Settings
from assistant.conversation.message_names import MessageName
from assistant.engine.base import Engine
from assistant.errors import AssistantError, ModelError

OWN = ("-q", "-v", "-y", "--continue", "--list", "--show-context")


def main() -> int:
    file, *words = sys.argv[1:]
    text = " ".join(word for word in words if word not in OWN and not word.startswith("-o="))
    options = Options(
        quiet="-q" in words,
        verbose="-v" in words,
        yes="-y" in words,
        show_context="--show-context" in words,
        resume="--list" in words,
        option=[word.removeprefix("-o=") for word in words if word.startswith("-o=")],
    )

    def open_talker(settings: Settings) -> Engine:
        if settings.model == "none":
            raise ModelError("there is no model none", "llmchat -m starter")
        return TalkingEngine(Path(file).read_bytes().decode("utf-8", "replace"))

    open_closed_streams()
    report = Report(sys.stderr, is_quiet="-q" in words)
    settings = options.load_settings()
    try:
        return run_linear(
            text,
            (),
            options,
            settings,
            report,
            resume=MessageName() if "--continue" in words else None,
            open_engine=open_chosen_engine if file == "starter" else open_talker,
        )
    except AssistantError as err:
        return report.error(err)


if __name__ == "__main__":
    sys.exit(main())
