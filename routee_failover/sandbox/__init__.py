"""Routee on one's own machine: a server that speaks the documented API, judged by its own OpenAPI contract.

    async with Sandbox(speed=60) as sandbox:
        client = RouteeClient(sandbox.config())
        ...
        pin = await sandbox.inbox.pin_for("+306912345678")

It needs the extra `routee-failover[sandbox]`.
"""

from .callbacks.records import CallbackAttempt, CallbackRecord
from .failure import SandboxError
from .inbox import Inbox, NothingArrived
from .life.book import AcceptedFlow
from .scripting import Answer, CallbackPlay, Play
from .server import Sandbox
from .service import Counts

__all__ = [
    "AcceptedFlow",
    "Answer",
    "CallbackAttempt",
    "CallbackPlay",
    "CallbackRecord",
    "Counts",
    "Inbox",
    "NothingArrived",
    "Play",
    "Sandbox",
    "SandboxError",
]
