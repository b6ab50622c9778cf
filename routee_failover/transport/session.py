"""The aiohttp session of one event loop: kept-alive connections to Routee."""

import aiohttp

from ..config import Config
from .exchange import TrackedRequest


def open_session(config: Config) -> aiohttp.ClientSession:
    """A session for the running loop. Turns are taken in front of it, so that its connector needs no limit."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=config.keep_alive.total_seconds()),
        cookie_jar=aiohttp.DummyCookieJar(),
        request_class=TrackedRequest,
        headers=config.headers or None,
    )
