"""One frozen `Config` holds every setting of a client, so that two clients never share a switch by accident."""

import ipaddress
import os
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Self, cast
from urllib.parse import urlsplit

import attrs

from .errors import InvalidConfig
from .evidence import StatusRule, StatusTable
from .observe import Observer
from .secret import PrivateMapping, Secret, forgetful, hidden
from .values import Value

API_URL = "https://connect.routee.net"
AUTH_URL = "https://auth.routee.net"

_FROM_ENV = ("application_id", "application_secret", "api_url", "auth_url")


def _secret(value: str | Secret) -> Secret:
    return Secret(value) if isinstance(value, str) else value


def _address(value: Any) -> str:
    """The address without its closing slash; whatever cannot be one is left for the check."""
    return value.rstrip("/") if isinstance(value, str) else value


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _check_address(_config: object, attribute: "attrs.Attribute[str]", value: object) -> None:
    name = attribute.name
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
        host = parts.hostname if parts else None
        _ = parts.port if parts else None
    except ValueError:
        parts = host = None
    plain = isinstance(value, str) and re.fullmatch(r"[!-~]+", value)
    if not plain or parts is None or not host or parts.scheme not in {"http", "https"} or parts.query or parts.fragment:
        raise InvalidConfig(f"{name} must be an address such as {attribute.default}")
    if parts.username is not None or parts.password is not None:
        raise InvalidConfig(f"{name} must not hold credentials; give application_id and application_secret instead")
    if parts.scheme == "http" and not _is_loopback(host):
        raise InvalidConfig(f"{name} must be https: over plain http the key and every PIN would be readable on the way")


def _check_duration(_config: object, attribute: "attrs.Attribute[timedelta]", value: object) -> None:
    if not isinstance(value, timedelta) or value <= timedelta(0):
        raise InvalidConfig(f"{attribute.name} must be a positive timedelta, such as timedelta(seconds=10)")


