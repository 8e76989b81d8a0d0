"""Text of others on its way to a terminal."""

import re

# What a terminal obeys or what turns the order of the letters around: C0 and C1 with escape, marks
# of direction, separators of lines, and halves of letters, which are no text.
_CONTROLS = re.compile(
    "[\\u0000-\\u001f\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ud800-\\udfff]"
)
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def printable(text: str) -> str:
    """``text`` as part of one line: each control character as JSON would write it, ``\\u001b``."""
    return _CONTROLS.sub(lambda found: _SHORT.get(found[0]) or f"\\u{ord(found[0]):04x}", text)
