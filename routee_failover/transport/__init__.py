"""One HTTP exchange and what it proved: connections, tokens, attempts, outcomes. It moves bytes and knows no flow."""

from .transport import Call, Transport

__all__ = ["Call", "Transport"]
