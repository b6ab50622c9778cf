"""Text and mappings that nothing prints by accident: PINs, tokens, keys, and the recipients they are meant for.

Every other room may import this one; it imports nothing of ours.
"""

import functools
import hmac
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NoReturn, ParamSpec, TypeVar, cast, final
from urllib.parse import urlsplit

_P = ParamSpec("_P")
_R = TypeVar("_R")

MASK = "****"


@final
class Secret:
    """A PIN, a token or a key: text that only `reveal()` shows.

    `repr`, `str`, formatting and logging show asterisks. Pickling is refused, because a file of pickles is a file of
    PINs; copies are the same object. Two secrets are compared in constant time.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise TypeError(f"a Secret holds text, not {type(text).__name__}")
        self._text = text

    def reveal(self) -> str:
        """The text itself. Whoever calls this keeps it out of logs and errors."""
        return self._text

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        mine, theirs = (secret.reveal().encode("utf-8", "surrogatepass") for secret in (self, other))
        return hmac.compare_digest(mine, theirs)

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, memo: object) -> "Secret":
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled: whoever reads the pickle could read it; reveal it and protect it")


@final
class SecretBytes:
    """A body on its way to Routee: bytes that carry a PIN or a key, and that no traceback with locals may show."""

    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        self._data = data

    def reveal(self) -> bytes:
        """The bytes themselves."""
        return self._data

    def __len__(self) -> int:
        return len(self._data)

    def __repr__(self) -> str:
        return f"SecretBytes(<{len(self._data)} bytes>)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("SecretBytes are not pickled: whoever reads the pickle could read them")


@final
class SecretMapping(Mapping[str, Any]):
    """A read-only mapping whose `repr` shows its keys and none of its values; template parameters may hold a PIN.

    Reading a key gives the value as it is. Pickling is refused, as it is for `Secret`.
    """

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, Any] = MappingProxyType({})) -> None:
        self._items = dict(items)

    @classmethod
    def wrap(cls, items: dict[str, Any]) -> "SecretMapping":
        """One around a mapping that nobody else will change, without a copy."""
        private = cls.__new__(cls)
        private._items = items  # noqa: SLF001  # its own
        return private

    def reveal(self) -> dict[str, Any]:
        """The items in a mapping of their own, which shows them. Whoever calls this keeps it out of logs and errors."""
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
                "a SecretMapping is not pickled: it may hold a PIN. Use dump_flow() and protect what it gives"
            )
        return SecretMapping, ()


def mask_phone(number: object) -> str:
    """A phone number that a person may recognise and a stranger may not call: `+3069****5678`."""
    if not isinstance(number, str):
        return repr(number) if number is None else f"<{type(number).__name__}>"
    shown = 5 if number.startswith("+") else 4
    return f"{number[:shown]}{MASK}{number[-4:]}" if len(number) >= shown + 8 else f"{number[:3]}{MASK}"


def mask_url(url: object) -> str:
    """The `repr` of an address that may be a secret, as a signed one is."""
    return repr(mask_url_path(url)) if isinstance(url, str) else mask_value(url)


def mask_url_path(url: str) -> str:
    """The scheme and the host of an address, and no word of what follows or of credentials: `https://host/****`."""
    try:
        parts = urlsplit(url)
        where = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else ""
    except ValueError:
        where = ""
    return f"{where}/{MASK}"


def mask_value(value: object) -> str:
    """The `repr` of a field whose value is nobody's business, whatever its type; `None` is shown as it is."""
    return "None" if value is None else MASK


def mask_text(value: object) -> str:
    """The `repr` of a message text: how long it is, not what it says."""
    return f"<{len(value)} characters>" if isinstance(value, str) else mask_value(value)


def scrub_traceback(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Keep what a function was given out of tracebacks: an error reporter that prints locals would print a key.

    The frames below hold the same values, so that the error is raised anew, from a frame that has let go of them.
    """

    @functools.wraps(function)
    def call(*args: _P.args, **given: _P.kwargs) -> _R:
        try:
            return function(*args, **given)
        except Exception as error:  # noqa: BLE001  # whatever it is, its frames hold what was given
            error.__context__ = error.__cause__ = None
            forgotten = error.with_traceback(None)
        del args, given
        raise forgotten

    return call
