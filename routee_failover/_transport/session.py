"""aiohttp session of one event loop, created from the configuration or by `session_factory`."""

from collections.abc import Callable
from typing import Any

import aiohttp

from ..config import Config
from ..errors import NotSent
from .attempt import TrackedRequest
from .connector import open_connector
from .custom_session import CustomSessionRequest

_REQUIRED_ATTRIBUTES = {"connector_owner": True, "raise_for_status": False, "auto_decompress": True, "auth": None}
"""Settings that a custom session must not change: each change would hide part of a response or leak connections."""


def open_session(config: Config) -> aiohttp.ClientSession:
    """Open a session for the running loop. Raises `NotSent` if `session_factory` does not return a usable one."""
    arguments: dict[str, Any] = {
        "connector": open_connector(config),
        "cookie_jar": aiohttp.DummyCookieJar(),
        "request_class": TrackedRequest if config.session_factory is None else CustomSessionRequest,
        "headers": config.headers,
        "proxy": config.proxy,
    }
    if config.session_factory is None:
        return aiohttp.ClientSession(**arguments)
    return _custom_session(config.session_factory, arguments)


def _custom_session(factory: Callable[..., aiohttp.ClientSession], arguments: dict[str, Any]) -> aiohttp.ClientSession:
    try:
        session = factory(**arguments)
    except Exception as error:
        raise NotSent(f"session_factory raised {type(error).__name__}; nothing was sent") from error
    if not isinstance(session, aiohttp.ClientSession):
        kind = type(session).__name__
        raise NotSent(f"session_factory must make an aiohttp.ClientSession, not {kind}; nothing was sent")
    if session.connector is not arguments["connector"]:
        raise NotSent("session_factory must pass the connector on as it is given; nothing was sent")
    for name, value in _REQUIRED_ATTRIBUTES.items():
        if getattr(session, name, value) != value:
            session.detach()
            raise NotSent(f"session_factory must leave {name} at {value}; nothing was sent")
    return session
