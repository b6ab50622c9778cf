"""Connection pool of one event loop: aiohttp's connector.

It is instrumented if a proxy, a resolver or a session factory is configured.
"""

import socket
from collections.abc import Callable
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from multidict import CIMultiDict

from ..config import Config
from ..secret import SecretMapping
from .attempt import current_attempt
from .custom_session import CustomSessionRequest
from .failure_reasons import PermanentFailure, SafeMessageError


def open_connector(config: Config) -> aiohttp.TCPConnector:
    """Open a connector for the running loop. It has no limit, because `RequestLimiter` admits requests before it."""
    options: dict[str, Any] = {
        "limit": 0,
        "keepalive_timeout": config.keepalive_expiry.total_seconds(),
        "ssl": True if config.tls is None else config.tls,
    }
    if config.proxy is None and config.resolver is None and config.session_factory is None:
        return aiohttp.TCPConnector(**options)
    return _InstrumentedConnector(config, options)


class _InstrumentedConnector(aiohttp.TCPConnector):
    """Connector that checks and prepares each request before it gets a connection."""

    def __init__(self, config: Config, options: dict[str, Any]) -> None:
        self._lazy_resolver = None if config.resolver is None else _LazyResolver(config.resolver)
        super().__init__(resolver=self._lazy_resolver, **options)
        self._proxy_headers: SecretMapping = config.proxy_headers
        self._custom_session: bool = config.session_factory is not None

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,  # the name that aiohttp uses
    ) -> aiohttp.connector.Connection:
        """Connect a request. Raises `PermanentFailure` for a custom session that does not use our request class."""
        if self._custom_session:
            if type(req) is not CustomSessionRequest:
                raise PermanentFailure("session_factory must pass the request_class on as it is given")
            if (attempt := current_attempt.get(None)) is not None:
                attempt.connected = True
        if req.proxy is None:
            return await super().connect(req, traces, timeout)
        # With each CONNECT aiohttp would send the headers of the session, which are meant for Routee, to the proxy; and
        # with a plain HTTP request, which the proxy forwards, it would send no proxy headers at all.
        headers = CIMultiDict(self._proxy_headers)
        req.proxy_headers = headers if req.is_ssl() else None
        if not req.is_ssl():
            req.headers.update(headers)
        try:
            return await super().connect(req, traces, timeout)
        except (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError):
            raise
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            raise SafeMessageError("the proxy closed the connection instead of opening a tunnel") from error
        except aiohttp.ClientResponseError as error:
            raise SafeMessageError("the response of the proxy is not valid HTTP") from error

    async def close(self, *, abort_ssl: bool = False) -> None:
        """Close the connections and the resolver."""
        await super().close(abort_ssl=abort_ssl)
        if self._lazy_resolver is not None:
            await self._lazy_resolver.close()


class _LazyResolver(AbstractResolver):
    """The configured resolver, created on first use in the event loop that uses it."""

    def __init__(self, factory: Callable[[], AbstractResolver]) -> None:
        self._factory = factory
        self._resolver: AbstractResolver | None = None

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Resolve a host name; every failure of the resolver becomes an `OSError`: the name could not be resolved."""
        resolver = self._resolver or self._create()
        try:
            addresses = await resolver.resolve(host, port, family)
        except OSError:
            raise
        except Exception as error:
            raise OSError(type(error).__name__) from error
        if not addresses:
            raise OSError("no address")
        return addresses

    def _create(self) -> AbstractResolver:
        try:
            resolver = self._factory()
        except Exception as error:
            raise PermanentFailure(f"resolver raised {type(error).__name__}") from error
        if not isinstance(resolver, AbstractResolver):
            raise PermanentFailure(f"resolver must make an aiohttp.abc.AbstractResolver, not {type(resolver).__name__}")
        self._resolver = resolver
        return resolver

    async def close(self) -> None:
        """Close the resolver if it was ever created."""
        if self._resolver is not None:
            await self._resolver.close()
