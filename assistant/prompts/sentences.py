"""What llmchat itself says to a model: the files prompts/_NAME.md, which are no commands."""

from assistant.prompts.folders import built_in_folder
from assistant.prompts.templates import Template


def sentence(which: str, /, **values: object) -> str:
    """The text of prompts/_WHICH.md with the values in their places, as they are."""
    path = built_in_folder() / f"_{which}.md"
    return Template(path.read_text("utf-8"), path).render(values).strip()
