"""Settings of a client: one frozen `Config`, so that two clients never share a setting by accident."""

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
    check_connector_factory,
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

_ENV_SETTINGS = ("application_id", "application_secret", "api_url", "auth_url", "proxy")


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class Config(ValueObject):
    """All settings of a `RouteeClient`: credentials, URLs, timeouts, limits, retries and hooks.

    Immutable; `RouteeClient.with_options` and `attrs.evolve` make changed copies. Limits apply to each event loop.
    Raises `InvalidConfig` for a setting that cannot work. Plain `http://` is accepted only for this machine itself.

    Credentials and addresses:

    - `application_id`, `application_secret`: the application's credentials, from Routee's platform. Required.
    - `api_url`, `auth_url`: base URLs of the API and of the token service; Routee's own by default.

    Timeouts, as `timedelta`:

    - `total_timeout`: one attempt, including its response; no retry begins later than this after the first attempt.
    - `connect_timeout`: to establish one connection.
    - `pool_timeout`: to wait for a free connection of the pool, before `PoolTimeout` is raised.
    - `keepalive_expiry`: how long an idle connection is kept.
    - `shutdown_timeout`: how long `aclose()` waits for the responses to messages in flight.

    Limits:

    - `pool_size`: connection pool, the maximum number of connections and so of requests in flight.
    - `concurrency`: concurrency limit, the maximum number of requests in flight if less than `pool_size`.
    - `rate`, `poll_rate`: rate limits of all requests and of polling, per second.
    - `otp_reserve`: share of the connections and of the rate that is reserved for one-time passwords.
    - `max_response_size`: one response body, in bytes.

    Retries and outages:

    - `max_attempts`: attempts of a request whose retry is safe; the waits between them are exponential backoff.
    - `max_throttle_pause`: the pause after a 429, or a 503 with `Retry-After`.
    - `circuit_breaker`: whether sending stops for a while when most requests fail.
    - `status_rules`: overrides of `STATUS_RULES`, what each HTTP status proves and whether it is retried.

    Logging and network:

    - `observers`: receivers of all events, `LoggingObserver()` for example.
    - `headers`: extra headers of every request.
    - `proxy`, `proxy_headers`: an HTTP proxy, and headers for it alone. `HTTPS_PROXY` is not read; `from_env` reads
      `ROUTEE_PROXY`.
    - `tls`: an `ssl.SSLContext`, for a private CA or a client certificate.
    - `resolver`: factory of the host name resolver.
    - `connector_factory`: factory of the connection pool, for a Unix socket or a SOCKS proxy.
    - `session_factory`: factory of the `aiohttp.ClientSession`, for tracing, middlewares or mocks.
    """

    application_id: str = attrs.field(validator=check_credential)
    """The application's id, from Routee's platform (https://docs.routee.net/docs/routee-applications)."""
    application_secret: Secret = attrs.field(converter=as_secret, validator=check_credential, repr=mask_value)
    """The application's secret, kept as a `Secret`."""
    api_url: str = attrs.field(default=API_URL, converter=strip_trailing_slash, validator=check_routee_url)
    """Base URL of the API, where messages are sent and tracked."""
    auth_url: str = attrs.field(default=AUTH_URL, converter=strip_trailing_slash, validator=check_routee_url)
    """Base URL of the token service."""
    total_timeout: timedelta = attrs.field(default=timedelta(seconds=30), validator=check_positive_duration)
    """Maximum duration of one attempt after it was admitted, including its response. No retry begins later than this
    after the first attempt. Waiting for the rate limit or concurrency limit does not count: only a deadline ends it."""
    connect_timeout: timedelta = attrs.field(default=timedelta(seconds=5), validator=check_positive_duration)
    """Maximum time to establish one connection, including host name lookup and TLS handshake."""
    pool_timeout: timedelta = attrs.field(default=timedelta(seconds=10), validator=check_positive_duration)
    """Maximum wait for a free connection of the pool; after it the send raises `PoolTimeout`."""
    pool_size: int = attrs.field(default=100, validator=check_positive_int)
    """Connection pool: the maximum number of connections of an event loop to Routee, and so of requests in flight."""
    keepalive_expiry: timedelta = attrs.field(default=timedelta(seconds=4), validator=check_positive_duration)
    """How long an idle connection is kept in the pool. Shorter than the 5 seconds after which common servers close
    theirs, because a message written into a connection that is being closed can be lost without a trace. A shorter time
    that a server announces (`Keep-Alive: timeout=2`) is honoured."""
    max_response_size: int = attrs.field(default=1024 * 1024, validator=check_positive_int)
    """Maximum size of one response body in bytes, after decompression."""
    concurrency: int | None = attrs.field(default=None, validator=attrs.validators.optional(check_positive_int))
    """Concurrency limit: the maximum number of requests in flight in one event loop, if less than `pool_size`."""
    rate: float | None = attrs.field(default=None, validator=attrs.validators.optional(check_rate))
    """Rate limit: the maximum number of requests per second in one event loop; `None` for no limit."""
    poll_rate: float = attrs.field(default=20.0, validator=check_rate)
    """Rate limit of polling: the maximum number of polls per second in one event loop, over all `wait` calls."""
    otp_reserve: float = attrs.field(default=0.1, validator=check_fraction)
    """Share of the connections and of the rate, from 0 to below 1, that is reserved for one-time passwords (the flows
    of the two OTP endpoints), so that no campaign starves a login. It is rounded down: of fewer than ten, a tenth keeps
    none."""
    max_attempts: int = attrs.field(default=3, validator=check_positive_int)
    """Maximum number of attempts of a request whose retry is safe. Attempts that met a stale pooled connection, or
    that were followed by a renewal of the token, do not count."""
    max_throttle_pause: timedelta = attrs.field(default=timedelta(seconds=60), validator=check_positive_duration)
    """Maximum throttle pause of an event loop after a 429, or a 503 with `Retry-After`; a longer one is cut to this."""
    circuit_breaker: bool = attrs.field(default=True, validator=check_bool)
    """Whether a circuit breaker stops sending for a while when most requests fail to reach Routee or get a 5xx."""
    shutdown_timeout: timedelta = attrs.field(default=timedelta(seconds=5), validator=check_positive_duration)
    """How long `aclose()` waits for the responses to messages in flight."""
    status_rules: SecretMapping = attrs.field(
        factory=dict, converter=as_secret_mapping, validator=check_status_rules, repr=lambda rules: repr(rules.reveal())
    )
    """Overrides of `STATUS_RULES`, what each HTTP status proves: `{"502": StatusRule(Outcome.REJECTED)}`."""
    observers: tuple[Observer, ...] = attrs.field(default=(), converter=as_tuple, validator=check_observers)
    """Consumers of all events, `LoggingObserver()` for example."""
    headers: SecretMapping = attrs.field(factory=dict, converter=as_secret_mapping, validator=check_headers)
    """Extra headers of every request to Routee, token requests included; a `User-Agent` for example."""
    proxy: str | None = attrs.field(
        default=None, converter=strip_trailing_slash, validator=attrs.validators.optional(check_proxy_url)
    )
    """HTTP proxy of every connection, including those to the token service: `http://proxy.example:3128`, or https.
    https addresses are reached through a tunnel (CONNECT), so that the proxy sees no message; if an address is http,
    the proxy must be on this machine too. `HTTPS_PROXY` and similar variables are not read; `Config.from_env` reads
    `ROUTEE_PROXY`."""
    proxy_headers: SecretMapping = attrs.field(factory=dict, converter=as_secret_mapping, validator=check_proxy_headers)
    """Headers for the proxy only, such as
    `{"Proxy-Authorization": aiohttp.encode_basic_auth("user", "password")}`."""
    tls: ssl.SSLContext | None = attrs.field(default=None, validator=attrs.validators.optional(check_tls))
    """TLS context that verifies the servers, and an https proxy: `ssl.create_default_context(cafile=...)` for a private
    CA, with `load_cert_chain` for a client certificate, with `minimum_version`. All event loops share it.

    With TLS 1.3 a server may reject a missing client certificate only after the first bytes of a message have left; the
    send then ends in `DeliveryUnknown`. If the token service requires the certificate too, no message gets that far:
    the send ends in `TokenUnavailable`."""
    resolver: "Callable[[], AbstractResolver] | None" = attrs.field(
        default=None, validator=attrs.validators.optional(check_resolver_factory), repr=callable_name
    )
    """Factory of the host name resolver, `aiohttp.AsyncResolver` for example. It is called without arguments, once per
    event loop, at the first lookup; the resolver is closed with the connections. Behind a proxy only the name of the
    proxy is looked up."""
    connector_factory: "Callable[..., aiohttp.BaseConnector] | None" = attrs.field(
        default=None, validator=attrs.validators.optional(check_connector_factory), repr=callable_name
    )
    """Factory of the connection pool, for one that is not `aiohttp.TCPConnector`: a Unix socket, a SOCKS proxy. It is
    called once per event loop, with the keyword arguments `limit`, `keepalive_timeout`, `ssl`, and `resolver` if there
    is one:

        def unix(*, limit, keepalive_timeout, **_):
            return aiohttp.UnixConnector("/run/gateway.sock", limit=limit, keepalive_timeout=keepalive_timeout)

    Whether `tls` and `proxy` are used is up to the connector: a `UnixConnector` uses neither, and encrypts nothing even
    for an https address. If the factory raises or makes something else, or if the connector's own limit is below
    `pool_size`, nothing is sent and the error says so."""
    session_factory: "Callable[..., aiohttp.ClientSession] | None" = attrs.field(
        default=None, validator=attrs.validators.optional(check_session_factory), repr=callable_name
    )
    """Factory of the `aiohttp.ClientSession` of an event loop, for what only a session can do: traces, middlewares,
    mocks of aiohttp. Without it the client sends over aiohttp's connector itself, which costs less and proves more. The
    factory is called once per event loop, with the keyword arguments `connector`, `cookie_jar` and `trace_configs` for
    the session, and may add others:

        def traced(*, trace_configs, **kwargs):
            return aiohttp.ClientSession(trace_configs=[*trace_configs, create_trace_config()], **kwargs)

    `connector` must be passed on, and the session must not have `raise_for_status`, `auth`, `auto_decompress=False` or
    `connector_owner=False`: otherwise nothing is sent and the error says so. One of the `trace_configs` is the client's
    own; where it is missing it is added. It tells how far a request got. If aiohttp, or what replaces it, does not call
    its hooks, a send without a response is `DeliveryUnknown`.

    Traces and middlewares see everything, including each PIN and the token, and are trusted with it. A middleware may
    call its handler again as long as the message has not left; later calls fail, and the send ends in
    `DeliveryUnknown`. A response that a middleware creates counts as Routee's. A trace that raises before the message
    has left ends the send in `ConnectFailed`, one that raises later in `DeliveryUnknown`, whatever the response was.
    Fewer things can be proven than without a session, as docs/retries-and-outcomes.md lists: a connection is checked
    when the session gets it, which may be some time before the message is written, and the ttls of a message with a
    deadline are shortened when its attempt begins."""

    @classmethod
    @scrub_traceback
    def from_env(cls, environ: Mapping[str, str] | None = None, **settings: Any) -> Self:
        """Read settings from environment variables; keyword arguments add to them and override them.

        - `ROUTEE_APPLICATION_ID`, `ROUTEE_APPLICATION_SECRET`: required, unless passed as `settings`.
        - `ROUTEE_API_URL`, `ROUTEE_AUTH_URL`: only for a service other than Routee's own, a sandbox for example.
        - `ROUTEE_PROXY`: only behind a proxy.

        An empty variable counts as not set. `environ` is read instead of `os.environ` if given. Raises `InvalidConfig`
        that names each required variable that is missing.
        """
        variables = {name: f"ROUTEE_{name.upper()}" for name in _ENV_SETTINGS}
        environ = os.environ if environ is None else environ
        found: dict[str, Any] = {
            name: environ[variable] for name, variable in variables.items() if environ.get(variable)
        } | settings
        missing = [variables[name] for name in ("application_id", "application_secret") if name not in found]
        if missing:
            names = f"{missing[0]} is" if len(missing) == 1 else f"{' and '.join(missing)} are"
            raise InvalidConfig(f"{names} not set: Routee's platform shows the id and the secret of an application")
        return cls(**found)

    def __deepcopy__(self, memo: object) -> Self:
        return self  # immutable, and a TLS context cannot be copied


Config.__init__ = scrub_traceback(Config.__init__)  # type: ignore[method-assign]
