"""The exact prompt for a person: control tokens marked, then ids and counts."""

from typing import TextIO

from assistant.messages import Rendered
from assistant.visible_text import visible


def write_prompt(rendered: Rendered, out: TextIO, *, has_color: bool) -> None:
    """Text with control tokens as ⟦…⟧ (in reverse video on a terminal), ids, tokens per part."""
    mark = "\x1b[7m⟦{}⟧\x1b[27m" if has_color else "⟦{}⟧"
    for span in rendered.spans:
        text = visible(span.text)
        out.write(text if span.control_token is None else mark.format(text))
    control = sum(span.control_token is not None for span in rendered.spans)
    out.write(f"\n\nids: {' '.join(map(str, rendered.token_ids))}\n")
    out.write(f"tokens: {len(rendered.token_ids):,}, {control:,} of them control tokens\n")
    by_source: dict[str, int] = {}
    for part in rendered.parts:
        source = visible(part.source)
        by_source[source] = by_source.get(source, 0) + part.tokens
    for source, tokens in by_source.items():
        out.write(f"  {tokens:>7,}  {source}\n")
    out.flush()
