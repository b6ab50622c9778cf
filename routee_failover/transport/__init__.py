"""One HTTP exchange and what it proved: connections, tokens, attempts, outcomes. It moves bytes and knows no flow."""

from .evidence import Answer, Evidence, outcome_of
from .transport import Call, Transport

__all__ = ["Answer", "Call", "Evidence", "Transport", "outcome_of"]
