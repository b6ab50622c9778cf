"""Connection pool of one event loop: aiohttp's connector, or the one that `connector_factory` makes."""

import socket
from collections.abc import Callable
from typing import Any

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
    resolver = None
    if config.resolver is not None:
        options["resolver"] = resolver = _LazyResolver(config.resolver)
    if config.connector_factory is not None:
        return _custom_connector(config.connector_factory, options, config.pool_size)
    return TCPConnector(**options) if resolver is None else _ConnectorWithResolver(resolver, options)


def _custom_connector(factory: Callable[..., BaseConnector], options: dict[str, Any], pool_size: int) -> BaseConnector:
    try:
        connector = factory(**options)
    except Exception as error:
        raise NotSent(f"connector_factory raised {type(error).__name__}; nothing was sent") from error
    if not isinstance(connector, BaseConnector):
        kind = type(connector).__name__
        raise NotSent(f"connector_factory must make an aiohttp connector, not {kind}; nothing was sent")
    for name in ("limit", "limit_per_host"):
        limit = getattr(connector, name)
        if 0 < limit < pool_size:
            # Requests would wait a second time, for a connection, and be told that none could be made.
            raise NotSent(
                f"connector_factory made a connector whose {name} is {limit}, below pool_size ({pool_size}): "
                "pass limit on as it is given, or lower pool_size; nothing was sent"
            )
    return connector


class _ConnectorWithResolver(TCPConnector):
    """Connector that closes its resolver: aiohttp leaves one that it was given to its owner."""

    def __init__(self, resolver: "_LazyResolver", options: dict[str, Any]) -> None:
        self._lazy_resolver = resolver
        super().__init__(**options)

    async def close(self, *, abort_ssl: bool = False) -> None:
        """Close the connections and the resolver."""
        await super().close(abort_ssl=abort_ssl)
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
