"""Every fault against every endpoint: the reported outcome of a message agrees with the server's count."""

import asyncio
import signal
import sys
from collections.abc import Iterable, Iterator
from datetime import timedelta

import pytest

from routee_failover import (
    Endpoint,
    FlowFailed,
    NoResponse,
    NotSent,
    Outcome,
    Rejected,
    RouteeClient,
    RouteeError,
    TokenUnavailable,
)

from .consistency import SendReport, contradictions, error_problems, send_and_report
from .expected_outcomes import ERROR_STATUS_ROWS, REQUEST_ROWS, RESPONSE_ROWS, ExpectedOutcome, RetryExpectation
from .faults import (
    BEFORE_RESPONSE,
    BROKEN_RESPONSES,
    EARLY_RESPONSE,
    ERROR_STATUSES,
    FAILED_FLOW,
    HALF_CLOSED,
    NO_FAULT,
    OK_CONNECTION_CLOSE,
    UNUSUAL_RESPONSES,
    WHOLE_REQUEST,
    End,
    Fault,
    fault_before_response,
    fixed_response,
    status_fault,
)
from .faulty_server import FaultyServer, always
from .sample_flows import ENDPOINTS, new_flow, new_number, standard
from .scale import scaled
from .server_loop import ServerLoop

TOTAL_TIMEOUT = timedelta(milliseconds=150)
ROWS = [*REQUEST_ROWS, *RESPONSE_ROWS, *ERROR_STATUS_ROWS]


async def _send_one_each(client: RouteeClient) -> list[SendReport]:
    return await asyncio.gather(*(send_and_report(client, new_flow(endpoint)) for endpoint in ENDPOINTS))


async def _warm_up(client: RouteeClient, server: FaultyServer, *, reused: bool) -> None:
    """Get a token, and open as many pooled connections as there are endpoints, or none."""
    server.next_fault = always(NO_FAULT if reused else OK_CONNECTION_CLOSE)
    async with asyncio.timeout(30):
        while {report.outcome for report in await _send_one_each(client)} != {Outcome.ACCEPTED}:
            pass


