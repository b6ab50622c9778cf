"""Routee on one's own machine: a server that speaks the documented API, judged by its own OpenAPI contract.

    async with Sandbox(speed=60) as sandbox:
        client = RouteeClient(sandbox.config())

It needs the extra `routee-failover[sandbox]`.
"""

from .failure import SandboxError
from .life.book import AcceptedFlow
from .scripting import Answer, CallbackPlay, Play
from .server import Sandbox
from .service import Counts

__all__ = ["AcceptedFlow", "Answer", "CallbackPlay", "Counts", "Play", "Sandbox", "SandboxError"]
