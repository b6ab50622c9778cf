"""The connections of one event loop, and the turn-taking in front of them."""

import asyncio

import aiohttp

from ..config import Config
from ..errors import ClientClosed, PoolTimeout
from .attempt import TrackedRequest


class Pool:
    """Kept-alive connections, at most `pool_size` in use at once. It belongs to the loop that it was made in."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._turns = asyncio.Semaphore(config.pool_size)
        self.closed: bool = False
        # Turns are taken in front of the connector, which therefore needs no limit: waiting for a turn is then an error
        # of its own, and the time it takes does not count as time of the request.
        self.session: aiohttp.ClientSession = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=config.keep_alive.total_seconds()),
            cookie_jar=aiohttp.DummyCookieJar(),
            request_class=TrackedRequest,
            headers=config.headers or None,
        )
        self.timeout: aiohttp.ClientTimeout = aiohttp.ClientTimeout(
            total=config.total_timeout.total_seconds(),
            connect=config.connect_timeout.total_seconds(),  # with the host name and TLS; no turn is waited for here
        )

    async def take_turn(self) -> None:
        """Wait for one of the `pool_size` turns. Raises `PoolTimeout` when none comes free within `pool_timeout`."""
        waited = True
        if not self._turns.locked():
            await self._turns.acquire()
        else:
            try:
                async with asyncio.timeout(self._config.pool_timeout.total_seconds()):
                    await self._turns.acquire()
            except TimeoutError:
                waited = False
        if not waited:
            raise PoolTimeout(
                f"all {self._config.pool_size} connections stayed busy for {self._config.pool_timeout}; "
                "nothing was sent. Raise pool_size or pool_timeout, or send less at once"
            )
        if self.closed:
            self._turns.release()
            raise ClientClosed("the client was closed while the message waited; nothing was sent")

    def end_turn(self) -> None:
        """Give the turn to whoever waits for one."""
        self._turns.release()

    async def aclose(self) -> None:
        """Close every connection."""
        self.closed = True
        await self.session.close()
