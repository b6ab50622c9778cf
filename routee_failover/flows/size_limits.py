"""Size limits of a flow's JSON: far beyond any flow, and small enough to be checked fast."""

from collections.abc import Mapping
from typing import Any

MAX_SIZE = 4 * 1024 * 1024
"""Bytes. No flow comes near it; /dev/zero exceeds it."""
MAX_TEXT_LENGTH = 131_072
"""Characters. No text of a message may have that many."""
MAX_LIST_LENGTH = 200
"""Entries. No flow has that many steps; comparing each with each other stays fast."""
MAX_VALUES = 20_000
MAX_DEPTH = 50
MAX_DIGITS = 400
"""Digits of a number. A double has at most 309."""
TOO_MANY_DIGITS = f"contains a number of more than {MAX_DIGITS} digits"


def size_violation(flow: object) -> str | None:
    """Return the size limit that a flow exceeds, or `None`; one breadth-first pass that stops at the first excess."""
    level, values = [flow], 0
    for _ in range(MAX_DEPTH):
        next_level: list[Any] = []
        for value in level:
            if isinstance(value, Mapping):
                next_level += value.values()
            elif isinstance(value, list | tuple):
                if len(value) > MAX_LIST_LENGTH:
                    return f"contains a list of more than {MAX_LIST_LENGTH:,} entries"
                next_level += value
            elif isinstance(value, str) and len(value) > MAX_TEXT_LENGTH:
                return f"contains a text of more than {MAX_TEXT_LENGTH:,} characters"
            elif isinstance(value, int) and value.bit_length() > 3 * MAX_DIGITS:
                return TOO_MANY_DIGITS
            values += 1
        if values + len(next_level) > MAX_VALUES:
            return f"contains more than {MAX_VALUES:,} values"
        if not next_level:
            return None
        level = next_level
    return "is nested too deeply"
