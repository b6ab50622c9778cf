"""Addresses for Routee to call back that nobody else can make up, because Routee signs nothing of what it sends.

An address says what it was made for and until when, and proves both; nothing has to be kept to check it.
"""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, NoReturn, Self

import attrs

from .._validators import check_callback_url, check_positive_duration, strip_trailing_slash
from .._value_object import ValueObject
from ..errors import InvalidConfig, InvalidFlow, Problem
from ..secret import Secret, mask_value, scrub_traceback

MIN_KEY_LENGTH = 32
MAX_REFERENCE_LENGTH = 200
_MAC = hashlib.sha256().digest_size
_EXPIRY = 5
"""Bytes of the time, in seconds: enough for 34,000 years."""
_LONGEST_SEGMENT = 4 * -(-(_MAC + _EXPIRY + MAX_REFERENCE_LENGTH) // 3)
# So that a key that also serves something else can never make or check an address by that.
_PURPOSE = b"routee-failover callback address 1\x00"


def _secrets(keys: str | Secret | Iterable[str | Secret]) -> tuple[Secret, ...]:
    given = (keys,) if isinstance(keys, str | Secret) else keys
    try:
        return tuple(Secret(key) if isinstance(key, str) else key for key in given)
    except TypeError:
        return ()


def _check_keys(_signer: object, _attribute: "attrs.Attribute[Any]", keys: object) -> None:
    if not isinstance(keys, tuple) or not keys or not all(isinstance(key, Secret) for key in keys):
        raise InvalidConfig("keys must be one text or Secret, or several: the first signs, all of them verify")
    if any(len(key.reveal()) < MIN_KEY_LENGTH for key in keys):
        raise InvalidConfig(
            f"keys must have {MIN_KEY_LENGTH} letters or more; secrets.token_urlsafe(32) makes one that nobody can guess"
        )


def _check_clock(_signer: object, _attribute: "attrs.Attribute[Any]", clock: object) -> None:
    if not callable(clock):
        raise InvalidConfig("clock must be a callable that gives the seconds since 1970, such as time.time")


@attrs.frozen(slots=False, eq=False, repr=False)
class CallbackSigner(ValueObject):
    """Makes addresses for `Callback(url=...)`, and knows its own when they come back.

        signer = CallbackSigner(key, base_url="https://login.example.com/routee")
        flow = OtpFlow(steps=[...], callback=Callback(url=signer.url("login-4711")))

    An address ends in one segment that holds the intent, the end of its validity and an HMAC-SHA256 over both. With
    several keys the first signs and all of them verify: to change a key, put the new one first, and take the old one
    out once `valid_for` has passed. Raises `InvalidConfig` for what cannot work.
    """

    keys: tuple[Secret, ...] = attrs.field(converter=_secrets, validator=_check_keys, repr=mask_value)
    """Texts of 32 letters or more; held as `Secret`."""
    base_url: str = attrs.field(kw_only=True, converter=strip_trailing_slash, validator=check_callback_url)
    """Where the receiver is mounted, as Routee reaches it. It must be https, but on this machine itself."""
    valid_for: timedelta = attrs.field(kw_only=True, default=timedelta(days=7), validator=check_positive_duration)
    """How long an address is known after it was made. Three steps can take three days, and Routee repeats a callback
    that was not answered for another."""
    clock: Callable[[], float] = attrs.field(kw_only=True, default=time.time, validator=_check_clock, repr=False)
    """Gives the seconds since 1970."""

    @scrub_traceback
    def url(self, reference: str) -> str:
        """The address to be called back at for an intent: a text of yours of 1 to 200 bytes, an order's id for example.

        Whoever sees the address can read the intent, so it must not be a secret; and can call back in Routee's name, so
        the address should not be logged. Raises `InvalidFlow` for an intent that cannot be held.
        """
        data = reference.encode("utf-8", "replace") if isinstance(reference, str) else b""
        if not 1 <= len(data) <= MAX_REFERENCE_LENGTH or not reference.isprintable():
            why = f"must be a printable text of 1 to {MAX_REFERENCE_LENGTH} bytes"
            raise InvalidFlow("CallbackSigner.url", [Problem(("intent",), why)])
        signed = _expiry(self.clock() + self.valid_for.total_seconds()) + data
        return f"{self.base_url}/{_text(_mac(self.keys[0], signed) + signed)}"

    def verify(self, segment: str) -> str | None:
        """The intent of the address whose last segment this is; `None` for any other text.

        Why it is `None` is not told: an address that is forged, garbled, or no longer valid looks the same to whoever
        called.
        """
        data = _bytes(segment)
        mac, signed = data[:_MAC], data[_MAC:]
        # Each key is tried whatever came of the ones before, so that the time does not tell which of them it was.
        known = False
        for key in self.keys:
            known |= hmac.compare_digest(mac, _mac(key, signed))
        if not known or int.from_bytes(signed[:_EXPIRY]) < self.clock():
            return None
        return signed[_EXPIRY:].decode()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a CallbackSigner is not pickled, because it holds keys; make one in each process")


CallbackSigner.__init__ = scrub_traceback(CallbackSigner.__init__)  # type: ignore[method-assign]


def _mac(key: Secret, signed: bytes) -> bytes:
    return hmac.digest(key.reveal().encode("utf-8", "surrogatepass"), _PURPOSE + signed, "sha256")


def _expiry(moment: float) -> bytes:
    return min(int(moment) + 1, (1 << 8 * _EXPIRY) - 1).to_bytes(_EXPIRY)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(segment: object) -> bytes:
    """What a segment of ours says; nothing for a text that none of ours is written as."""
    if not isinstance(segment, str) or len(segment) > _LONGEST_SEGMENT or not segment.isascii():
        return b""
    try:
        data: bytes = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except binascii.Error:
        return b""
    # Python's decoder passes over letters that are none of the alphabet; an address has one spelling.
    return data if _text(data) == segment else b""
