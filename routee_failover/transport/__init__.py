"""One HTTP exchange and what it proved: connections, tokens, attempts, outcomes. It moves bytes and knows no flow."""

from .exchange import Call
from .transport import Transport

__all__ = ["Call", "Transport"]