def _check_count(_config: object, attribute: "attrs.Attribute[int]", value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InvalidConfig(f"{attribute.name} must be a whole number of at least 1")


def _check_rate(_config: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < float("inf"):
        raise InvalidConfig(f"{attribute.name} must be a number of requests a second, above 0")


def _check_share(_config: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1:
        raise InvalidConfig(f"{attribute.name} must be a share of at least 0 and below 1")


def _check_switch(_config: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    if not isinstance(value, bool):
        raise InvalidConfig(f"{attribute.name} must be True or False")


def _check_rules(_config: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    if not isinstance(value, Mapping):
        raise InvalidConfig(f'{attribute.name} must be a mapping such as {{"502": StatusRule(Outcome.REJECTED)}}')
    StatusTable(cast("Mapping[str, StatusRule]", value))


def _check_observers(_config: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    if not isinstance(value, tuple) or not all(isinstance(observer, Observer) for observer in value):
        raise InvalidConfig(f"{attribute.name} must be objects with an observe(event) method")


def _observers(value: Any) -> Any:
    return tuple(value) if isinstance(value, list | tuple) else value


def _check_credential(_config: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    text = value.reveal() if isinstance(value, Secret) else value
    if not isinstance(text, str) or not text.strip() or not text.isprintable():
        raise InvalidConfig(f"{attribute.name} must be the text that Routee's platform shows for the application")
    if attribute.name == "application_id" and ":" in text:
        raise InvalidConfig("application_id must not hold a colon: that is what parts it from the secret on the wire")


_is_header_name = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch


def _check_headers(_config: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    if not isinstance(value, Mapping):
        raise InvalidConfig(f"{attribute.name} must be a mapping of header names to texts")
    for name, text in cast("Mapping[object, object]", value).items():
        if not (isinstance(name, str) and _is_header_name(name) and isinstance(text, str) and text.isprintable()):
            raise InvalidConfig(f"{attribute.name} must map header names to texts of one line")
        if name.lower() in {"authorization", "content-type", "content-length", "host", "transfer-encoding"}:
            raise InvalidConfig(f"{attribute.name}: {name} is set by the client itself")


def _private(value: Any) -> PrivateMapping:
    return PrivateMapping(cast("Mapping[str, str]", value)) if isinstance(value, Mapping) else value


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class Config(Value):
    """Who the client is, where Routee is, and how long and how wide it may wait.

    Raises `InvalidConfig` for a setting that cannot work: plain `http://` is refused but for this machine itself.
    """

    application_id: str = attrs.field(validator=_check_credential)
    """The application's id, from Routee's platform (https://docs.routee.net/docs/routee-applications)."""
    application_secret: Secret = attrs.field(converter=_secret, validator=_check_credential, repr=hidden)
    """The application's secret; held as a `Secret`."""
    api_url: str = attrs.field(default=API_URL, converter=_address, validator=_check_address)
    """Where messages are sent and tracked."""
    auth_url: str = attrs.field(default=AUTH_URL, converter=_address, validator=_check_address)
    """Where tokens come from."""
    total_timeout: timedelta = attrs.field(default=timedelta(seconds=30), validator=_check_duration)
    """The longest that one request may take, its answer included; past it, nothing is tried again either."""
    connect_timeout: timedelta = attrs.field(default=timedelta(seconds=5), validator=_check_duration)
    """The longest that making one connection may take, with looking up the host and the TLS handshake."""
    pool_timeout: timedelta = attrs.field(default=timedelta(seconds=10), validator=_check_duration)
    """The longest wait for a free connection; past it the send ends in `PoolTimeout`."""
    pool_size: int = attrs.field(default=100, validator=_check_count)
    """How many connections an event loop may hold to Routee, and so how many requests are under way at once."""
    keep_alive: timedelta = attrs.field(default=timedelta(seconds=4), validator=_check_duration)
    """How long an idle connection is kept. Shorter than the 5 seconds after which common servers close theirs, because
    a message written into a connection that is being closed can be lost without a trace."""
    answer_limit: int = attrs.field(default=4 * 1024 * 1024, validator=_check_count)
    """The most bytes of one answer that are read."""
    concurrency: int | None = attrs.field(default=None, validator=attrs.validators.optional(_check_count))
    """How many requests may be under way at once in one event loop, if less than `pool_size`."""
    rate: float | None = attrs.field(default=None, validator=attrs.validators.optional(_check_rate))
    """How many requests a second an event loop may make; `None` for as many as there is room for."""
    otp_share: float = attrs.field(default=0.1, validator=_check_share)
    """The share of connections and of the rate that only one-time passwords may use, so that no campaign starves a
    login. What they leave of the rest, others take."""
    tries: int = attrs.field(default=3, validator=_check_count)
    """How often a call is tried at most where another try is safe; 1 tries nothing again."""
    longest_pause: timedelta = attrs.field(default=timedelta(seconds=60), validator=_check_duration)
    """The longest pause that Routee may ask for with 429 or 503: a longer one is cut to this."""
    breaker: bool = attrs.field(default=True, validator=_check_switch)
    """Whether the client stops sending for a while when most of what it sends fails to reach Routee, or meets 5xx."""
    close_grace: timedelta = attrs.field(default=timedelta(seconds=5), validator=_check_duration)
    """How long `aclose()` waits for the answers to messages that have left already."""
    status_rules: PrivateMapping = attrs.field(
        factory=dict, converter=_private, validator=_check_rules, repr=lambda rules: repr(rules.reveal())
    )
    """What a status proves, where it is not what `STATUS_RULES` says: `{"502": StatusRule(Outcome.REJECTED)}`."""
    observers: tuple[Observer, ...] = attrs.field(default=(), converter=_observers, validator=_check_observers)
    """Who is told what happens, `LoggingObserver()` for example."""
    headers: PrivateMapping = attrs.field(factory=dict, converter=_private, validator=_check_headers)
    """Headers sent with every request, a User-Agent of your own for example."""

    @classmethod
    @forgetful
    def from_env(cls, environ: Mapping[str, str] | None = None, **settings: Any) -> Self:
        """Settings from the environment; `settings` set the rest.

        `ROUTEE_APPLICATION_ID` and `ROUTEE_APPLICATION_SECRET` are needed, `ROUTEE_API_URL` and `ROUTEE_AUTH_URL` only
        where the service is not Routee's own. Raises `InvalidConfig` that names what is missing.
        """
        variables = {name: f"ROUTEE_{name.upper()}" for name in _FROM_ENV}
        given = os.environ if environ is None else environ
        found: dict[str, Any] = {
            name: given[variable] for name, variable in variables.items() if given.get(variable)
        } | settings
        missing = [variables[name] for name in ("application_id", "application_secret") if name not in found]
        if missing:
            names = f"{missing[0]} is" if len(missing) == 1 else f"{' and '.join(missing)} are"
            raise InvalidConfig(f"{names} not set: Routee's platform shows the id and the secret of an application")
        return cls(**found)


Config.__init__ = forgetful(Config.__init__)  # type: ignore[method-assign]
