"""Compatibility check of aiohttp: once per session, before its first message, that requests use our request class.

`TrackedRequest` alone proves NOT_SENT. An aiohttp with other method names would never call it, and a message that a
server has accepted would be reported as not sent.
"""

from typing import Any

import aiohttp

from ..config import Config
from ..outcomes import AttemptResult
from .attempt import Attempt

_INCOMPATIBLE = (
    f"aiohttp {aiohttp.__version__} does not call the request class by which this client proves what was sent: "
    "install aiohttp>=3.14,<4"
)


class CompatibilityCheck:
    """Checks that one session uses our request class, by its first response, which is that of the token service.

    Each session has its own token, and no message is sent without one.
    """

    def __init__(self, config: Config, session: aiohttp.ClientSession) -> None:
        # A custom session has our connector, which sees the attempt that gets a connection. In a session of our own,
        # only a replacement of aiohttp's request function, for example a mock, can respond without a connection.
        self._custom_session = config.session_factory is not None
        self._is_aiohttp = _is_aiohttp_function(getattr(type(session), "_request", None))
        self.verified: bool = False
        """Whether a request has used our class: only then does an unmarked attempt prove that nothing was sent."""

    def check(self, attempt: Attempt, result: AttemptResult) -> AttemptResult:
        """Return the result of a request that is not a message, or an error if the request bypassed our class."""
        if result.response is None or self.verified:
            return result
        if attempt.hooks_called:
            self.verified = True
        elif attempt.body is not None and (attempt.connected if self._custom_session else self._is_aiohttp):
            return AttemptResult(True, None, _INCOMPATIBLE, permanent=True)
        return result


def _is_aiohttp_function(function: Any) -> bool:
    """Return whether a function is aiohttp's own: a mock or wrapper may copy its name and module, but not its file."""
    if function is None:
        return True  # an aiohttp that has renamed it
    return getattr(getattr(function, "__code__", None), "co_filename", "") == aiohttp.client.__file__
