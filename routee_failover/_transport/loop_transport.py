"""Transport of one event loop: it takes a request through token, limiter, attempts and safe retries to an outcome."""

import asyncio
import contextlib
from collections.abc import Coroutine, Mapping
from functools import lru_cache, partial
from itertools import count
from typing import Any, NoReturn

from yarl import URL

from .. import events
from .._abandonment import Cleanup
from .._tasks import start_task
from ..config import Config
from ..errors import ClientClosed, DeadlinePassed, NotSent, Outcome, TokenUnavailable, Withdrawn
from ..outcomes import AttemptResult, RetryMode, StatusTable, default_status_table, outcome_of
from ..secret import Secret, SecretBytes
from .aiohttp_api import close_pool_at_once
from .attempt import ApiRequest, Attempt, CancelReason
from .circuit_breaker import CircuitBreaker
from .executor import Executor
from .headers import Headers
from .in_flight import InFlight
from .limiter import RequestLimiter
from .retry_policy import RetryBudget, RetryDecision, RetryReason, RetryState, throttle_pause
from .session_executor import SessionExecutor
from .token import TokenSource, basic_authorization

_url = lru_cache(maxsize=256)(URL)
_TOO_LATE = "the deadline of the message passed, or left too little time for its ttl, before it was sent"
_NOT_SENT_ERRORS: Mapping[CancelReason | None, tuple[type[NotSent], str]] = {
    CancelReason.CLIENT_CLOSED: (ClientClosed, "the client was closed while the message waited"),
    CancelReason.WITHDRAWN: (Withdrawn, "the message was withdrawn before it was sent"),
    CancelReason.DEADLINE: (DeadlinePassed, _TOO_LATE),
}
"""Cancellations that raise an error of their own if nothing was sent."""
CLOSED = "the client is closed in this event loop; nothing was sent. Send it with an open client"


