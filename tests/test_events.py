"""What happens on the way: events that hold no secret, in their order, and observers that harm nothing."""

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
from tests.transport.raw_server import ACCEPTED, KEY, POST, RawServer, http
from tests.transport.raw_server import RecordingObserver as Notes
from tests.transport.raw_server import open_transport as opened
from tests.transport.raw_server import responding as answering

ANSWERED = AttemptResult(True, Response(200, b"canary"), bytes_written=7)
UNSENT = AttemptResult(False, reason="no connection to localhost:1 could be made")


def _ended(evidence: AttemptResult, outcome: Outcome, seconds: float, *, abandoned: bool = False) -> AttemptEnded:
    return AttemptEnded(1, 1, "POST", "/failover", evidence, outcome, seconds, abandoned)


EVENTS: dict[str, tuple[Event, int, str]] = {
    "started": (AttemptStarted(1, 2, "POST", "/failover"), logging.DEBUG, "call 1: POST /failover, try 2"),
    "accepted": (
        _ended(ANSWERED, Outcome.ACCEPTED, 0.25),
        logging.DEBUG,
        "call 1: ACCEPTED in 0.250 s (answered 200)",
    ),
    "not sent": (
        _ended(UNSENT, Outcome.NOT_SENT, 0.5),
        logging.WARNING,
        "call 1: NOT_SENT in 0.500 s (no connection to localhost:1 could be made)",
    ),
    "left alone": (
        _ended(AttemptResult(True, reason="no answer"), Outcome.UNKNOWN, 30.0, abandoned=True),
        logging.WARNING,
        "call 1: UNKNOWN in 30.000 s (no answer), after its caller had left",
    ),
    "again": (
        RetryScheduled(1, 1, "nothing of it had left", 0.05),
        logging.INFO,
        "call 1: once more in 0.050 s: nothing of it had left",
    ),
    "not again": (
        RetryBudgetExhausted(1, 1, "the budget is spent"),
        logging.WARNING,
        "call 1: not tried again, though it would be safe: the budget is spent",
    ),
    "token": (TokenRenewed(3600.0), logging.DEBUG, "a new token, good for 3600 s"),
    "pause": (ThrottlePaused(429, 2.5), logging.INFO, "Routee answered 429: nothing is sent for 2.5 s"),
    "open": (
        CircuitBreakerChanged("open", "Routee answered 500"),
        logging.WARNING,
        "the breaker is open: Routee answered 500",
    ),
    "closed": (CircuitBreakerChanged("closed"), logging.WARNING, "the breaker is closed"),
    "guessed": (CallbackRejected(404, "nobody"), logging.DEBUG, "a callback was answered 404: nobody"),
    "no callback": (
        CallbackRejected(400, "it is not JSON"),
        logging.INFO,
        "a callback was answered 400: it is not JSON",
    ),
    "full": (CallbackRejected(503, "no room"), logging.WARNING, "a callback was answered 503: no room"),
    "repeated": (
        CallbackDropped("flow", "t-1", "repeated", False),
        logging.DEBUG,
        "a callback (flow t-1) is not handed out: repeated",
    ),
    "lost": (
        CallbackDropped("inbound", None, "the inbox closed", True),
        logging.WARNING,
        "a callback (inbound) is not handed out: the inbox closed",
    ),
    "handler": (
        HandlerFailed("note", "KeyError", "otp", "f-1"),
        logging.ERROR,
        "note raised KeyError on a callback (otp f-1)",
    ),
}
CASES = pytest.mark.parametrize(("event", "level", "words"), EVENTS.values(), ids=EVENTS)


@CASES
def test_events_are_values(event: Event, level: int, words: str) -> None:
    """An event cannot be changed, equals its copy and nothing else, is a key, and survives pickling."""
    field = attrs.fields(type(event))[0].name
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(event, field, None)
    assert event == copy.deepcopy(event) == pickle.loads(pickle.dumps(event))
    assert hash(event) == hash(copy.deepcopy(event))
    assert [other for other, *_ in EVENTS.values() if other == event] == [event]


def test_no_event_holds_the_body_of_an_answer() -> None:
    """An answer quotes what was sent, and one is a token: observers get the status, also from an event of one's own."""
    event = _ended(ANSWERED, Outcome.ACCEPTED, 0.25)
    assert event.result == AttemptResult(True, Response(200, b""), bytes_written=7)
    assert b"canary" not in pickle.dumps(event)


