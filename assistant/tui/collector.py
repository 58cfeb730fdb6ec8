"""Python's garbage collector and a screen that must not stand still."""

import gc


def spare() -> None:
    """What is there now stays: looking through all of it again and again would hold up keys, for
    60 ms with 10,000 messages. What goes later is freed as ever, unless it refers to itself."""
    gc.enable()
    gc.collect()
    gc.freeze()
