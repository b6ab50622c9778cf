"""Connection pool of one event loop: aiohttp's connector, or the one that `connector_factory` makes."""

import functools
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from .._tasks import start_task
from ..config import Config
from ..errors import NotSent
from .aiohttp_api import AbstractResolver, BaseConnector, ResolveResult, TCPConnector
from .failure_reasons import PermanentFailure


def open_connector(config: Config) -> BaseConnector:
    """Open a connector for the running loop. It has no limit, because `RequestLimiter` admits requests before it.

    Raises `NotSent` if `connector_factory` does not return a usable one.
    """
    options: dict[str, Any] = {
        "limit": 0,
        "keepalive_timeout": config.keepalive_expiry.total_seconds(),
        "ssl": True if config.tls is None else config.tls,
    }
    if config.resolver is None:
        return _make_connector(config, options)
    resolver = options["resolver"] = _LazyResolver(config.resolver)
    connector = _make_connector(config, options)
    # aiohttp leaves a resolver that a connector was given to its owner.
    setattr(connector, "close", functools.partial(_close_both, connector.close, resolver))  # noqa: B010
    return connector


async def _close_both(close: Callable[..., Awaitable[None]], resolver: AbstractResolver, **options: Any) -> None:
    await close(**options)
    await resolver.close()


def _make_connector(config: Config, options: dict[str, Any]) -> BaseConnector:
    if config.connector_factory is None:
        return TCPConnector(**options)
    try:
        connector = config.connector_factory(**options)
    except Exception as error:
        raise NotSent(f"connector_factory raised {type(error).__name__}; nothing was sent") from error
    if not isinstance(connector, BaseConnector):
        kind = type(connector).__name__
        raise NotSent(f"connector_factory must make an aiohttp connector, not {kind}; nothing was sent")
    for name in ("limit", "limit_per_host"):
        limit = getattr(connector, name)
        if 0 < limit < config.pool_size:
            # Requests would wait a second time, for a connection, and be told that none could be made.
            raise NotSent(
                f"connector_factory made a connector whose {name} is {limit}, below pool_size ({config.pool_size}): "
                "pass limit on as it is given, or lower pool_size; nothing was sent"
            )
    return connector


class _LazyResolver(AbstractResolver):
    """The configured resolver, created on first use in the event loop that uses it."""

    def __init__(self, factory: Callable[[], AbstractResolver]) -> None:
        self._factory = factory
        self._resolver: AbstractResolver | None = None

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Resolve a host name; every failure of the resolver becomes an `OSError`: the name could not be resolved."""
        return await start_task(self._resolve(host, port, family))  # several callers may wait for it

    async def _resolve(self, host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
        self._resolver = self._resolver or self._create()
        try:
            addresses = await self._resolver.resolve(host, port, family)
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
        return resolver

    async def close(self) -> None:
        """Close the resolver if it was ever created, once."""
        resolver, self._resolver = self._resolver, None
        if resolver is not None:
            await resolver.close()