@CASES
def test_a_logger_gets_each_event_as_a_line(
    event: Event, level: int, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    """LoggingObserver says what happened in words, at a level that fits, with the event itself beside them."""
    with caplog.at_level(logging.DEBUG, "routee_failover"):
        LoggingObserver().observe(event)
    (record,) = caplog.records
    assert (record.name, record.levelno, record.getMessage()) == ("routee_failover", level, words)
    assert vars(record)["routee_event"] is event


def test_a_logger_of_ones_own_may_be_given(caplog: pytest.LogCaptureFixture) -> None:
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


async def _told(*answers: bytes, calls: int = 1, **settings: Any) -> list[Event]:
    """What is told of calls that get such answers."""
    notes = Notes()
    async with (
        RawServer(answering(*answers)) as server,
        opened(server, observers=[notes], **settings) as transport,
    ):
        for _ in range(calls):
            await transport.send_request(POST)
    return notes.events


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other at once."""
    monkeypatch.setattr("routee_failover._transport.retry_delays.full_jitter", lambda _bound: 0.0)


def _names(events: list[Event]) -> list[tuple[str, int | None, int | None]]:
    return [
        (type(event).__name__, getattr(event, "request_id", None), getattr(event, "attempt", None)) for event in events
    ]


async def test_a_call_is_told_from_its_token_to_its_end() -> None:
    """Token request, token, try: each begins before it ends; token requests have the number 0, calls count up."""
    assert _names(await _told(ACCEPTED, calls=2)) == [
        ("AttemptStarted", 0, 1),
        ("AttemptEnded", 0, 1),
        ("TokenRenewed", None, None),
        ("AttemptStarted", 1, 1),
        ("AttemptEnded", 1, 1),
        ("AttemptStarted", 2, 1),
        ("AttemptEnded", 2, 1),
    ]


@pytest.mark.usefixtures("hasty")
async def test_a_call_that_is_tried_again_is_told_in_order() -> None:
    """A pause is told before the try that met it ends, then that there is another try and why, then that try."""
    events = await _told(http("429 Slower", b"{}", "Retry-After: 0"), http("425 Early"), ACCEPTED)
    assert _names(events)[3:] == [
        ("AttemptStarted", 1, 1),
        ("Paused", None, None),
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


@pytest.mark.usefixtures("hasty")
async def test_a_try_that_is_not_made_for_want_of_budget_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the budget is spent, a call that could be tried again is not, and that is told instead."""
    monkeypatch.setattr("routee_failover._transport.retry_budget.FULL", 0)
    events = await _told(ACCEPTED, api_url="http://127.0.0.1:1")
    assert events[-1] == RetryBudgetExhausted(1, 1, "the retry budget is exhausted")


class Raising:
    """An observer that raises something, and says in it what nobody should read."""

    def __init__(self, error: type[BaseException]) -> None:
        self._error = error

    def observe(self, event: Event, /) -> None:
        """Raise."""
        raise self._error(f"canary of {event}")


@pytest.mark.parametrize("error", [KeyError, AssertionError, asyncio.CancelledError, StopIteration, RecursionError])
async def test_an_observer_that_raises_harms_nothing(
    error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever an observer raises, every call ends as it would have, others are told, and only its kind is logged."""
    notes = Notes()
    async with (
        RawServer(answering(ACCEPTED)) as server,
        opened(server, observers=[Raising(error), notes]) as transport,
    ):
        async with asyncio.timeout(10):
            assert (await transport.send_request(POST))[0] is Outcome.ACCEPTED
    assert len(notes.events) == 5
    assert caplog.messages[0] == f"Raising raised {error.__name__} on AttemptStarted"
    assert "canary" not in caplog.text


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_process_passes(error: type[BaseException]) -> None:
    """An observer that is interrupted does not keep the process from ending."""
    with pytest.raises(error):
        ObserverGroup([Raising(error)]).emit(AttemptStarted(1, 1, "GET", "/"))


def test_a_logger_that_raises_harms_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A filter of the logger may be what raises: then there is nobody left to tell."""

    def broken(_record: logging.LogRecord) -> bool:
        raise ZeroDivisionError

    logger = logging.getLogger("routee_failover")
    monkeypatch.setattr(logger, "filters", [broken])
    ObserverGroup([LoggingObserver()]).emit(ThrottlePaused(429, 1.0))
    ObserverGroup([LoggingObserver()]).emit(CircuitBreakerChanged("open"))


def test_no_observers_are_none() -> None:
    """Without observers nothing is told, and that is known beforehand."""
    assert not ObserverGroup([])
    assert ObserverGroup([Notes()])


async def _everything_that_is_shown(caplog: pytest.LogCaptureFixture) -> str:
    notes = Notes()
    echo = b'{"developerMessage":"739164 +306912345678 Canary canary-token","code":"400000000"}'
    answers = [http("400 No", echo), http("500 Oops", echo), ACCEPTED, http("401 No", echo)]
    caplog.set_level(logging.DEBUG, "routee_failover")
    async with RawServer(answering(*answers)) as server:
        async with RouteeClient(server.config(observers=[notes, LoggingObserver()])) as client:
            for flow in (otp(), sms(), sms(), otp()):
                try:
                    await client.send(flow)
                except RouteeError:
                    continue
            with pytest.raises(Rejected):
                await client.track("an-id")
        async with opened(server, observers=[notes, LoggingObserver()]) as transport:
            await transport.send_request(ApiRequest("GET", "/reports?to=%2B306912345678&pin=739164", safe=True))
    assert {type(event) for event in notes.events} == {AttemptStarted, AttemptEnded, RetryScheduled, TokenRenewed}
    deep = [pickle.dumps(event).decode("latin-1") for event in notes.events]
    return "\n".join([caplog.text, *deep, *(repr(event) + str(vars(event)) for event in notes.events)])


async def test_neither_events_nor_logs_hold_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    """No event, its fields and its line in a log included, holds a PIN, a recipient, a text, a token or the key.

    The id of a message stands in the path that it is tracked by. It names no person and opens nothing without a token,
    and whoever looks for a message needs it.
    """
    text = await _everything_that_is_shown(caplog)
    secrets = (*CANARIES, KEY, "canary-key", "306912345678", "Bearer", "Basic")
    assert [secret for secret in secrets if secret in text] == []
    assert "/failover/tracking/an-id" in text
