"""HTTP transport: connection pool, access token, limiter, retries and circuit breaker.

It sends requests and returns the outcome that each one proves. It moves bytes and knows nothing about flows.
"""

from .attempt import ApiRequest
from .transport import Transport

__all__ = ["ApiRequest", "Transport"]