@pytest.mark.parametrize("reused", [False, True], ids=["fresh", "reused"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_outcome_of_every_fault_agrees_with_the_table_and_the_server_count(
    server: FaultyServer, row: ExpectedOutcome, reused: bool
) -> None:
    """On all four endpoints a fault leads to its outcome, and the server has accepted each message as that says."""
    fault = row.fault
    assert fault is not None
    settings = {"total_timeout": TOTAL_TIMEOUT} if fault.hangs else {}
    attempts = (
        {"max_attempts": 1} if row.retried in {RetryExpectation.PAUSE, RetryExpectation.STATUS} else {}
    )  # pauses have tests of their own
    async with RouteeClient(server.config(**settings, **attempts)) as client:
        await _warm_up(client, server, reused=reused)
        server.reset_counts()
        server.next_fault = always(fault)
        reports = await _send_one_each(client)
    await server.drained()
    assert contradictions(reports, server.accepted) == []
    assert {report.outcome for report in reports} <= {*row.outcomes}, [report.error for report in reports]
    for report in reports:
        assert server.accepted[report.number] == (0 if report.outcome is Outcome.NOT_SENT else fault.accepts)
        if row.retried is RetryExpectation.NO:
            assert server.request_counts[report.number] == (fault.read_limit == WHOLE_REQUEST)


LARGE = "word " * 400_000
LARGE_FAULTS = {
    "nothing": (NO_FAULT, Outcome.ACCEPTED),
    "RST in the middle": (fault_before_response("RST in the middle", 1_000_000, End.RST), Outcome.UNKNOWN),
    "FIN in the middle": (fault_before_response("FIN in the middle", 1_000_000, End.FIN), Outcome.UNKNOWN),
    "no response": (fault_before_response("no response", 1_000_000, End.SILENCE), Outcome.UNKNOWN),
    "413 within the headers": (EARLY_RESPONSE[2], Outcome.REJECTED),
}


@pytest.mark.parametrize(("fault", "outcome"), LARGE_FAULTS.values(), ids=LARGE_FAULTS)
async def test_interrupted_large_message_is_not_accepted(server: FaultyServer, fault: Fault, outcome: Outcome) -> None:
    """A message in many pieces is not accepted before its last byte, and an early rejection is recognized."""
    server.next_fault = always(fault)
    settings = {"total_timeout": timedelta(milliseconds=500)} if fault.hangs else {}
    async with RouteeClient(server.config(**settings)) as client:
        report = await send_and_report(client, standard(new_number(), LARGE))
    await server.drained()
    assert contradictions([report], server.accepted) == []
    assert report.outcome in {outcome, Outcome.UNKNOWN}, report.error
    assert server.accepted.total() == fault.accepts


@pytest.fixture
def one_second_alarm() -> Iterator[None]:
    """Raise `TimeoutError` in whatever takes longer than a second, including an event loop that is stuck."""

    def on_alarm(*_args: object) -> None:
        raise TimeoutError("stuck")

    before = signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, 1)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no alarm")
@pytest.mark.usefixtures("one_second_alarm")
async def test_rejection_of_a_long_text_without_blanks_does_not_block_the_loop(server: FaultyServer) -> None:
    """The rejection of a text of 200,000 letters without a blank is read at once: a stuck loop blocks all sends."""
    server.next_fault = always(ERROR_STATUSES[422])
    async with RouteeClient(server.config()) as client:
        report = await send_and_report(client, standard(new_number(), "x" * 200_000))
    assert report.outcome is Outcome.REJECTED


async def test_200_with_failed_status_is_rejected(server: FaultyServer) -> None:
    """A failover OTP flow whose response is 200 and Failed was not accepted, and is REJECTED."""
    server.next_fault = always(FAILED_FLOW)
    async with RouteeClient(server.config()) as client:
        report = await send_and_report(client, new_flow(Endpoint.OTP))
    assert contradictions([report], server.accepted) == []
    assert isinstance(report.error, FlowFailed)
    assert server.request_counts[report.number] == 1


def _expected_outcome(code: int) -> Outcome:
    """Return what a status proves about a message, as the documentation says."""
    if code in {408, 425}:
        return Outcome.UNKNOWN  # on a connection that stays open
    return {2: Outcome.ACCEPTED, 3: Outcome.REJECTED, 4: Outcome.REJECTED}.get(code // 100, Outcome.UNKNOWN)


def _status_fault_and_outcome(code: int) -> tuple[Fault, Outcome]:
    if code < 200:
        response = fixed_response(b"HTTP/1.1 %d So\r\nConnection: close\r\n\r\n" % code)
        return Fault(str(code), response=response, end=End.FIN), Outcome.UNKNOWN
    if code == 204:  # it has no body, and so no receipt
        return status_fault(code, accepts=True), Outcome.UNKNOWN
    outcome = _expected_outcome(code)
    return status_fault(code, accepts=outcome is not Outcome.REJECTED), outcome


async def test_every_status_from_100_to_599_leads_to_its_outcome(server: FaultyServer) -> None:
    """Each status from 100 to 599 leads to the outcome that the table has for it, and the count agrees."""
    problems = []
    async with RouteeClient(server.config(max_attempts=1)) as client:
        for offset in range(scaled(1, maximum=len(ENDPOINTS))):
            for code in range(100, 600):
                fault, outcome = _status_fault_and_outcome(code)
                server.next_fault = always(fault)
                report = await send_and_report(client, new_flow(ENDPOINTS[(code + offset) % len(ENDPOINTS)]))
                problems += contradictions([report], server.accepted)
                if report.outcome is not outcome or server.accepted[report.number] != fault.accepts:
                    problems.append(
                        f"{code} is {report.outcome}, and was accepted {server.accepted[report.number]} times"
                    )
    assert problems == []
    assert server.accepted_twice == []


async def _first_errors(server_loop: ServerLoop, faults: Iterable[Fault], attribute: str) -> dict[str, str]:
    """Return the first error for each fault of the token service or of a reading call; all of them run in parallel."""

    async def first_error(fault: Fault) -> tuple[str, str]:
        async with FaultyServer(server_loop) as server:
            setattr(server, attribute, always(fault))
            settings = {"total_timeout": TOTAL_TIMEOUT} if fault.hangs else {}
            async with RouteeClient(server.config(**settings)) as client:
                if attribute == "next_token_fault":
                    report = await send_and_report(client, new_flow())
                    assert contradictions([report], server.accepted) == []
                    assert server.request_counts.total() == 0
                    error: RouteeError | None = report.error
                else:
                    error = await _track_error(client)
                    assert error is None or isinstance(error, NoResponse | NotSent | Rejected)
                    assert error is None or error_problems(SendReport("+3069", error.outcome, error)) == []
            return fault.name, type(error).__name__

    return dict(await asyncio.gather(*map(first_error, faults)))


async def _track_error(client: RouteeClient) -> RouteeError | None:
    try:
        await client.track("t-1")
    except RouteeError as error:
        return error
    return None


async def test_failed_token_request_sends_nothing(server_loop: ServerLoop) -> None:
    """With any fault of the token request, the message is NOT_SENT and the API gets no request."""
    faults = [*BEFORE_RESPONSE, HALF_CLOSED, *BROKEN_RESPONSES, *UNUSUAL_RESPONSES[1:]]
    errors = await _first_errors(server_loop, faults, "next_token_fault")
    assert {name: error for name, error in errors.items() if error != TokenUnavailable.__name__} == {}


async def test_failed_reading_call_raises_an_error_that_is_safe_to_repeat(server_loop: ServerLoop) -> None:
    """With any fault a reading call ends in a record, or in an error that says it is safe to repeat."""
    errors = await _first_errors(
        server_loop, [*BEFORE_RESPONSE, HALF_CLOSED, *BROKEN_RESPONSES, *UNUSUAL_RESPONSES], "next_fault"
    )
    succeeded = {name for name, error in errors.items() if error == "NoneType"}
    assert succeeded <= {
        "a body without an id",
        "a body that is not UTF-8",
        *(fault.name for fault in UNUSUAL_RESPONSES),
    }
    assert len(succeeded) >= len(UNUSUAL_RESPONSES) - 1
