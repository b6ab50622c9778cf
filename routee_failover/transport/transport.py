"""A call to Routee from its first try to its proof: token, turn, attempt, and another try where that is safe."""

import asyncio
from collections.abc import AsyncGenerator
from weakref import WeakSet

import attrs

from ..config import Config
from ..errors import ClientClosed, Outcome, TokenUnavailable
from ..evidence import Evidence, outcome_of
from ..secret import Secret, SecretBytes
from ..values import Value
from .attempt import Request, attempt, headers_with
from .pool import Pool
from .retry import delays
from .token import TokenSource, basic_authorization

TRIES = 3
"""How often a call is tried at most, where another try is safe."""


@attrs.frozen(slots=False, eq=False, repr=False)
class Call(Value):
    """A request to Routee's API. `safe`: it changes nothing there, whatever its HTTP verb, and may be repeated."""

    method: str
    path: str
    body: SecretBytes | None = None
    safe: bool = False


class _Line:
    """What a client holds in one event loop: its connections and its token."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.pool = Pool(config)
        self.tokens = TokenSource(self._ask_token)
        self._guard = self._close_with_loop()
        self._closing = asyncio.Lock()
        self._bearer: Secret | None = None
        self._headers = headers_with(""), headers_with("")

    async def open(self) -> None:
        """Have the loop close the connections when it ends, should nobody else have done so."""
        await anext(self._guard)

    async def _close_with_loop(self) -> AsyncGenerator[None, None]:
        # A loop that shuts down closes its async generators first: the one place where a pool that was never closed can
        # still close its connections in an orderly way.
        try:
            yield
        finally:
            await self.tokens.aclose()
            await self.pool.aclose()

    async def aclose(self) -> None:
        """Close the connections; who comes second waits for the first."""
        async with self._closing:
            await self._guard.aclose()

    async def _ask_token(self) -> Evidence:
        request = Request(
            "POST",
            f"{self._config.auth_url}/oauth/token",
            headers_with(basic_authorization(self._config).reveal(), "application/x-www-form-urlencoded"),
            SecretBytes(b"grant_type=client_credentials"),
        )
        # A renewal takes no turn: it must not wait behind the messages that wait for it.
        return await self._tried(request, safe=True, queued=False)

    async def call(self, call: Call) -> Evidence:
        """Make a call, with one renewal of the token where it was refused."""
        token = self.tokens.current() or await self.tokens.get()
        evidence = await self._tried(self._request(call, token), safe=call.safe)
        status = evidence.answer.status if evidence.answer else None
        if status not in {401, 403}:
            return evidence
        try:
            renewed = await self.tokens.replace(token, forbidden=status == 403)
        except TokenUnavailable:
            if status == 401:
                raise
            renewed = None  # the 403 may well be about a role, and says more than the failed renewal
        return evidence if renewed is None else await self._tried(self._request(call, renewed), safe=call.safe)

    def _request(self, call: Call, token: Secret) -> Request:
        if token is not self._bearer:
            bearer = f"Bearer {token.reveal()}"
            self._bearer = token
            self._headers = headers_with(bearer), headers_with(bearer, "application/json")
        headers = self._headers[call.body is not None]
        return Request(call.method, self._config.api_url + call.path, headers, call.body)

    async def _tried(self, request: Request, *, safe: bool, queued: bool = True) -> Evidence:
        """Try until there is an answer, or until another try would not be safe or has been made often enough."""
        pool, limit = self.pool, self._config.answer_limit
        loop = asyncio.get_running_loop()
        ends = loop.time() + self._config.total_timeout.total_seconds()
        left = TRIES
        waits = delays()
        while True:
            left -= 1
            if queued:
                await pool.take_turn()
            try:
                evidence = await attempt(pool.session, request, within=pool.timeout, limit=limit)
            finally:
                if queued:
                    pool.end_turn()
            outcome = outcome_of(evidence)
            again = outcome is Outcome.NOT_SENT or (safe and outcome is Outcome.UNKNOWN)
            wait = next(waits) if again and left and not evidence.lasting else None
            if wait is None or loop.time() + wait >= ends:
                return evidence
            await asyncio.sleep(wait)


class Transport:
    """Makes calls from whichever event loop is running; each loop has connections and a token of its own."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._lines: dict[asyncio.AbstractEventLoop, _Line] = {}
        self._closed_in: WeakSet[asyncio.AbstractEventLoop] = WeakSet()

    def reopen(self) -> None:
        """Take calls again in this loop, after it was closed here."""
        loop = asyncio.get_running_loop()
        if loop in self._closed_in:
            self._closed_in.discard(loop)
            self._lines.pop(loop, None)

    async def call(self, call: Call) -> Evidence:
        """Make a call and say what it showed.

        Raises `PoolTimeout`, `TokenUnavailable` or `ClientClosed`; nothing was sent then. A call that is not safe is
        tried again only while no byte of it can have left.
        """
        loop = asyncio.get_running_loop()
        if loop in self._closed_in:
            raise ClientClosed("the client is closed in this event loop; nothing was sent")
        line = self._lines.get(loop)
        if line is None:
            for ended in [other for other in self._lines if other.is_closed()]:
                del self._lines[ended]
            line = self._lines[loop] = _Line(self._config)
            await line.open()
        return await line.call(call)

    async def aclose(self) -> None:
        """Close the connections of the running loop; those of other loops close when their loops end."""
        loop = asyncio.get_running_loop()
        self._closed_in.add(loop)
        line = self._lines.get(loop)
        if line is not None:
            await line.aclose()
