"""Rows of plain words as Markdown that shows them as they are."""

from assistant.chat_commands.effects import ShowTable
from assistant.rendering.tables import table_lines


def table_markdown(table: ShowTable) -> str:
    """A block of code: nothing in it is markup, and columns line up."""
    lines = table_lines(table.rows, right=table.right)
    fence = "`" * max(3, max((line.count("`") for line in lines), default=0) + 1)
    return "\n".join([fence, *lines, fence])
