"""Slips in the keys of a step that accepts keys beyond its fields: a known key, misspelled by at most two letters."""

from collections.abc import Iterable

_MAX_EDITS = 2


def intended_key(key: str, known: Iterable[str]) -> str | None:
    """Return the known key that is within two letters of `key`, in any letter case and without separators."""
    folded = _fold(key)
    nearest = min(known, key=lambda name: _edits(folded, _fold(name)), default=None)
    return nearest if nearest is not None and _edits(folded, _fold(nearest)) <= _MAX_EDITS else None


def _fold(key: str) -> str:
    return key.lower().replace("_", "").replace("-", "")


def _edits(text: str, other: str) -> int:
    """Return how many letters have to be inserted, removed or replaced; three or more where the lengths differ so."""
    if abs(len(text) - len(other)) > _MAX_EDITS:
        return _MAX_EDITS + 1
    previous: list[int] = [*range(len(other) + 1)]
    for row, letter in enumerate(text, start=1):
        current = [row]
        for column, expected in enumerate(other, start=1):
            replaced = previous[column - 1] + (letter != expected)
            current.append(min(previous[column] + 1, current[column - 1] + 1, replaced))
        previous = current
    return previous[-1]
