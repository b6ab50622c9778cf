"""Events: none holds a secret, their order is fixed, and observers never affect a send."""

import asyncio
import copy
import logging
import pickle
from typing import Any

import attrs
import pytest

from routee_failover import Outcome, RouteeClient, RouteeError
from routee_failover._transport import ApiRequest
from routee_failover.errors import Rejected
from routee_failover.events import (
    AttemptEnded,
    AttemptStarted,
    CallbackDropped,
    CallbackRejected,
    CircuitBreakerChanged,
    Event,
    HandlerFailed,
    HandlerSlow,
    LoggingObserver,
    Observer,
    ObserverGroup,
    RetryBudgetExhausted,
    RetryScheduled,
    ThrottlePaused,
    TokenRenewed,
)
from routee_failover.outcomes import AttemptResult, Response
from tests.client.sample_flows import CANARIES, otp, sms
from tests.transport.raw_server import (
    ACCEPTED,
    KEY,
    POST,
    RawServer,
    RecordingObserver,
    http,
    open_transport,
    responding,
)

WITH_RESPONSE = AttemptResult(True, Response(200, b"canary"), bytes_written=7)
NOT_CONNECTED = AttemptResult(False, reason="no connection to localhost:1 could be made")


def _attempt_ended(result: AttemptResult, outcome: Outcome, seconds: float, *, abandoned: bool = False) -> AttemptEnded:
    return AttemptEnded(1, 1, "POST", "/failover", result, outcome, seconds, abandoned)


EVENTS: dict[str, tuple[Event, int, str]] = {
    "started": (AttemptStarted(1, 2, "POST", "/failover"), logging.DEBUG, "request 1: POST /failover, attempt 2"),
    "accepted": (
        _attempt_ended(WITH_RESPONSE, Outcome.ACCEPTED, 0.25),
        logging.DEBUG,
        "request 1: ACCEPTED in 0.250 s (status 200)",
    ),
    "not sent": (
        _attempt_ended(NOT_CONNECTED, Outcome.NOT_SENT, 0.5),
        logging.WARNING,
        "request 1: NOT_SENT in 0.500 s (no connection to localhost:1 could be made)",
    ),
    "caller cancelled": (
        _attempt_ended(AttemptResult(True, reason="no response"), Outcome.UNKNOWN, 30.0, abandoned=True),
        logging.WARNING,
        "request 1: UNKNOWN in 30.000 s (no response), after its caller was cancelled",
    ),
    "retry": (
        RetryScheduled(1, 1, "nothing was sent", 0.05),
        logging.INFO,
        "request 1: retry in 0.050 s: nothing was sent",
    ),
    "no retry": (
        RetryBudgetExhausted(1, 1, "the budget is spent"),
        logging.WARNING,
        "request 1: not retried, although it would be safe: the budget is spent",
    ),
    "token": (TokenRenewed(3600.0), logging.DEBUG, "access token renewed, expires in 3600 s"),
    "pause": (ThrottlePaused(429, 2.5), logging.INFO, "Routee answered 429: nothing is sent for 2.5 s"),
    "open": (
        CircuitBreakerChanged("open", "Routee answered 500"),
        logging.WARNING,
        "circuit breaker open: Routee answered 500",
    ),
    "closed": (CircuitBreakerChanged("closed"), logging.WARNING, "circuit breaker closed"),
    "scanner": (CallbackRejected(404, "no route"), logging.DEBUG, "callback rejected with 404: no route"),
    "no callback": (
        CallbackRejected(400, "it is not JSON"),
        logging.INFO,
        "callback rejected with 400: it is not JSON",
    ),
    "full": (CallbackRejected(503, "queue full"), logging.WARNING, "callback rejected with 503: queue full"),
    "duplicate": (
        CallbackDropped("flow", "t-1", "duplicate", False),
        logging.DEBUG,
        "callback (flow t-1) not delivered: duplicate",
    ),
    "lost": (
        CallbackDropped("inbound", None, "the inbox closed", True),
        logging.WARNING,
        "callback (inbound) not delivered: the inbox closed",
    ),
    "handler": (
        HandlerFailed("handler", "KeyError", "otp", "f-1"),
        logging.ERROR,
        "handler raised KeyError on a callback (otp f-1)",
    ),
    "slow handler": (
        HandlerSlow("handler", 30.01, "flow", "t-1"),
        logging.WARNING,
        "handler has been running for 30.0 s on a callback (flow t-1)",
    ),
}
by_event = pytest.mark.parametrize(("event", "level", "text"), EVENTS.values(), ids=EVENTS)


