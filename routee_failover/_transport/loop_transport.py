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
from .aiohttp_compat import CompatibilityCheck
from .attempt import ApiRequest, Attempt, CancelReason
from .circuit_breaker import CircuitBreaker
from .executor import execute
from .headers import Headers, bearer_headers
from .in_flight import InFlight
from .limiter import RequestLimiter
from .retry_budget import RetryBudget
from .retry_policy import RetryDecision, RetryReason, RetryState, throttle_pause
from .session import open_session
from .token import TokenSource, basic_authorization

_url = lru_cache(maxsize=256)(URL)
_NOT_SENT_REASONS = frozenset({CancelReason.CLIENT_CLOSED, CancelReason.DEADLINE, CancelReason.WITHDRAWN})
"""What ends a call that has sent nothing in an error of its own."""


class LoopTransport:
    """What a client holds in one event loop: connections, a token, and how fast it may go."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._loop = asyncio.get_running_loop()
        self._session = open_session(config)
        self._compatibility = CompatibilityCheck(config, self._session)
        # The total time is kept by `InFlight`; the time to connect counts the host name and TLS, not a wait for a turn.
        self._client_timeout = aiohttp.ClientTimeout(total=None, connect=config.connect_timeout.total_seconds())
        self._api_url = config.api_url
        self._total_timeout = config.total_timeout.total_seconds()
        self._status_table = StatusTable(config.status_rules)
        self._observers = ObserverGroup(config.observers)
        self._limiter = RequestLimiter(config)
        self._retry_budget = RetryBudget()
        self._circuit_breaker = CircuitBreaker(self._probe_health, self._observers) if config.circuit_breaker else None
        self._tokens = TokenSource(self._request_token, self._on_token_renewed)
        self._in_flight = InFlight(self._execute, self._on_finished)
        self._request_ids = count(1)
        self._bearer: Secret | None = None
        self._headers = Headers(), Headers()
        self._closing = asyncio.Event()
        self._close_once = asyncio.Lock()
        self._guard = self._close_with_loop()
        self._start_guard()

    async def send_request(self, request: ApiRequest) -> tuple[Outcome, AttemptResult]:
        """Make a call until it is proven what became of it, or until another try would not be safe or allowed.

        Raises a `NotSent` for what was ended before its first byte, by whoever ended it.
        """
        number = next(self._request_ids)
        tries: RetryState | None = None
        attempts = 0
        gives_up = 0.0
        if request.deadline is not None and self._loop.time() >= request.deadline:
            _raise_cancelled(CancelReason.DEADLINE)
        while True:
            attempts += 1
            token = self._try_admit(request) or await self._admit(request)
            try:
                exchange = self._new_attempt(request, token, number, attempts)
            except BaseException:
                self._limiter.release(otp=request.otp)
                raise
            # From the first try on: to have waited long for a turn is no reason to give up what can be mended.
            gives_up = gives_up or exchange.expires_at
            self._start(exchange)
            try:
                evidence = await exchange.result
            except asyncio.CancelledError:
                exchange.abandon()  # what has begun ends alone
                raise
            rule = exchange.status_rule
            outcome = rule.outcome if rule is not None else outcome_of(evidence)
            if outcome is Outcome.ACCEPTED:
                self._retry_budget.deposit(tries.spent if tries is not None else 0)
                return outcome, evidence
            if exchange.cancel_reason in _NOT_SENT_REASONS and not exchange.may_have_been_sent:
                _raise_cancelled(exchange.cancel_reason)
            if tries is None:
                tries = RetryState(self._config, safe=request.safe)
            retry = tries.decide(evidence, rule)
            if retry is None or not await self._prepare_retry(retry, exchange, evidence, token, gives_up):
                return outcome, evidence

    def _try_admit(self, request: ApiRequest) -> Secret | None:
        """A turn, and the token to use it with; `None` where something has to be waited for."""
        if self._circuit_breaker is not None and self._circuit_breaker.is_open:
            return None
        token = self._tokens.current()
        return token if token is not None and self._limiter.try_acquire(otp=request.otp) else None

    async def _admit(self, request: ApiRequest) -> Secret:
        """The same after a wait, for the breaker's probe, for a token, for a turn."""
        while True:
            token = await self._wait_for_token(request.deadline)
            await self._limiter.acquire(otp=request.otp, deadline=request.deadline)
            if self._circuit_breaker is None or not self._circuit_breaker.is_open:
                return self._tokens.current() or token
            self._limiter.release(otp=request.otp)  # the breaker has opened in the meantime

    async def _wait_for_token(self, deadline: float | None) -> Secret:
        token: Secret | None = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                if self._circuit_breaker is not None and self._circuit_breaker.is_open:
                    await self._circuit_breaker.ensure_closed()
                token = await self._tokens.get()
        return token or _raise_cancelled(CancelReason.DEADLINE)

    def _start(self, attempt: Attempt) -> None:
        if self._observers:
            self._observers.emit(AttemptStarted(*_attempt_fields(attempt)))
        self._in_flight.start(attempt)

    async def _prepare_retry(
        self, retry: RetryDecision, attempt: Attempt, result: AttemptResult, token: Secret, give_up_at: float
    ) -> bool:
        """Whether a call is tried again, once everything is ready for that."""
        number, tried = attempt.request_id, attempt.attempt_number
        deadline = attempt.request.deadline
        starts = self._loop.time() + retry.delay
        if starts >= give_up_at or (deadline is not None and starts >= deadline) or self._closing.is_set():
            return False
        if retry.cost and not self._retry_budget.try_withdraw(retry.cost):
            self._observers.emit(RetryBudgetExhausted(number, tried, "the budget for other tries is spent"))
            return False
        if retry.reason is RetryReason.NEW_TOKEN and not await self._renew_token(token, result, deadline):
            return False
        self._observers.emit(RetryScheduled(number, tried, str(retry.reason), retry.delay))
        return await self._sleep(retry.delay)

    async def _renew_token(self, token: Secret, result: AttemptResult, deadline: float | None) -> bool:
        """Whether there is another token than the one that was refused, in time."""
        forbidden = result.response is not None and result.response.status == 403
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

    async def _sleep(self, seconds: float) -> bool:
        """Wait; `False` as soon as the client is closed."""
        if seconds:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._closing.wait()
        return not self._closing.is_set()

    def _new_attempt(self, request: ApiRequest, token: Secret, number: int, attempts: int) -> Attempt:
        if token is not self._bearer:
            self._bearer, self._headers = token, bearer_headers(token)
        now = self._loop.time()
        body = request.body
        if request.deadline is not None and request.body_factory is not None:
            body = request.body_factory(request.deadline - now)
            if body is None:
                _raise_cancelled(CancelReason.DEADLINE)
        url, headers = _url(self._api_url + request.path), self._headers[body is not None]
        ends, done = now + self._total_timeout, self._loop.create_future()
        exchange = Attempt(request, url, headers, now, ends, done, number, attempts)
        exchange.body = body
        return exchange

    def _execute(self, attempt: Attempt) -> Awaitable[AttemptResult]:
        limit, proven = self._config.max_response_size, self._compatibility.verified
        return execute(self._session, attempt, timeout=self._client_timeout, max_response_size=limit, verified=proven)

    def _on_finished(self, attempt: Attempt, result: AttemptResult) -> None:
        """Take note of what an exchange showed, whether or not its caller still waits for it."""
        answer = result.response
        rule = attempt.status_rule = self._status_table.rule_for(answer) if answer is not None else None
        if attempt.uses_limiter:
            if rule is not None and rule.outcome is Outcome.ACCEPTED:
                self._limiter.record_success(attempt.started_at)
            elif rule is not None and rule.retry is RetryMode.AFTER_PAUSE and answer is not None:
                self._throttle(attempt, answer)
            if self._circuit_breaker is not None and (
                attempt.cancel_reason is None or attempt.cancel_reason is CancelReason.TIMEOUT
            ):
                self._circuit_breaker.record(result)
            self._limiter.release(otp=attempt.request.otp)
        if self._observers:
            seconds = self._loop.time() - attempt.started_at
            outcome = rule.outcome if rule is not None else outcome_of(result)
            if outcome is Outcome.ACCEPTED and answer is not None and attempt.request.classify_body is not None:
                outcome = attempt.request.classify_body(answer.body)
            abandoned = attempt.may_have_been_sent and attempt.result.cancelled()
            self._observers.emit(AttemptEnded(*_attempt_fields(attempt), result, outcome, seconds, abandoned=abandoned))

    def _throttle(self, attempt: Attempt, response: Response) -> None:
        """Routee asked for a pause: it holds everything that goes out from this loop, and slows down what follows."""
        pause = min(throttle_pause(response), self._config.max_throttle_pause.total_seconds())
        self._limiter.record_throttled(attempt.started_at)
        self._limiter.pause(pause)
        self._observers.emit(ThrottlePaused(response.status, pause))

    async def _request_token(self) -> AttemptResult:
        """Ask for a token, as often as it takes; it waits for no turn, because the messages with a turn wait for it."""
        form = SecretBytes(b"grant_type=client_credentials")
        call = ApiRequest("POST", "/oauth/token", form, safe=True)
        headers = Headers(basic_authorization(self._config), "application/x-www-form-urlencoded")
        tries = RetryState(self._config, safe=True)
        gives_up = self._loop.time() + self._total_timeout
        attempts = 1
        while True:
            evidence = await self._send_direct(call, self._config.auth_url, headers, attempts)
            answer = evidence.response
            retry = tries.decide(evidence, default_status_table().rule_for(answer) if answer is not None else None)
            if retry is None or retry.reason is RetryReason.NEW_TOKEN or self._loop.time() + retry.delay >= gives_up:
                if answer is not None and answer.status == 200:
                    self._retry_budget.deposit(tries.spent)
                return evidence
            if not self._retry_budget.try_withdraw(retry.cost):  # an outage of the token service is an outage, too
                return evidence
            await asyncio.sleep(retry.delay)
            attempts += 1

    async def _probe_health(self) -> AttemptResult:
        """Ask Routee how it is: a GET that needs no token. A pooled connection that was closed does not tell."""
        call = ApiRequest("GET", "/failover-otp/health", safe=True)
        evidence = await self._send_direct(call, self._api_url, Headers(), 1)
        while evidence.stale_connection:
            evidence = await self._send_direct(call, self._api_url, Headers(), 1)
        return evidence

    async def _send_direct(self, request: ApiRequest, host: str, headers: Headers, attempts: int) -> AttemptResult:
        now = self._loop.time()
        done: asyncio.Future[AttemptResult] = self._loop.create_future()
        exchange = Attempt(
            request, _url(host + request.path), headers, now, now + self._total_timeout, done, 0, attempts
        )
        exchange.body, exchange.uses_limiter = request.body, False
        self._start(exchange)
        try:
            return self._compatibility.check(exchange, await done)
        except asyncio.CancelledError:
            exchange.cancel(CancelReason.CALLER_CANCELLED)
            raise

    def _on_token_renewed(self, life: float) -> None:
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

    async def _close(self, timeout: float) -> None:
        self._limiter.close()
        self._closing.set()
        await self._tokens.aclose()
        if self._circuit_breaker is not None:
            await self._circuit_breaker.aclose()
        await self._in_flight.drain(timeout)
        await self._session.close()


def _attempt_fields(attempt: Attempt) -> tuple[int, int, str, str]:
    """What observers know a try by. What follows a path may hold a recipient, and is nothing that they are told."""
    return attempt.request_id, attempt.attempt_number, attempt.request.method, attempt.request.path.partition("?")[0]


def _raise_cancelled(reason: CancelReason) -> NoReturn:
    if reason is CancelReason.CLIENT_CLOSED:
        raise ClientClosed("the client was closed while the message waited; nothing was sent")
    if reason is CancelReason.WITHDRAWN:
        raise Withdrawn("the message was not wanted any more when its turn came; nothing was sent")
    raise DeadlinePassed(
        "the deadline of the message passed, or came too near for its ttl, before it could leave; nothing was sent"
    )
