"""The aiohttp session of one event loop: kept-alive connections to Routee, made as the settings say."""

from collections.abc import Callable
from typing import Any

import aiohttp

from ..config import Config
from ..errors import NotSent
from .attempt import TrackedRequest
from .connector import open_connector
from .custom_session import CustomSessionRequest

_AS_THEY_ARE = {"connector_owner": True, "raise_for_status": False, "auto_decompress": True, "auth": None}
"""What a session of one's own must leave as it is: each would hide what an answer says, or leave connections open."""


def open_session(config: Config) -> aiohttp.ClientSession:
    """A session for the running loop. Raises `NotSent` where `session_factory` makes none that can be worked with."""
    given: dict[str, Any] = {
        "connector": open_connector(config),
        "cookie_jar": aiohttp.DummyCookieJar(),
        "request_class": TrackedRequest if config.session_factory is None else CustomSessionRequest,
        "headers": config.headers,
        "proxy": config.proxy,
    }
    if config.session_factory is None:
        return aiohttp.ClientSession(**given)
    return _session_of(config.session_factory, given)


def _session_of(factory: Callable[..., aiohttp.ClientSession], given: dict[str, Any]) -> aiohttp.ClientSession:
    try:
        session = factory(**given)
    except Exception as error:
        raise NotSent(f"session_factory raised {type(error).__name__}; nothing was sent") from error
    if not isinstance(session, aiohttp.ClientSession):
        kind = type(session).__name__
        raise NotSent(f"session_factory must make an aiohttp.ClientSession, not {kind}; nothing was sent")
    if session.connector is not given["connector"]:
        raise NotSent("session_factory must pass the connector on as it is given; nothing was sent")
    for name, value in _AS_THEY_ARE.items():
        if getattr(session, name, value) != value:
            session.detach()
            raise NotSent(f"session_factory must leave {name} at {value}; nothing was sent")
    return session
