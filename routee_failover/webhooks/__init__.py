"""Routee calls back: addresses that cannot be guessed, bodies that become records, and what is made of them.

`aiohttp_receiver` and `AsgiReceiver` take the requests, a `CallbackInbox` what is in them. Everything is loaded when it
is first asked for: a program that only sends pays for none of it.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .aiohttp_app import aiohttp_receiver
    from .asgi import AsgiReceiver
    from .event import AnyCallback, Arrival, CallbackEvent
    from .inbox import CallbackInbox
    from .parse import parse_callback
    from .signer import CallbackSigner

__all__ = [
    "AnyCallback",
    "Arrival",
    "AsgiReceiver",
    "CallbackEvent",
    "CallbackInbox",
    "CallbackSigner",
    "aiohttp_receiver",
    "parse_callback",
]

_HOMES = {
    "AnyCallback": "event",
    "Arrival": "event",
    "AsgiReceiver": "asgi",
    "CallbackEvent": "event",
    "CallbackInbox": "inbox",
    "CallbackSigner": "signer",
    "aiohttp_receiver": "aiohttp_app",
    "parse_callback": "parse",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    return globals()[name]


def __dir__() -> list[str]:
    return [*globals(), *__all__]
