"""One HTTP exchange and what it proved: connections, tokens, attempts, outcomes. It moves bytes and knows no flow."""

from .attempt import ApiRequest
from .transport import Transport

__all__ = ["ApiRequest", "Transport"]
