"""Sandbox: a local server that speaks Routee's documented API and validates every request against its OpenAPI contract.

    async with Sandbox(speed=60) as sandbox:
        client = RouteeClient(sandbox.config())
        ...
        pin = await sandbox.inbox.pin_for("+306912345678")

It needs the extra `routee-failover[sandbox]`.
"""

from .callbacks.records import CallbackAttempt, CallbackRecord
from .context import SandboxCounters
from .errors import SandboxError
from .inbox import Inbox, InboxTimeout
from .scripting import CallbackScript, MessageScript, ResponseScript
from .server import Sandbox
from .simulation.flow_store import AcceptedFlow

__all__ = [
    "AcceptedFlow",
    "CallbackAttempt",
    "CallbackRecord",
    "CallbackScript",
    "Inbox",
    "InboxTimeout",
    "MessageScript",
    "ResponseScript",
    "Sandbox",
    "SandboxCounters",
    "SandboxError",
]
