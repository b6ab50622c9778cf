"""The connector of one event loop: aiohttp's own, or one that does more where a proxy, a resolver or a session asks."""

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
    """A connector for the running loop. Turns are taken in front of it, so that it needs no limit."""
    options: dict[str, Any] = {
        "limit": 0,
        "keepalive_timeout": config.keepalive_expiry.total_seconds(),
        "ssl": True if config.tls is None else config.tls,
    }
    if config.proxy is None and config.resolver is None and config.session_factory is None:
        return aiohttp.TCPConnector(**options)
    return _InstrumentedConnector(config, options)


class _InstrumentedConnector(aiohttp.TCPConnector):
    """Sees each request before there is a connection for it."""

    def __init__(self, config: Config, options: dict[str, Any]) -> None:
        self._looks_up = None if config.resolver is None else _LazyResolver(config.resolver)
        super().__init__(resolver=self._looks_up, **options)
        self._for_proxy: SecretMapping = config.proxy_headers
        self._watched: bool = config.session_factory is not None

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,  # aiohttp calls it so
    ) -> aiohttp.connector.Connection:
        """A connection for a request of which can be told whether it has left."""
        if self._watched:
            if type(req) is not CustomSessionRequest:
                raise PermanentFailure("session_factory must pass the request_class on as it is given")
            if (exchange := current_attempt.get(None)) is not None:
                exchange.connected = True
        if req.proxy is None:
            return await super().connect(req, traces, timeout)
        # aiohttp would send the proxy the session's headers, which are Routee's, with each CONNECT, and none of the
        # proxy's own with a request that it only passes on.
        headers = CIMultiDict(self._for_proxy)
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
            raise SafeMessageError("the answer of the proxy is no valid HTTP") from error

    async def close(self, *, abort_ssl: bool = False) -> None:
        """Close the connections, and the resolver with them."""
        await super().close(abort_ssl=abort_ssl)
        if self._looks_up is not None:
            await self._looks_up.close()


class _LazyResolver(AbstractResolver):
    """A resolver of one's own, made in the loop that needs it and not before it does."""

    def __init__(self, make: Callable[[], AbstractResolver]) -> None:
        self._make = make
        self._made: AbstractResolver | None = None

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a host; whatever goes wrong with that is a name that could not be resolved."""
        resolver = self._made or self._first()
        try:
            found = await resolver.resolve(host, port, family)
        except OSError:
            raise
        except Exception as error:
            raise OSError(type(error).__name__) from error
        if not found:
            raise OSError("no address")
        return found

    def _first(self) -> AbstractResolver:
        try:
            made = self._make()
        except Exception as error:
            raise PermanentFailure(f"resolver raised {type(error).__name__}") from error
        if not isinstance(made, AbstractResolver):
            raise PermanentFailure(f"resolver must make an aiohttp.abc.AbstractResolver, not {type(made).__name__}")
        self._made = made
        return made

    async def close(self) -> None:
        """Close it, if it was ever needed."""
        if self._made is not None:
            await self._made.close()
