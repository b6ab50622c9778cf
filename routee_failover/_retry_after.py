"""Parser of the `Retry-After` header, in the documented forms and in those that servers send besides. Sans-I/O."""

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MAX_RETRY_AFTER = 86_400.0
"""Upper bound in seconds of a `Retry-After` header."""

_number = re.compile(r"\+?([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*(?:s|secs?|seconds?)?", re.IGNORECASE).fullmatch


def parse_retry_after(lines: Iterable[str], date: str | None) -> float | None:
    """Return the pause that the lines of a `Retry-After` header ask for, in whole seconds; `None` if there is none.

    The documented forms are seconds and a date (https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3). Decimals are
    rounded up, and of several values the longest counts. A date is compared with `date`, the `Date` header of the same
    response, because the clock of this machine may be wrong; one that has passed is 0. A negative number is invalid.
    """
    pauses = [pause for line in lines for pause in _pauses(line, date)]
    return max(pauses, default=None)


def _pauses(line: str, date: str | None) -> list[float]:
    numbers = [match[1] for item in line.split(",") if (match := _number(item.strip(' \t"')))]
    until = None if numbers else _parse_date(line)
    if until is None:
        return [_bounded(float(number)) for number in numbers]
    now = (_parse_date(date) if date is not None else None) or datetime.now(UTC)
    return [_bounded((until - now).total_seconds())]


def _bounded(seconds: float) -> float:
    return float(math.ceil(min(max(0.0, seconds), MAX_RETRY_AFTER)))


def _parse_date(text: str) -> datetime | None:
    """Return the time of an HTTP date, or of a date in ISO 8601; one without a zone is in GMT."""
    for parse in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            time = parse(text.strip())
            return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError, TypeError, IndexError):
            continue
    return None
