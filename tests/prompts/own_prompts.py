"""Writes prompt files of the user's own."""

from pathlib import Path

from assistant.prompts.finding import find_prompt
from assistant.prompts.folders import user_folder
from assistant.prompts.prompt_file import PromptFile


def write_file(text: str, name: str = "own", folder: Path | None = None) -> Path:
    """In the user's folder unless another one is named."""
    folder = folder or user_folder()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.md"
    path.write_text(text)
    return path


def write_prompt(
    body: str = "{{ files }} {{ question }}", head: str = "", name: str = "own"
) -> PromptFile:
    """`head` stands in line 5; without one the body begins in line 7."""
    start = f"---\nname: {name}\ndescription: x\ntakes: [question, files]\n"
    write_file(f"{start}{head}\n---\n{body}", name)
    return find_prompt(name)
