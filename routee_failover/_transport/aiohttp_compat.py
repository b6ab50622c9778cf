"""Check of aiohttp: once a session, and before its first message, whether requests pass through our request class.

NOT_SENT is proven by `TrackedRequest` alone. An aiohttp that calls its methods by other names would never reach it, and
a message that a server took would be called unsent.
"""

from typing import Any

import aiohttp

from ..config import Config
from ..outcomes import AttemptResult
from .attempt import Attempt

_REFUSAL = (
    f"aiohttp {aiohttp.__version__} does not pass through the request class by which this client proves what was sent: "
    "install aiohttp>=3.14,<4"
)


class CompatibilityCheck:
    """Whether one session passes through our request class, shown by its first answer, which is the token service's.

    Each session has a token of its own, and no message leaves without one.
    """

    def __init__(self, config: Config, session: aiohttp.ClientSession) -> None:
        # A session of one's own has our connector, which sees what it gives a connection to. Without one, only what
        # stands in the place of aiohttp's own request can have answered without a connection: a mock, for example.
        self._watched = config.session_factory is not None
        self._is_aiohttp = _is_of_aiohttp(getattr(type(session), "_request", None))
        self.verified: bool = False
        """Whether a request has passed through our class: only then is an absent mark of it a proof."""

    def check(self, attempt: Attempt, result: AttemptResult) -> AttemptResult:
        """What a request outside of the messages showed; nothing but a refusal where it came past our class."""
        if result.response is None or self.verified:
            return result
        if attempt.hooks_called:
            self.verified = True
        elif attempt.body is not None and (attempt.connected if self._watched else self._is_aiohttp):
            return AttemptResult(True, None, _REFUSAL, permanent=True)
        return result


def _is_of_aiohttp(function: Any) -> bool:
    """Whether a function is aiohttp's own: a mock or a wrapper may bear its name and module, but not its file."""
    if function is None:
        return True  # an aiohttp that calls it something else
    return getattr(getattr(function, "__code__", None), "co_filename", "") == aiohttp.client.__file__