class LoopTransport:
    """Transport of one event loop: connection pool, access token, limiter, retry budget and circuit breaker."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._loop = asyncio.get_running_loop()
        self._executor: Executor | SessionExecutor = (
            Executor(config) if config.session_factory is None else SessionExecutor(config, config.session_factory)
        )
        self._total_timeout = config.total_timeout.total_seconds()
        self._status_table = StatusTable(config.status_rules)
        self._observers = events.ObserverGroup(config.observers)
        self._emit = self._observers.emit
        self._limiter = RequestLimiter(config)
        self._retry_budget = RetryBudget()
        self._circuit_breaker = CircuitBreaker(self._probe_health, self._observers) if config.circuit_breaker else None
        self.tokens = TokenSource(self._request_token, lambda life: self._emit(events.TokenRenewed(life)))
        self._in_flight = InFlight(self._executor.execute, self._on_finished)
        self._request_ids = count(1)
        self._bearer: Secret | None = None
        self._headers: tuple[Headers, ...] = ()  # without a body, with one
        self.closing = asyncio.Event()
        self._closing_task: asyncio.Task[None] | None = None
        connector, session, at_shutdown = self._executor.connector, self._executor.session, LoopTransport._close
        at_once = partial(close_pool_at_once, connector)
        self._cleanup = Cleanup(self, at_shutdown=at_shutdown, at_once=at_once, in_loop=connector.close, held=session)

    def send_request(self, request: ApiRequest) -> Coroutine[Any, Any, tuple[Outcome, AttemptResult, Any]]:
        """Send a request, with retries as long as they are safe and allowed.

        Return its outcome, its last result, and the receipt if the request has a `read_receipt`. Raises a `NotSent` if
        the request was cancelled before its first byte, whatever cancelled it.
        """
        return self._send(request, next(self._request_ids))

    async def _send(self, request: ApiRequest, request_id: int) -> tuple[Outcome, AttemptResult, Any]:
        retry_state: RetryState | None = None
        attempt_number, give_up_at = 0, 0.0
        if self.closing.is_set():  # a token would be requested for nothing
            raise ClientClosed(CLOSED)
        if request.deadline is not None and request.seconds_left(self._loop) <= 0:
            _raise_cancelled(CancelReason.DEADLINE)
        while True:
            # 1. Get a token and a slot of the limiter, and start an attempt.
            attempt_number += 1
            token = None if request.headers is not None else self._try_admit(request) or await self._admit(request)
            try:
                attempt = self._start_attempt(request, token, request_id, attempt_number)
            except BaseException:
                if token is not None:
                    self._limiter.release(otp=request.otp)
                raise
            # Counted from the first attempt on: a long wait for a slot is no reason to give up on retries.
            give_up_at = give_up_at or attempt.expires_at
            # 2. Wait for its result.
            try:
                result = await attempt.result
            except asyncio.CancelledError:
                attempt.abandon()  # a send that may have begun finishes without its caller
                raise
            # 3. Classify the result.
            status_rule = attempt.status_rule
            outcome = status_rule.outcome if status_rule is not None else outcome_of(result)
            if outcome is Outcome.ACCEPTED and result.response is not None:
                self._retry_budget.deposit(retry_state.spent if retry_state is not None else 0)
                outcome, receipt = attempt.receipt(result.response)
                return outcome, result, receipt
            if attempt.cancel_reason in _NOT_SENT_ERRORS and not attempt.may_have_been_sent:
                _raise_cancelled(attempt.cancel_reason)
            # 4. Retry if that is safe, in time and within the retry budget.
            if retry_state is None:
                retry_state = RetryState(self._config, safe=request.safe)
            retry = retry_state.decide(result, status_rule)
            if retry is None or not await self._prepare_retry(retry, attempt, result, token, give_up_at):
                return outcome, result, None

    def _try_admit(self, request: ApiRequest) -> Secret | None:
        """Acquire a slot without waiting and return the token to use; `None` if anything has to be waited for."""
        if self._circuit_breaker is not None and self._circuit_breaker.is_open:
            return None
        token = self.tokens.current()
        return token if token is not None and self._limiter.try_acquire(otp=request.otp) else None

    async def _admit(self, request: ApiRequest) -> Secret:
        """Wait for the probe of the circuit breaker, for a token and for a slot, and return the token to use."""
        while True:
            token: Secret | None = None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(request.deadline):
                    if self._circuit_breaker is not None and self._circuit_breaker.is_open:
                        await self._circuit_breaker.ensure_closed()
                    token = await self.tokens.get()
            if token is None:
                _raise_cancelled(CancelReason.DEADLINE)
            await self._limiter.acquire(otp=request.otp, deadline=request.deadline)
            if self._circuit_breaker is None or not self._circuit_breaker.is_open:
                return self.tokens.current() or token
            self._limiter.release(otp=request.otp)  # the circuit has opened in the meantime

    async def _prepare_retry(
        self, retry: RetryDecision, attempt: Attempt, result: AttemptResult, token: Secret | None, give_up_at: float
    ) -> bool:
        """Prepare a retry and wait for its delay; return False if it must not be made."""
        request_id, attempt_number, request = attempt.request_id, attempt.attempt_number, attempt.request
        # 1. It has to start in time, and within the retry budget.
        start_at = self._loop.time() + retry.delay
        is_late = start_at >= give_up_at or retry.delay >= request.seconds_left(self._loop)
        if is_late or self.closing.is_set():
            return False
        if retry.cost and not self._retry_budget.try_withdraw(retry.cost):
            self._emit(events.RetryBudgetExhausted(request_id, attempt_number, "the retry budget is exhausted"))
            return False
        # 2. It may need a new token.
        if retry.reason is RetryReason.NEW_TOKEN and (
            token is None or not await self._renew_token(token, result, request.deadline)
        ):
            return False
        # 3. Wait for the backoff.
        self._emit(events.RetryScheduled(request_id, attempt_number, str(retry.reason), retry.delay))
        if retry.delay:  # a timeout of 0 would swallow a cancellation, and so would `wait_for`
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(retry.delay):
                    await self.closing.wait()
        return not self.closing.is_set()

    async def _renew_token(self, token: Secret, result: AttemptResult, deadline: float | None) -> bool:
        """Return whether another token than the rejected one could be obtained before the deadline."""
        forbidden = result.response is not None and result.response.status == 403
        try:
            async with asyncio.timeout_at(deadline):
                return await self.tokens.replace(token, forbidden=forbidden) is not None
        except TokenUnavailable as error:
            if not forbidden:
                reason = f"Routee rejected the token of the message, and {error}".removesuffix("; nothing was sent")
                failed = TokenUnavailable(f"{reason}; the message was not accepted", status=error.status)
                raise failed from None
        except TimeoutError:
            pass
        return False  # a 403 may be about a missing role, and says more than a failed renewal

    def _start_attempt(self, request: ApiRequest, token: Secret | None, request_id: int, number: int) -> Attempt:
        headers = request.headers or self._bearer_headers(token)[request.body is not None]
        request.sent_headers = headers.mapping
        url, result, now = _url(headers.base_url + request.path), self._loop.create_future(), self._loop.time()
        expires_at = now + self._total_timeout
        attempt = Attempt(request, url, headers, now, expires_at, result, request_id, number, request.body)
        if self._observers:
            self._emit(events.AttemptStarted(*_attempt_fields(attempt)))
        self._in_flight.start(attempt)
        return attempt

    def _bearer_headers(self, token: Secret | None) -> tuple[Headers, ...]:
        if token is not None and token is not self._bearer:
            bearer, url = Secret(f"Bearer {token.reveal()}"), self._config.api_url
            json = Headers(self._config, url, authorization=bearer, content_type="application/json")
            self._bearer, self._headers = token, (Headers(self._config, url, authorization=bearer), json)
        return self._headers

    def _on_finished(self, attempt: Attempt, result: AttemptResult) -> None:
        """Pass the result of an attempt to limiter, circuit breaker and observers, even if its caller was cancelled."""
        response = result.response
        takes_slot = attempt.request.headers is None
        status_table = self._status_table if takes_slot else default_status_table()
        status_rule = attempt.status_rule = status_table.rule_for(response) if response is not None else None
        if takes_slot:
            if status_rule is not None and status_rule.outcome is Outcome.ACCEPTED:
                self._limiter.record_success(attempt.started_at)
            elif status_rule is not None and status_rule.retry is RetryMode.AFTER_PAUSE and response is not None:
                # All requests of this loop pause, and those that follow have lower limits.
                pause = min(throttle_pause(response), self._config.max_throttle_pause.total_seconds())
                self._limiter.throttle(attempt.started_at, pause)
                self._emit(events.ThrottlePaused(response.status, pause))
            if self._circuit_breaker is not None and (
                attempt.cancel_reason is None or attempt.cancel_reason is CancelReason.TIMEOUT
            ):
                self._circuit_breaker.record(result)
            self._limiter.release(otp=attempt.request.otp)
        if self._observers:
            seconds = self._loop.time() - attempt.started_at
            outcome = status_rule.outcome if status_rule is not None else outcome_of(result)
            if outcome is Outcome.ACCEPTED and response is not None:
                outcome, _ = attempt.receipt(response)
            abandoned = attempt.may_have_been_sent and attempt.result.cancelled()
            self._emit(events.AttemptEnded(*_attempt_fields(attempt), result, outcome, seconds, abandoned=abandoned))

    async def _request_token(self) -> AttemptResult:
        """Request a token. It acquires no slot of the limiter, because every request waits for it."""
        basic, form = basic_authorization(self._config), "application/x-www-form-urlencoded"
        headers = Headers(self._config, self._config.auth_url, authorization=basic, content_type=form)
        body = SecretBytes(b"grant_type=client_credentials")
        _, result, _ = await self._send(ApiRequest("POST", "/oauth/token", body, safe=True, headers=headers), 0)
        return result

    async def _probe_health(self) -> AttemptResult:
        """Probe Routee with a GET that needs no token. A stale pooled connection proves nothing: it is repeated."""
        headers = Headers(self._config, self._config.api_url)
        request = ApiRequest("GET", "/failover-otp/health", safe=True, headers=headers)
        while True:
            attempt = self._start_attempt(request, None, 0, 1)
            try:
                result = await attempt.result
            finally:
                attempt.abandon()
            if not result.stale_connection:
                return result

    def close(self) -> "asyncio.Task[None]":
        """Send nothing more from now on; return the task that waits for responses and closes the connections."""
        if self._closing_task is None or self._closing_task.cancelled():
            # Started first: it cancels the token request before that resumes and gives up by itself.
            self._closing_task = start_task(self._close_gracefully())
            self._limiter.close()
            self.closing.set()
        return self._closing_task

    async def _close_gracefully(self) -> None:
        await self._close(self._config.shutdown_timeout.total_seconds())
        await self._cleanup.aclose()

    async def _close(self, timeout: float = 0.0) -> None:
        self._limiter.close()
        self.closing.set()
        try:
            await self.tokens.aclose()
            if self._circuit_breaker is not None:
                await self._circuit_breaker.aclose()
            await self._in_flight.drain(timeout)
        finally:
            self._in_flight.cancel_all()  # if this task was cancelled, with all others of the loop for example
            await self._executor.aclose()


def _attempt_fields(attempt: Attempt) -> tuple[int, int, str, str]:
    """Return what identifies an attempt to observers, without the query string, which may hold a recipient."""
    return attempt.request_id, attempt.attempt_number, attempt.request.method, attempt.request.path.partition("?")[0]


def _raise_cancelled(reason: CancelReason | None) -> NoReturn:
    kind, text = _NOT_SENT_ERRORS[reason]
    raise kind(f"{text}; nothing was sent")
