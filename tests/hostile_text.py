"""Text that would like to steer the terminal."""

import re

HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\U000e0000-\U000e007f]"
)
EVERYTHING = bytes(range(256)).decode("latin-1")
ATTACKS = (
    "\x1b]52;c;ZXZpbA==\x07",
    "\x1b]0;title\x1b\\",
    "\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\",
    "\x1b[6n\x1b[c\x1bP+q544e\x1b\\",
    "\x9b31m\x9d52;c;ZXZpbA==\x9c",
    "\x1b[2J\x1b[H\x1bc\x1b(0",
    "\x1b]never ends",
    "safe\u202eelif.exe\u2066\u200b\ufeff\U000e0041",
    "over\rwritten\b\b\b\x7f",
)
