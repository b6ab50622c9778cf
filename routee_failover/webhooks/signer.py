"""Signed callback URLs (HMAC-SHA256), because Routee does not sign the callbacks that it sends.

A URL contains its reference and its expiry time, and a MAC that authenticates both: nothing has to be stored to verify
it.
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

from .._validators import check_callback_url, check_hook, check_positive_duration, strip_trailing_slash
from .._value_object import ValueObject
from ..errors import InvalidConfig, InvalidFlow, Problem
from ..secret import Secret, mask_value, scrub_traceback

MIN_KEY_LENGTH = 32
MAX_REFERENCE_LENGTH = 200
_MAC_SIZE = hashlib.sha256().digest_size
_EXPIRY_SIZE = 5
"""Bytes of the expiry time in seconds: enough for 34,000 years."""
_MAX_SEGMENT_LENGTH = 4 * -(-(_MAC_SIZE + _EXPIRY_SIZE + MAX_REFERENCE_LENGTH) // 3)
# Domain separation: a MAC that another use of the same key produces is never valid here, and vice versa.
_DOMAIN = b"routee-failover callback address 1\x00"


def _as_secrets(keys: str | Secret | Iterable[str | Secret]) -> tuple[Secret, ...]:
    values = (keys,) if isinstance(keys, str | Secret) else keys
    try:
        return tuple(Secret(key) if isinstance(key, str) else key for key in values)
    except TypeError:
        return ()


def _check_keys(_signer: object, _attribute: "attrs.Attribute[Any]", keys: object) -> None:
    if not isinstance(keys, tuple) or not keys or not all(isinstance(key, Secret) for key in keys):
        raise InvalidConfig("keys must be one text or Secret, or several: the first signs, all of them verify")
    if any(len(key.reveal()) < MIN_KEY_LENGTH for key in keys):
        raise InvalidConfig(
            f"keys must have {MIN_KEY_LENGTH} characters or more; secrets.token_urlsafe(32) makes a random one"
        )


def _check_clock(_signer: object, _attribute: "attrs.Attribute[Any]", clock: object) -> None:
    if not callable(clock):
        raise InvalidConfig("clock must be a callable that returns the seconds since 1970, such as time.time")
    check_hook("clock", clock)


@attrs.frozen(slots=False, eq=False, repr=False)
class CallbackSigner(ValueObject):
    """Makes signed URLs for `Callback(url=...)`, and verifies them when they are called.

        signer = CallbackSigner(key, base_url="https://login.example.com/routee")
        flow = OtpFlow(steps=[...], callback=Callback(url=signer.url("login-4711")))

    A URL ends in one path segment that holds the reference, its expiry time and an HMAC-SHA256 over both. With several
    keys the first one signs and all of them verify. To rotate a key, put the new one first, and remove the old one
    after `valid_for`. Raises `InvalidConfig` for settings that cannot work.
    """

    keys: tuple[Secret, ...] = attrs.field(converter=_as_secrets, validator=_check_keys, repr=mask_value)
    """Texts of 32 characters or more; held as `Secret`."""
    base_url: str = attrs.field(kw_only=True, converter=strip_trailing_slash, validator=check_callback_url)
    """Where the receiver is mounted, as Routee reaches it. It must be https, except on this machine."""
    valid_for: timedelta = attrs.field(kw_only=True, default=timedelta(days=7), validator=check_positive_duration)
    """How long a URL is valid. Three steps can take three days, and Routee repeats a callback that got no response for
    another day."""
    clock: Callable[[], float] = attrs.field(kw_only=True, default=time.time, validator=_check_clock, repr=False)
    """Returns the seconds since 1970."""

    @scrub_traceback
    def url(self, reference: str) -> str:
        """Return a signed callback URL for a reference: a text of 1 to 200 bytes, for example the id of an order.

        The reference can be read from the URL, so it must not be a secret. A caller who has the URL can post in
        Routee's name, so it should not be logged. Raises `InvalidFlow` for a reference that is empty, too long or not
        printable.
        """
        data = reference.encode("utf-8", "replace") if isinstance(reference, str) else b""
        if not 1 <= len(data) <= MAX_REFERENCE_LENGTH or not reference.isprintable():
            why = f"must be a printable text of 1 to {MAX_REFERENCE_LENGTH} bytes"
            raise InvalidFlow("CallbackSigner.url", [Problem(("reference",), why)])
        signed = _expiry(self.clock() + self.valid_for.total_seconds()) + data
        return f"{self.base_url}/{_encode(_mac(self.keys[0], signed) + signed)}"

    def verify(self, segment: str) -> str | None:
        """Return the reference of the URL that ends in this path segment; `None` if it is not valid.

        `None` does not say why: a forged, a garbled and an expired URL look the same to the caller.
        """
        data = _decode(segment)
        mac, signed = data[:_MAC_SIZE], data[_MAC_SIZE:]
        # Every key is compared, also after a match, so that the response time does not disclose which one matched.
        valid = False
        for key in self.keys:
            valid |= hmac.compare_digest(mac, _mac(key, signed))
        if not valid or int.from_bytes(signed[:_EXPIRY_SIZE]) < self.clock():
            return None
        return signed[_EXPIRY_SIZE:].decode()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a CallbackSigner is not pickled, because it holds keys; make one in each process")


CallbackSigner.__init__ = scrub_traceback(CallbackSigner.__init__)  # type: ignore[method-assign]


def _mac(key: Secret, signed: bytes) -> bytes:
    return hmac.digest(key.reveal().encode("utf-8", "surrogatepass"), _DOMAIN + signed, "sha256")


def _expiry(expires_at: float) -> bytes:
    return min(int(expires_at) + 1, (1 << 8 * _EXPIRY_SIZE) - 1).to_bytes(_EXPIRY_SIZE)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(segment: object) -> bytes:
    """Return the bytes of a segment; empty for a text that `_encode` does not produce."""
    if not isinstance(segment, str) or len(segment) > _MAX_SEGMENT_LENGTH or not segment.isascii():
        return b""
    try:
        data: bytes = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except binascii.Error:
        return b""
    # Python's decoder skips characters outside of the alphabet, but each URL has exactly one valid spelling.
    return data if _encode(data) == segment else b""
