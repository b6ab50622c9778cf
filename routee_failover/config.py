"""One frozen `Config` holds every setting of a client, so that two clients never share a switch by accident."""

import os
import ssl
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

import attrs

from ._validators import (
    as_secret,
    as_secret_mapping,
    as_tuple,
    callable_name,
    check_bool,
    check_credential,
    check_fraction,
    check_headers,
    check_observers,
    check_positive_duration,
    check_positive_int,
    check_proxy_headers,
    check_proxy_url,
    check_rate,
    check_resolver_factory,
    check_routee_url,
    check_session_factory,
    check_status_rules,
    check_tls,
    strip_trailing_slash,
)
from ._value_object import ValueObject
from .errors import InvalidConfig
from .events import Observer
from .secret import Secret, SecretMapping, mask_value, scrub_traceback

if TYPE_CHECKING:
    import aiohttp
    from aiohttp.abc import AbstractResolver

API_URL = "https://connect.routee.net"
AUTH_URL = "https://auth.routee.net"

_FROM_ENV = ("application_id", "application_secret", "api_url", "auth_url", "proxy")


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class Config(ValueObject):
    """Who the client is, where Routee is, and how long and how wide it may wait.

    Raises `InvalidConfig` for a setting that cannot work: plain `http://` is refused but for this machine itself.
    """

    application_id: str = attrs.field(validator=check_credential)
    """The application's id, from Routee's platform (https://docs.routee.net/docs/routee-applications)."""
    application_secret: Secret = attrs.field(converter=as_secret, validator=check_credential, repr=mask_value)
    """The application's secret; held as a `Secret`."""
    api_url: str = attrs.field(default=API_URL, converter=strip_trailing_slash, validator=check_routee_url)
    """Where messages are sent and tracked."""
    auth_url: str = attrs.field(default=AUTH_URL, converter=strip_trailing_slash, validator=check_routee_url)
    """Where tokens come from."""
    total_timeout: timedelta = attrs.field(default=timedelta(seconds=30), validator=check_positive_duration)
    """The longest that one try may take once it has its turn, its answer included; no other try begins later than this
    after the first. Waiting for a turn does not count: only a deadline ends that."""
    connect_timeout: timedelta = attrs.field(default=timedelta(seconds=5), validator=check_positive_duration)
    """The longest that making one connection may take, with looking up the host and the TLS handshake."""
    pool_timeout: timedelta = attrs.field(default=timedelta(seconds=10), validator=check_positive_duration)
    """The longest wait for a free connection; past it the send ends in `PoolTimeout`."""
    pool_size: int = attrs.field(default=100, validator=check_positive_int)
    """How many connections an event loop may hold to Routee, and so how many requests are under way at once."""
    keepalive_expiry: timedelta = attrs.field(default=timedelta(seconds=4), validator=check_positive_duration)
    """How long an idle connection is kept. Shorter than the 5 seconds after which common servers close theirs, because
    a message written into a connection that is being closed can be lost without a trace. A server that announces a
    shorter time (`Keep-Alive: timeout=2`) is believed."""
    max_response_size: int = attrs.field(default=1024 * 1024, validator=check_positive_int)
    """The most bytes of one answer that are read."""
    concurrency: int | None = attrs.field(default=None, validator=attrs.validators.optional(check_positive_int))
    """How many requests may be under way at once in one event loop, if less than `pool_size`."""
    rate: float | None = attrs.field(default=None, validator=attrs.validators.optional(check_rate))
    """How many requests a second an event loop may make; `None` for as many as there is room for."""
    poll_rate: float = attrs.field(default=20.0, validator=check_rate)
    """How many questions a second `wait` asks at most in one event loop, over all who wait."""
    otp_reserve: float = attrs.field(default=0.1, validator=check_fraction)
    """The share of connections and of the rate that only one-time passwords may use, the flows of the two OTP
    endpoints, so that no campaign starves a login. It is rounded down: of fewer than ten, a tenth keeps none."""
    max_attempts: int = attrs.field(default=3, validator=check_positive_int)
    """How often a call is tried at most where another try is safe. A renewed token and a dead connection of the pool do
    not count."""
    max_throttle_pause: timedelta = attrs.field(default=timedelta(seconds=60), validator=check_positive_duration)
    """The longest pause of an event loop that Routee may ask for with 429 or 503: a longer one is cut to this."""
    circuit_breaker: bool = attrs.field(default=True, validator=check_bool)
    """Whether the client stops sending for a while when most of what it sends fails to reach Routee, or meets 5xx."""
    shutdown_timeout: timedelta = attrs.field(default=timedelta(seconds=5), validator=check_positive_duration)
    """How long `aclose()` waits for the answers to messages that have left already."""
    status_rules: SecretMapping = attrs.field(
        factory=dict, converter=as_secret_mapping, validator=check_status_rules, repr=lambda rules: repr(rules.reveal())
    )
    """What a status proves, where it is not what `STATUS_RULES` says: `{"502": StatusRule(Outcome.REJECTED)}`."""
    observers: tuple[Observer, ...] = attrs.field(default=(), converter=as_tuple, validator=check_observers)
    """Who is told what happens, `LoggingObserver()` for example."""
    headers: SecretMapping = attrs.field(factory=dict, converter=as_secret_mapping, validator=check_headers)
    """Headers sent with every request, a User-Agent of your own for example."""
    proxy: str | None = attrs.field(
        default=None, converter=strip_trailing_slash, validator=attrs.validators.optional(check_proxy_url)
    )
    """The proxy that every connection goes through, the token's as well: `http://proxy.example:3128`, or https. It is
    asked for a tunnel (CONNECT) to https addresses, and so sees no message; where an address is http, it must be on
    this machine too. `HTTPS_PROXY` and its like are not read: aiohttp would look them up anew for every request, which
    costs 150 microseconds each time."""
    proxy_headers: SecretMapping = attrs.field(factory=dict, converter=as_secret_mapping, validator=check_proxy_headers)
    """Headers that the proxy gets and Routee does not, such as
    `{"Proxy-Authorization": aiohttp.encode_basic_auth("user", "password")}`."""
    tls: ssl.SSLContext | None = attrs.field(default=None, validator=attrs.validators.optional(check_tls))
    """How servers are verified, and a proxy that is https: `ssl.create_default_context(cafile=...)` for a CA of your
    own, with `load_cert_chain` for a certificate of the client's, with `minimum_version`. All event loops share it.

    With TLS 1.3 a server may miss the client's certificate only after a message has begun to leave, which then ends in
    `DeliveryUnknown`. Where the token service asks for it as well, nothing gets that far: `TokenUnavailable`."""
    resolver: "Callable[[], AbstractResolver] | None" = attrs.field(
        default=None, validator=attrs.validators.optional(check_resolver_factory), repr=callable_name
    )
    """Makes what looks host names up, `aiohttp.AsyncResolver` for example. It is called without arguments, once in
    each event loop, when a name is looked up first; what it makes is closed with the connections. Behind a proxy only
    the name of the proxy is looked up."""
    session_factory: "Callable[..., aiohttp.ClientSession] | None" = attrs.field(
        default=None, validator=attrs.validators.optional(check_session_factory), repr=callable_name
    )
    """Makes the session of an event loop. It is called with keyword arguments for `aiohttp.ClientSession`, and makes
    one with them and with more of your own, `trace_configs` and `middlewares` above all:

        def traced(**given):
            return aiohttp.ClientSession(trace_configs=[create_trace_config()], **given)

    `headers` and `cookie_jar` may be changed on the way. `connector` and `request_class` are what proves that nothing
    was sent: without them nothing is, and the error says so. The same holds for `raise_for_status`, `auth`,
    `auto_decompress=False` and `connector_owner=False`.

    What a session brings sees everything, each PIN and the token too, and is trusted with it. A middleware may call its
    handler again as long as the message has not left; after that the second time is refused, and the send ends in
    `DeliveryUnknown`. An answer that a middleware makes up counts as Routee's. A trace that raises before the message
    has left ends in `ConnectFailed`; one that raises later in `DeliveryUnknown`, whatever the answer was. A message
    with a deadline may get shorter times after the middlewares have seen it."""

    @classmethod
    @scrub_traceback
    def from_env(cls, environ: Mapping[str, str] | None = None, **settings: Any) -> Self:
        """Settings from the environment; `settings` set the rest.

        `ROUTEE_APPLICATION_ID` and `ROUTEE_APPLICATION_SECRET` are needed, `ROUTEE_API_URL` and `ROUTEE_AUTH_URL` only
        where the service is not Routee's own, `ROUTEE_PROXY` only where there is a proxy. Raises `InvalidConfig` that
        names what is missing.
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

    def __deepcopy__(self, memo: object) -> Self:
        return self  # nothing in it changes, and a TLS context cannot be copied


Config.__init__ = scrub_traceback(Config.__init__)  # type: ignore[method-assign]
