"""A call from its first try to its proof, in one event loop: token, turn, attempt, another try where that is safe."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable
from functools import lru_cache
from itertools import count
from typing import NoReturn

import aiohttp
from yarl import URL

from ..config import Config
from ..errors import ClientClosed, DeadlinePassed, Outcome, TokenUnavailable, Withdrawn
from ..events import (
    AttemptEnded,
    AttemptStarted,
    ObserverGroup,
    RetryBudgetExhausted,
    RetryScheduled,
    ThrottlePaused,
    TokenRenewed,
)
from ..outcomes import AttemptResult, Response, RetryMode, StatusTable, default_status_table, outcome_of
from ..secret import Secret, SecretBytes
from .attempt import attempt
from .budget import RetryBudget
from .exchange import Call, Exchange, Stop
from .gate import Gate
from .headers import Headers, bearer_headers
from .policy import Reason, Retry, Tries, pause_after
from .seam import SeamCheck
from .session import open_session
from .token import TokenSource, basic_authorization
from .turns import Turns
from .under_way import UnderWay

_url = lru_cache(maxsize=256)(URL)
_NOT_BEGUN = frozenset({Stop.CLOSING, Stop.DEADLINE, Stop.WITHDRAWN})
"""What ends a call that has sent nothing in an error of its own."""


class Line:
    """What a client holds in one event loop: connections, a token, and how fast it may go."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._loop = asyncio.get_running_loop()
        self._session = open_session(config)
        self._seam = SeamCheck(config, self._session)
        # The total time is kept by `UnderWay`; the time to connect counts the host name and TLS, not a wait for a turn.
        self._within = aiohttp.ClientTimeout(total=None, connect=config.connect_timeout.total_seconds())
        self._api_url = config.api_url
        self._total = config.total_timeout.total_seconds()
        self._table = StatusTable(config.status_rules)
        self._observers = ObserverGroup(config.observers)
        self._turns = Turns(config)
        self._budget = RetryBudget()
        self._gate = Gate(self._ask_health, self._observers) if config.circuit_breaker else None
        self._tokens = TokenSource(self._ask_token, self._token_renewed)
        self._under_way = UnderWay(self._make, self._ended)
        self._numbers = count(1)
        self._bearer: Secret | None = None
        self._headers = Headers(), Headers()
        self._closing = asyncio.Event()
        self._close_once = asyncio.Lock()
        self._guard = self._close_with_loop()
        self._start_guard()

    async def call(self, call: Call) -> tuple[Outcome, AttemptResult]:
        """Make a call until it is proven what became of it, or until another try would not be safe or allowed.

        Raises a `NotSent` for what was ended before its first byte, by whoever ended it.
        """
        number = next(self._numbers)
        tries: Tries | None = None
        attempts = 0
        gives_up = 0.0
        if call.deadline is not None and self._loop.time() >= call.deadline:
            _raise_stopped(Stop.DEADLINE)
        while True:
            attempts += 1
            token = self._pass(call) or await self._wait_and_pass(call)
            try:
                exchange = self._exchange(call, token, number, attempts)
            except BaseException:
                self._turns.end(otp=call.otp)
                raise
            # From the first try on: to have waited long for a turn is no reason to give up what can be mended.
            gives_up = gives_up or exchange.ends
            self._start(exchange)
            try:
                evidence = await exchange.done
            except asyncio.CancelledError:
                exchange.abandon()  # what has begun ends alone
                raise
            rule = exchange.rule
            outcome = rule.outcome if rule is not None else outcome_of(evidence)
            if outcome is Outcome.ACCEPTED:
                self._budget.earn(tries.spent if tries is not None else 0)
                return outcome, evidence
            if exchange.stop in _NOT_BEGUN and not exchange.begun:
                _raise_stopped(exchange.stop)
            if tries is None:
                tries = Tries(self._config, safe=call.safe)
            retry = tries.after(evidence, rule)
            if retry is None or not await self._again(retry, exchange, evidence, token, gives_up):
                return outcome, evidence

    def _pass(self, call: Call) -> Secret | None:
        """A turn, and the token to use it with; `None` where something has to be waited for."""
        if self._gate is not None and self._gate.shut:
            return None
        token = self._tokens.current()
        return token if token is not None and self._turns.try_take(otp=call.otp) else None

    async def _wait_and_pass(self, call: Call) -> Secret:
        """The same after a wait, for the breaker's probe, for a token, for a turn."""
        while True:
            token = await self._wait_for_token(call.deadline)
            await self._turns.take(otp=call.otp, deadline=call.deadline)
            if self._gate is None or not self._gate.shut:
                return self._tokens.current() or token
            self._turns.end(otp=call.otp)  # the breaker has opened in the meantime

    async def _wait_for_token(self, deadline: float | None) -> Secret:
        token: Secret | None = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                if self._gate is not None and self._gate.shut:
                    await self._gate.opened()
                token = await self._tokens.get()
        return token or _raise_stopped(Stop.DEADLINE)

    def _start(self, exchange: Exchange) -> None:
        if self._observers:
            self._observers.emit(AttemptStarted(*_name(exchange)))
        self._under_way.start(exchange)

    async def _again(
        self, retry: Retry, exchange: Exchange, evidence: AttemptResult, token: Secret, gives_up: float
    ) -> bool:
        """Whether a call is tried again, once everything is ready for that."""
        number, tried = exchange.number, exchange.attempt
        deadline = exchange.call.deadline
        starts = self._loop.time() + retry.delay
        if starts >= gives_up or (deadline is not None and starts >= deadline) or self._closing.is_set():
            return False
        if retry.cost and not self._budget.spend(retry.cost):
            self._observers.emit(RetryBudgetExhausted(number, tried, "the budget for other tries is spent"))
            return False
        if retry.reason is Reason.NEW_TOKEN and not await self._renew(token, evidence, deadline):
            return False
        self._observers.emit(RetryScheduled(number, tried, str(retry.reason), retry.delay))
        return await self._rest(retry.delay)

    async def _renew(self, token: Secret, evidence: AttemptResult, deadline: float | None) -> bool:
        """Whether there is another token than the one that was refused, in time."""
        forbidden = evidence.response is not None and evidence.response.status == 403
        try:
            async with asyncio.timeout_at(deadline):
                return await self._tokens.replace(token, forbidden=forbidden) is not None
        except TokenUnavailable as error:
            if not forbidden:
                why = f"Routee refused the token of the message, and {error}".removesuffix("; nothing was sent")
                failed = TokenUnavailable(f"{why}; the message was not accepted", status=error.status)
                raise failed from None
        except TimeoutError:
            pass
        return False  # a 403 may well be about a role, and says more than a renewal that failed

    async def _rest(self, seconds: float) -> bool:
        """Wait; `False` as soon as the client is closed."""
        if seconds:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._closing.wait()
        return not self._closing.is_set()

    def _exchange(self, call: Call, token: Secret, number: int, attempts: int) -> Exchange:
        if token is not self._bearer:
            self._bearer, self._headers = token, bearer_headers(token)
        now = self._loop.time()
        body = call.body
        if call.deadline is not None and call.body_within is not None:
            body = call.body_within(call.deadline - now)
            if body is None:
                _raise_stopped(Stop.DEADLINE)
        url, headers = _url(self._api_url + call.path), self._headers[body is not None]
        ends, done = now + self._total, self._loop.create_future()
        exchange = Exchange(call, url, headers, now, ends, done, number, attempts)
        exchange.body = body
        return exchange

    def _make(self, exchange: Exchange) -> Awaitable[AttemptResult]:
        limit, proven = self._config.max_response_size, self._seam.proven
        return attempt(self._session, exchange, within=self._within, limit=limit, proven=proven)

    def _ended(self, exchange: Exchange, evidence: AttemptResult) -> None:
        """Take note of what an exchange showed, whether or not its caller still waits for it."""
        answer = evidence.response
        rule = exchange.rule = self._table.rule_for(answer) if answer is not None else None
        if exchange.paced:
            if rule is not None and rule.outcome is Outcome.ACCEPTED:
                self._turns.succeeded(exchange.started)
            elif rule is not None and rule.retry is RetryMode.AFTER_PAUSE and answer is not None:
                self._pause(exchange, answer)
            if self._gate is not None and (exchange.stop is None or exchange.stop is Stop.TIMEOUT):
                self._gate.note(evidence)
            self._turns.end(otp=exchange.call.otp)
        if self._observers:
            seconds = self._loop.time() - exchange.started
            outcome = rule.outcome if rule is not None else outcome_of(evidence)
            if outcome is Outcome.ACCEPTED and answer is not None and exchange.call.judge is not None:
                outcome = exchange.call.judge(answer.body)
            abandoned = exchange.begun and exchange.done.cancelled()
            self._observers.emit(AttemptEnded(*_name(exchange), evidence, outcome, seconds, abandoned=abandoned))

    def _pause(self, exchange: Exchange, answer: Response) -> None:
        """Routee asked for a pause: it holds everything that goes out from this loop, and slows down what follows."""
        pause = min(pause_after(answer), self._config.max_throttle_pause.total_seconds())
        self._turns.throttled(exchange.started)
        self._turns.hold(pause)
        self._observers.emit(ThrottlePaused(answer.status, pause))

    async def _ask_token(self) -> AttemptResult:
        """Ask for a token, as often as it takes; it waits for no turn, because the messages with a turn wait for it."""
        form = SecretBytes(b"grant_type=client_credentials")
        call = Call("POST", "/oauth/token", form, safe=True)
        headers = Headers(basic_authorization(self._config), "application/x-www-form-urlencoded")
        tries = Tries(self._config, safe=True)
        gives_up = self._loop.time() + self._total
        attempts = 1
        while True:
            evidence = await self._direct(call, self._config.auth_url, headers, attempts)
            answer = evidence.response
            retry = tries.after(evidence, default_status_table().rule_for(answer) if answer is not None else None)
            if retry is None or retry.reason is Reason.NEW_TOKEN or self._loop.time() + retry.delay >= gives_up:
                if answer is not None and answer.status == 200:
                    self._budget.earn(tries.spent)
                return evidence
            if not self._budget.spend(retry.cost):  # an outage of the token service is an outage, too
                return evidence
            await asyncio.sleep(retry.delay)
            attempts += 1

    async def _ask_health(self) -> AttemptResult:
        """Ask Routee how it is: a GET that needs no token. A pooled connection that was closed does not tell."""
        call = Call("GET", "/failover-otp/health", safe=True)
        evidence = await self._direct(call, self._api_url, Headers(), 1)
        while evidence.stale_connection:
            evidence = await self._direct(call, self._api_url, Headers(), 1)
        return evidence

    async def _direct(self, call: Call, host: str, headers: Headers, attempts: int) -> AttemptResult:
        now = self._loop.time()
        done: asyncio.Future[AttemptResult] = self._loop.create_future()
        exchange = Exchange(call, _url(host + call.path), headers, now, now + self._total, done, 0, attempts)
        exchange.body, exchange.paced = call.body, False
        self._start(exchange)
        try:
            return self._seam.check(exchange, await done)
        except asyncio.CancelledError:
            exchange.end(Stop.LEFT)
            raise

    def _token_renewed(self, life: float) -> None:
        self._observers.emit(TokenRenewed(life))

    def _start_guard(self) -> None:
        """Have the loop close the connections when it ends, should nobody else have done so."""
        with contextlib.suppress(StopIteration):
            anext(self._guard).send(None)

    async def _close_with_loop(self) -> AsyncGenerator[None, None]:
        # A loop that shuts down closes its async generators first: the one place where a pool that was never closed can
        # still close its connections in an orderly way.
        try:
            yield
        finally:
            await self._close(0.0)

    async def aclose(self) -> None:
        """Send nothing more, wait for the answers to what has left, and close the connections."""
        async with self._close_once:  # who comes second waits for the first
            await self._close(self._config.shutdown_timeout.total_seconds())
            await self._guard.aclose()

    async def _close(self, grace: float) -> None:
        self._turns.close()
        self._closing.set()
        await self._tokens.aclose()
        if self._gate is not None:
            await self._gate.aclose()
        await self._under_way.drain(grace)
        await self._session.close()


def _name(exchange: Exchange) -> tuple[int, int, str, str]:
    """What observers know a try by. What follows a path may hold a recipient, and is nothing that they are told."""
    return exchange.number, exchange.attempt, exchange.call.method, exchange.call.path.partition("?")[0]


def _raise_stopped(why: Stop) -> NoReturn:
    if why is Stop.CLOSING:
        raise ClientClosed("the client was closed while the message waited; nothing was sent")
    if why is Stop.WITHDRAWN:
        raise Withdrawn("the message was not wanted any more when its turn came; nothing was sent")
    raise DeadlinePassed(
        "the deadline of the message passed, or came too near for its ttl, before it could leave; nothing was sent"
    )
