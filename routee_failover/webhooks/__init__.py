"""Webhooks: receivers for Routee's callbacks, signed callback URLs, parsing, deduplication and ordering.

`aiohttp_receiver` and `AsgiReceiver` take the HTTP requests and pass each body to a `CallbackInbox`, which dispatches
events. `CallbackSigner` makes callback URLs that cannot be guessed. Each name is loaded on first use: a program that
only sends does not pay for any of it.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._lazy_exports import lazy_exports

if TYPE_CHECKING:
    from .aiohttp_app import aiohttp_receiver
    from .asgi import AsgiReceiver
    from .event import AnyCallback, CallbackEvent, ReceiveResult
    from .inbox import CallbackInbox
    from .parse import parse_callback
    from .signer import CallbackSigner

__all__ = [
    "AnyCallback",
    "AsgiReceiver",
    "CallbackEvent",
    "CallbackInbox",
    "CallbackSigner",
    "ReceiveResult",
    "aiohttp_receiver",
    "parse_callback",
]

_MODULES = {
    "AnyCallback": "event",
    "AsgiReceiver": "asgi",
    "CallbackEvent": "event",
    "CallbackInbox": "inbox",
    "CallbackSigner": "signer",
    "ReceiveResult": "event",
    "aiohttp_receiver": "aiohttp_app",
    "parse_callback": "parse",
}

__getattr__: Callable[[str], Any]
__dir__: Callable[[], list[str]]
__getattr__, __dir__ = lazy_exports(__name__, globals(), _MODULES)
