"""Usage errors in the words of this program, where the argument parser would answer in those of Python."""

import difflib
import re
from collections.abc import Iterable
from typing import Any

from typer import BadParameter
from typer.core import TyperCommand

_WORDS = (
    (r"Input should be a valid integer.*", "must be a whole number"),
    (r"Input should be a valid number.*", "must be a number"),
    (r"Input should be greater than or equal to (.+)", r"must be \1 or more"),
    (r"Input should be less than or equal to (.+)", r"must be \1 or less"),
    (r"(?:Value error, )?(.+)", r"\1"),
)
_CHOICE = re.compile(r"(?:Value error, )?['\"](?P<said>.*)['\"] is not one of (?P<words>.+?)\.?", re.DOTALL)


class Command(TyperCommand):
    """A command of this program: `app.command(cls=Command)`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments. Raises `BadParameter` in words of our own."""
        try:
            return super().parse_args(ctx, args)
        except BadParameter as error:
            error.message = reword_parser_error(error.message)
            raise


def reword_parser_error(message: str) -> str:
    """A parser's complaint about a value, in plain words, with what was probably meant."""
    choice = _CHOICE.fullmatch(message)
    if choice is not None:
        words = re.findall(r"'([^']*)'", choice["words"])
        return f"'{choice['said']}' {invalid_choice_reason(choice['said'], words)}"
    for pattern, words_for_it in _WORDS:
        found = re.fullmatch(pattern, message, re.DOTALL)
        if found is not None:
            return found.expand(words_for_it)
    return message


def invalid_choice_reason(value: str, choices: Iterable[str]) -> str:
    """Why a word is none of those that are known, and which was probably meant."""
    by_plain = {_plain(word): word for word in choices}
    close = difflib.get_close_matches(_plain(value), by_plain, n=1)
    meant = f"; did you mean {by_plain[close[0]]}?" if close else ""
    return f"is none of {', '.join(by_plain.values())}{meant}"


def _plain(word: str) -> str:
    return re.sub(r"[-_\s]", "", word).lower()
