"""Detector of unfilled placeholders: those of other tools, and column names that appear as plain text.

Here a column is `{name}`. Users of Mustache, Brevo, Mailchimp or Word write `{{name}}`, `*|NAME|*`, `[name]`, `%name%`,
`<name>`, which every recipient would read.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator

_NAME = r"[^\W\d][\w.-]*(?: [\w.-]+){0,3}"
_foreign_placeholder = re.compile(
    r"(?<!\[~)\{\s*[#^/&@$!=]?\s*[^\W\d][^{}\n]{0,60}\}"  # [~{label}] is Routee's own, and filled by Routee
    r"|\*\|[^|\n]{1,60}\|\*"
    rf"|%%{_NAME}%%|(?<![\w%])%(?![0-9A-Fa-f]{{2}}%)[^\W\d][\w.-]+%(?![\w%])"
    rf"|\[\[{_NAME}\]\]|<<{_NAME}>>|##{_NAME}##|@@{_NAME}@@"
    r"|<%[^%\n]{1,60}%>|<\?[^?\n]{1,60}\?>"
)
_marked_name = re.compile(
    rf"\[({_NAME})\]|<({_NAME})>|«\s?({_NAME})\s?»|%({_NAME})%|#({_NAME})#|@({_NAME})@|~({_NAME})~"
    r"|(?<![\w$])\$([^\W\d]\w*)|(?<![\w:]):([^\W\d]\w*)|(?<![\w-])-([^\W\d]\w*)-(?![\w-])|(?<!\w)__([^\W\d]\w*)__(?!\w)"
)
_word = re.compile(r"[^\W\d]\w*")
may_hold_placeholder: Callable[[str], re.Match[str] | None] = re.compile(r"[{\[<%*#@\u00ab~$]").search
"""Return a match if a text contains a character that a placeholder begins with."""


def find_foreign_placeholders(text: str) -> Iterator[str]:
    """Yield what looks like a placeholder of another tool, regardless of the columns."""
    for found in _foreign_placeholder.finditer(text):
        yield found[0]


class ColumnNameMatcher:
    """Matcher of a source's column names in a text."""

    def __init__(self, columns: Iterable[str], used: Collection[str]) -> None:
        names = [*columns]
        self._folded = {_folded(name) for name in names} - {""}
        unused = [name for name in names if name not in used]
        # Names without marks count only if they are no ordinary words.
        self._distinctive_names = {name for name in unused if _is_no_ordinary_word(name)}
        self._uppercase_names = {name.upper() for name in unused if len(name) > 2}

    def find_in(self, text: str) -> Iterator[str]:
        """Yield the column names that appear in a text, with the marks around them."""
        for found in _marked_name.finditer(text):
            if _folded(next(filter(None, found.groups()))) in self._folded:
                yield found[0]
                text = text.replace(found[0], "\0")  # reported once
        if self._distinctive_names or self._uppercase_names:
            is_all_caps = text.isupper()
            for found in _word.finditer(text):
                if found[0] in self._distinctive_names or (found[0] in self._uppercase_names and not is_all_caps):
                    yield found[0]


def _folded(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()


def _is_no_ordinary_word(name: str) -> bool:
    return "_" in name.strip("_") or re.search(r"[^\W\d_][0-9]|[a-z][A-Z]", name) is not None
