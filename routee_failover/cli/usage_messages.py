"""Usage errors: rewords the argument parser's messages, which otherwise use Python's terms."""

import difflib
import re
from collections.abc import Iterable
from typing import Any

from typer import BadParameter
from typer.core import TyperCommand

_REPLACEMENTS = (
    (r"Input should be a valid integer.*", "must be a whole number"),
    (r"Input should be a valid number.*", "must be a number"),
    (r"Input should be greater than or equal to (.+)", r"must be \1 or more"),
    (r"Input should be less than or equal to (.+)", r"must be \1 or less"),
    (r"(?:Value error, )?(.+)", r"\1"),
)
_CHOICE = re.compile(r"(?:Value error, )?['\"](?P<value>.*)['\"] is not one of (?P<choices>.+?)\.?", re.DOTALL)


class Command(TyperCommand):
    """Command class of this program: `app.command(cls=Command)`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments. Raises `BadParameter` with a reworded message."""
        try:
            return super().parse_args(ctx, args)
        except BadParameter as error:
            error.message = reword_parser_error(error.message)
            raise


def reword_parser_error(message: str) -> str:
    """Return a parser's message about a value in plain words, with a suggestion."""
    choice = _CHOICE.fullmatch(message)
    if choice is not None:
        choices = re.findall(r"'([^']*)'", choice["choices"])
        return f"'{choice['value']}' {invalid_choice_reason(choice['value'], choices)}"
    for pattern, replacement in _REPLACEMENTS:
        match = re.fullmatch(pattern, message, re.DOTALL)
        if match is not None:
            return match.expand(replacement)
    return message


def invalid_choice_reason(value: str, choices: Iterable[str]) -> str:
    """Return why a value is not one of the choices, with a suggestion."""
    by_plain = {_plain(choice): choice for choice in choices}
    close = difflib.get_close_matches(_plain(value), by_plain, n=1)
    suggestion = f"; did you mean {by_plain[close[0]]}?" if close else ""
    return f"is not one of {', '.join(by_plain.values())}{suggestion}"


def _plain(text: str) -> str:
    return re.sub(r"[-_\s]", "", text).lower()
