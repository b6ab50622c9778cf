"""Secret values and masking: PINs, tokens, keys, texts and phone numbers that must not be printed by accident.

Every other module may import this one; it imports no other module of the package.
"""

import functools
import hmac
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from types import MappingProxyType, TracebackType
from typing import Any, NoReturn, ParamSpec, TypeVar, cast, final
from urllib.parse import urlsplit

_P = ParamSpec("_P")
_R = TypeVar("_R")

MASK = "****"


@final
class Secret:
    """A PIN, a token or a key: text that only `reveal()` returns.

    `repr`, `str`, formatting and logging show asterisks. Pickling raises `TypeError`, because a file of pickles would
    be a file of PINs; copies are the same object. Two secrets are compared in constant time.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise TypeError(f"a Secret holds text, not {type(text).__name__}")
        self._text = text

    def reveal(self) -> str:
        """Return the text. Keep it out of logs and errors."""
        return self._text

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        left, right = (secret.reveal().encode("utf-8", "surrogatepass") for secret in (self, other))
        return hmac.compare_digest(left, right)

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, memo: object) -> "Secret":
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled: the pickle would hold it in plain text; reveal it and protect it")


@final
class SecretBytes:
    """Request body: bytes that may hold a PIN or a key, and that no traceback with locals may show."""

    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        self._data = data

    def reveal(self) -> bytes:
        """Return the bytes. Keep them out of logs and errors."""
        return self._data

    def __len__(self) -> int:
        return len(self._data)

    def __repr__(self) -> str:
        return f"SecretBytes(<{len(self._data)} bytes>)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("SecretBytes cannot be pickled: the pickle would hold them in plain text")


@final
class SecretMapping(Mapping[str, Any]):
    """Read-only mapping whose `repr` shows its keys but no values, because template parameters may hold a PIN.

    Reading a key returns the value itself. Pickling raises `TypeError`, as for `Secret`, unless the mapping is empty.
    """

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, Any] = MappingProxyType({})) -> None:
        self._items = dict(items)

    @classmethod
    def wrap(cls, items: dict[str, Any]) -> "SecretMapping":
        """Wrap a dict without copying it; it must not be changed afterwards."""
        mapping = object.__new__(cls)
        mapping._items = items
        return mapping

    def reveal(self) -> dict[str, Any]:
        """Return the items as a new dict, whose `repr` shows them. Keep it out of logs and errors."""
        return self._items.copy()

    def __getitem__(self, key: str) -> Any:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        return self._items == dict(cast("Mapping[str, Any]", other))

    def __hash__(self) -> int:
        return hash(frozenset(self._items))

    def __repr__(self) -> str:
        return f"{{{', '.join(f'{key!r}: {MASK}' for key in self._items)}}}"

    def __copy__(self) -> "SecretMapping":
        return self

    def __deepcopy__(self, memo: object) -> "SecretMapping":
        return self

    def __reduce__(self) -> tuple[type["SecretMapping"], tuple[()]]:
        if self._items:
            raise TypeError(
                "a SecretMapping cannot be pickled: it may hold a PIN. Use dump_flow() and protect its result"
            )
        return SecretMapping, ()


def mask_phone(number: object) -> str:
    """Return a phone number that can be recognised but not called: `+3069****5678`."""
    if not isinstance(number, str):
        return repr(number) if number is None else f"<{type(number).__name__}>"
    shown = 5 if number.startswith("+") else 4
    return f"{number[:shown]}{MASK}{number[-4:]}" if len(number) >= shown + 8 else f"{number[:3]}{MASK}"


def mask_url(url: object) -> str:
    """Return the `repr` of a URL that may be a secret, such as a signed callback URL."""
    return repr(mask_url_path(url)) if isinstance(url, str) else mask_value(url)


def mask_url_path(url: str) -> str:
    """Return the scheme and host of a URL, without credentials, path and query: `https://host/****`."""
    try:
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else ""
    except ValueError:
        origin = ""
    return f"{origin}/{MASK}"


def mask_value(value: object) -> str:
    """Return the `repr` of a secret field of any type; `None` is shown as it is."""
    return "None" if value is None else MASK


def mask_text(value: object) -> str:
    """Return the `repr` of a message text: its length instead of its content."""
    return f"<{len(value)} characters>" if isinstance(value, str) else mask_value(value)


def scrub_traceback(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Decorate a function so that its arguments appear in no traceback: an error reporter may print local variables.

    The frames below the function hold the same values. Its errors are therefore raised again without their traceback,
    from a frame that has deleted the arguments.
    """

    @functools.wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001  # the frames of any error hold the arguments
            error.__context__ = error.__cause__ = None
            scrubbed = error.with_traceback(None)
        del args, kwargs
        raise scrubbed

    return call


def drop_frames(error: BaseException) -> None:
    """Drop the frames that a handled error holds, and its causes with theirs.

    Errors of aiohttp's parser refer to each other through them, and so keep the message until a garbage collector runs.
    """
    following: BaseException | None = error
    while following is not None:
        error, following = following, following.__cause__ or following.__context__
        error.__traceback__ = error.__cause__ = error.__context__ = None


def safe_copy(error: Exception, secrets: Iterable[str]) -> Exception:
    """Return a copy of an exception that may be chained and logged, with its nearest built-in class.

    Frames, arguments and attributes of an exception may hold a message. The copy has its text alone, in which secrets
    and numbers are masked, and a note of where it was raised.
    """
    text = str(error.args[0]) if len(error.args) == 1 else str(error)
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, MASK)
    copy = _with_text(error, _numbers.sub(MASK, text)[:_MAX_TEXT_LENGTH])
    places = [*_raised_at(error.__traceback__)]
    notes = [f"raised at {' < '.join(reversed(places))}"] if places else getattr(error, "__notes__", ())
    for note in notes:
        copy.add_note(note)
    return copy


def _with_text(error: Exception, text: str) -> Exception:
    for kind in type(error).__mro__[:-2]:
        if kind.__module__ == "builtins":
            prefix = "" if kind is type(error) else f"{type(error).__name__}: "
            with suppress(TypeError):  # a group of exceptions cannot be made without the exceptions in it
                copy: Exception = cast("Any", kind).__new__(kind)
                copy.args = (prefix + text,)
                if text in str(copy):  # UnicodeError has a text of its own, made of what it could not encode
                    return copy
    return Exception(f"{type(error).__name__}: {text}")


_numbers = re.compile(r"[0-9](?:[\s.-]?[0-9]){3,}")
"""Digits that may be a code or a part of a phone number."""
_MAX_TEXT_LENGTH = 300


def _raised_at(trace: TracebackType | None) -> Iterator[str]:
    while trace is not None:
        code = trace.tb_frame.f_code
        yield f"{code.co_filename}:{trace.tb_lineno} in {code.co_name}"
        trace = trace.tb_next
