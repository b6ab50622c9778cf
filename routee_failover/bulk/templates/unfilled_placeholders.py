"""Detector of placeholders that no row fills: those of other tools, and names of columns that stand as text.

Here a column is `{name}`. Who comes from Mustache, Brevo, Mailchimp or Word writes `{{name}}`, `*|NAME|*`, `[name]`,
`%name%`, `<name>`, and everybody would read that.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator

_NAME = r"[^\W\d][\w.-]*(?: [\w.-]+){0,3}"
_of_another_tool = re.compile(
    r"(?<!\[~)\{\s*[#^/&@$!=]?\s*[^\W\d][^{}\n]{0,60}\}"  # [~{label}] is Routee's own, and filled by it
    r"|\*\|[^|\n]{1,60}\|\*"
    rf"|%%{_NAME}%%|(?<![\w%])%(?![0-9A-Fa-f]{{2}}%)[^\W\d][\w.-]+%(?![\w%])"
    rf"|\[\[{_NAME}\]\]|<<{_NAME}>>|##{_NAME}##|@@{_NAME}@@"
    r"|<%[^%\n]{1,60}%>|<\?[^?\n]{1,60}\?>"
)
_perhaps_a_column = re.compile(
    rf"\[({_NAME})\]|<({_NAME})>|«\s?({_NAME})\s?»|%({_NAME})%|#({_NAME})#|@({_NAME})@|~({_NAME})~"
    r"|(?<![\w$])\$([^\W\d]\w*)|(?<![\w:]):([^\W\d]\w*)|(?<![\w-])-([^\W\d]\w*)-(?![\w-])|(?<!\w)__([^\W\d]\w*)__(?!\w)"
)
_word = re.compile(r"[^\W\d]\w*")
_FIRST = "[{<%*#@\u00ab~$:_-"
may_hold_placeholder: Callable[[str], re.Match[str] | None] = re.compile(r"[{\[<%*#@\u00ab~$]").search
"""Whether a text holds a letter that a placeholder begins with."""


def find_foreign_placeholders(text: str) -> Iterator[str]:
    """Yield what looks like the placeholder of another tool, whatever columns there are."""
    for found in _of_another_tool.finditer(text):
        yield found[0]


class ColumnNameMatcher:
    """The columns of a source, as they are known again in a text."""

    def __init__(self, columns: Iterable[str], used: Collection[str]) -> None:
        names = [*columns]
        self._folded = {_folded(name) for name in names} - {""}
        free = [name for name in names if name not in used]
        # Of names without a mark around them, only those that are no words of a language.
        self._unlike_words = {name for name in free if _is_unlike_a_word(name)}
        self._capitals = {name.upper() for name in free if len(name) > 2}

    def find_in(self, text: str) -> Iterator[str]:
        """Yield the names of columns that stand in a text as they are, with the marks around them."""
        for found in _perhaps_a_column.finditer(text):
            if _folded(next(filter(None, found.groups()))) in self._folded:
                yield found[0]
                text = text.replace(found[0], "\0")  # it is told once
        if self._unlike_words or self._capitals:
            is_loud = text.isupper()
            for found in _word.finditer(text):
                if found[0] in self._unlike_words or (found[0] in self._capitals and not is_loud):
                    yield found[0]


def _folded(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()


def _is_unlike_a_word(name: str) -> bool:
    return "_" in name.strip("_") or re.search(r"[^\W\d_][0-9]|[a-z][A-Z]", name) is not None