@by_event
def test_event_is_frozen_comparable_hashable_and_picklable(event: Event, level: int, text: str) -> None:
    """An event cannot be changed, equals its copy and nothing else, is hashable, and can be pickled."""
    field = attrs.fields(type(event))[0].name
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(event, field, None)
    assert event == copy.deepcopy(event) == pickle.loads(pickle.dumps(event))
    assert hash(event) == hash(copy.deepcopy(event))
    assert [other for other, *_ in EVENTS.values() if other == event] == [event]


def test_event_drops_the_response_body() -> None:
    """A response may quote the message or hold a token: observers get its status only, also in a hand-made event."""
    event = _attempt_ended(WITH_RESPONSE, Outcome.ACCEPTED, 0.25)
    assert event.result == AttemptResult(True, Response(200, b""), bytes_written=7)
    assert b"canary" not in pickle.dumps(event)


@by_event
def test_logging_observer_logs_each_event_as_one_line(
    event: Event, level: int, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """LoggingObserver logs a text at a fitting level, with the event itself as an attribute of the record."""
    with caplog.at_level(logging.DEBUG, "routee_failover"):
        LoggingObserver().observe(event)
    (record,) = caplog.records
    assert (record.name, record.levelno, record.getMessage()) == ("routee_failover", level, text)
    assert vars(record)["routee_event"] is event


def test_logging_observer_uses_the_given_logger(caplog: pytest.LogCaptureFixture) -> None:
    """LoggingObserver writes to the logger that it is given, and nothing below that logger's level."""
    logger = logging.getLogger("own")
    with caplog.at_level(logging.WARNING, "own"):
        for event, *_ in EVENTS.values():
            LoggingObserver(logger).observe(event)
    assert {(record.name, record.levelno) for record in caplog.records} == {
        ("own", logging.WARNING),
        ("own", logging.ERROR),
    }
    assert isinstance(LoggingObserver(), Observer)


async def _events_of(*responses: bytes, count: int = 1, **settings: Any) -> list[Event]:
    """The events of `count` requests that get these responses."""
    recorder = RecordingObserver()
    async with (
        RawServer(responding(*responses)) as server,
        open_transport(server, observers=[recorder], **settings) as transport,
    ):
        for _ in range(count):
            await transport.send_request(POST)
    return recorder.events


@pytest.fixture
def no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries follow each other at once."""
    monkeypatch.setattr("routee_failover._transport.retry_policy.full_jitter", lambda _bound: 0.0)


def _names(events: list[Event]) -> list[tuple[str, int | None, int | None]]:
    return [
        (type(event).__name__, getattr(event, "request_id", None), getattr(event, "attempt", None)) for event in events
    ]


async def test_request_emits_token_and_attempt_events_in_order() -> None:
    """Token request, token, attempt: each starts before it ends; token requests have number 0, requests count up."""
    assert _names(await _events_of(ACCEPTED, count=2)) == [
        ("AttemptStarted", 0, 1),
        ("AttemptEnded", 0, 1),
        ("TokenRenewed", None, None),
        ("AttemptStarted", 1, 1),
        ("AttemptEnded", 1, 1),
        ("AttemptStarted", 2, 1),
        ("AttemptEnded", 2, 1),
    ]


@pytest.mark.usefixtures("no_backoff")
async def test_retried_request_emits_events_in_order() -> None:
    """A pause is emitted before the attempt that met it ends, then the retry and its reason, then the next attempt."""
    throttled, too_early = http("429 Slower", b"{}", "Retry-After: 0"), http("425 Early", b"", "Connection: close")
    events = await _events_of(throttled, too_early, ACCEPTED)
    assert _names(events)[3:] == [
        ("AttemptStarted", 1, 1),
        ("ThrottlePaused", None, None),
        ("AttemptEnded", 1, 1),
        ("RetryScheduled", 1, 1),
        ("AttemptStarted", 1, 2),
        ("AttemptEnded", 1, 2),
        ("RetryScheduled", 1, 2),
        ("AttemptStarted", 1, 3),
        ("AttemptEnded", 1, 3),
    ]
    assert [event.outcome for event in events if isinstance(event, AttemptEnded)][1:] == [
        Outcome.REJECTED,
        Outcome.REJECTED,
        Outcome.ACCEPTED,
    ]


@pytest.mark.usefixtures("no_backoff")
async def test_exhausted_retry_budget_is_emitted_instead_of_a_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the budget is spent, a request that could be retried is not, and an event says so instead."""
    monkeypatch.setattr("routee_failover._transport.retry_policy.CAPACITY", 0)
    events = await _events_of(ACCEPTED, api_url="http://127.0.0.1:1")
    assert events[-1] == RetryBudgetExhausted(1, 1, "the retry budget is exhausted")


class RaisingObserver:
    """An observer that raises an error whose text must not be logged."""

    def __init__(self, error: type[BaseException]) -> None:
        self._error = error

    def observe(self, event: Event, /) -> None:
        """Raise."""
        raise self._error(f"canary of {event}")


@pytest.mark.parametrize("error", [KeyError, AssertionError, asyncio.CancelledError, StopIteration, RecursionError])
async def test_raising_observer_affects_neither_send_nor_other_observers(
    error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever an observer raises, requests end as usual, other observers get the event, only its class is logged."""
    recorder = RecordingObserver()
    async with (
        RawServer(responding(ACCEPTED)) as server,
        open_transport(server, observers=[RaisingObserver(error), recorder]) as transport,
    ):
        async with asyncio.timeout(10):
            assert (await transport.send_request(POST))[0] is Outcome.ACCEPTED
    assert len(recorder.events) == 5
    assert caplog.messages[0] == f"RaisingObserver raised {error.__name__} on AttemptStarted"
    assert "canary" not in caplog.text


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_keyboard_interrupt_and_system_exit_of_an_observer_propagate(error: type[BaseException]) -> None:
    """An interrupted observer does not keep the process from ending."""
    with pytest.raises(error):
        ObserverGroup([RaisingObserver(error)]).emit(AttemptStarted(1, 1, "GET", "/"))


def test_raising_logging_filter_is_suppressed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A filter of the logger may be what raises: then the error cannot be logged either, and is dropped."""

    def broken(_record: logging.LogRecord) -> bool:
        raise ZeroDivisionError

    logger = logging.getLogger("routee_failover")
    monkeypatch.setattr(logger, "filters", [broken])
    ObserverGroup([LoggingObserver()]).emit(ThrottlePaused(429, 1.0))
    ObserverGroup([LoggingObserver()]).emit(CircuitBreakerChanged("open"))


def test_observer_group_without_observers_is_false() -> None:
    """Without observers nothing is emitted, and callers can check that beforehand."""
    assert not ObserverGroup([])
    assert ObserverGroup([RecordingObserver()])


async def _all_events_and_logs(caplog: pytest.LogCaptureFixture) -> str:
    recorder = RecordingObserver()
    echo = b'{"developerMessage":"739164 +306912345678 Canary canary-token","code":"400000000"}'
    responses = [http("400 No", echo), http("500 Oops", echo), ACCEPTED, http("401 No", echo)]
    caplog.set_level(logging.DEBUG, "routee_failover")
    async with RawServer(responding(*responses)) as server:
        async with RouteeClient(server.config(observers=[recorder, LoggingObserver()])) as client:
            for flow in (otp(), sms(), sms(), otp()):
                try:
                    await client.send(flow)
                except RouteeError:
                    continue
            with pytest.raises(Rejected):
                await client.track("an-id")
        async with open_transport(server, observers=[recorder, LoggingObserver()]) as transport:
            await transport.send_request(ApiRequest("GET", "/reports?to=%2B306912345678&pin=739164", safe=True))
    assert {type(event) for event in recorder.events} == {AttemptStarted, AttemptEnded, RetryScheduled, TokenRenewed}
    pickled = [pickle.dumps(event).decode("latin-1") for event in recorder.events]
    return "\n".join([caplog.text, *pickled, *(repr(event) + str(vars(event)) for event in recorder.events)])


async def test_events_and_logs_hold_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    """No event, including its fields and its log line, holds a PIN, a recipient, a text, a token or the secret.

    The id of a message is in the path by which it is tracked. It identifies no person, is useless without a token, and
    is needed to find a message.
    """
    text = await _all_events_and_logs(caplog)
    secrets = (*CANARIES, KEY, "canary-key", "306912345678", "Bearer", "Basic")
    assert [secret for secret in secrets if secret in text] == []
    assert "/failover/tracking/an-id" in text
