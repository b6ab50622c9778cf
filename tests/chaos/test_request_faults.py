"""Every fault against every endpoint: what the client says of a message and what the server counted agree."""

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

PATIENCE = timedelta(milliseconds=150)
ROWS = [*REQUEST_ROWS, *RESPONSE_ROWS, *ERROR_STATUS_ROWS]


async def _one_each(client: RouteeClient) -> list[SendReport]:
    return await asyncio.gather(*(send_and_report(client, new_flow(endpoint)) for endpoint in ENDPOINTS))


async def _warmed(client: RouteeClient, server: FaultyServer, *, reused: bool) -> None:
    """Get a token, and have as many connections in the pool as there are endpoints, or none."""
    server.next_fault = always(NO_FAULT if reused else OK_CONNECTION_CLOSE)
    async with asyncio.timeout(30):
        while {each.outcome for each in await _one_each(client)} != {Outcome.ACCEPTED}:
            pass


@pytest.mark.parametrize("reused", [False, True], ids=["fresh", "reused"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_what_is_said_of_a_message_agrees_with_the_count(
    server: FaultyServer, row: ExpectedOutcome, reused: bool
) -> None:
    """On all four endpoints a fault leads to its outcome, and the server has taken each message as that says."""
    fault = row.fault
    assert fault is not None
    settings = {"total_timeout": PATIENCE} if fault.hangs else {}
    tries = (
        {"max_attempts": 1} if row.retried in {RetryExpectation.PAUSE, RetryExpectation.STATUS} else {}
    )  # the pauses have tests of their own
    async with RouteeClient(server.config(**settings, **tries)) as client:
        await _warmed(client, server, reused=reused)
        server.reset_counts()
        server.next_fault = always(fault)
        all_told = await _one_each(client)
    await server.drained()
    assert contradictions(all_told, server.accepted) == []
    assert {each.outcome for each in all_told} <= {*row.outcomes}, [each.error for each in all_told]
    for each in all_told:
        assert server.accepted[each.number] == (0 if each.outcome is Outcome.NOT_SENT else fault.accepts)
        if row.retried is RetryExpectation.NO:
            assert server.request_counts[each.number] == (fault.read_limit == WHOLE_REQUEST)


LARGE = "word " * 400_000
LARGE_FAULTS = {
    "nothing": (NO_FAULT, Outcome.ACCEPTED),
    "RST in the middle": (fault_before_response("RST in the middle", 1_000_000, End.RST), Outcome.UNKNOWN),
    "FIN in the middle": (fault_before_response("FIN in the middle", 1_000_000, End.FIN), Outcome.UNKNOWN),
    "no answer": (fault_before_response("no answer", 1_000_000, End.SILENCE), Outcome.UNKNOWN),
    "413 within the headers": (EARLY_RESPONSE[2], Outcome.REJECTED),
}


@pytest.mark.parametrize(("fault", "outcome"), LARGE_FAULTS.values(), ids=LARGE_FAULTS)
async def test_a_large_message_that_breaks_off_is_no_message(
    server: FaultyServer, fault: Fault, outcome: Outcome
) -> None:
    """Of a message that leaves in many pieces nothing is taken before its last byte, and an early refusal is heard."""
    server.next_fault = always(fault)
    settings = {"total_timeout": timedelta(milliseconds=500)} if fault.hangs else {}
    async with RouteeClient(server.config(**settings)) as client:
        each = await send_and_report(client, standard(new_number(), LARGE))
    await server.drained()
    assert contradictions([each], server.accepted) == []
    assert each.outcome in {outcome, Outcome.UNKNOWN}, each.error
    assert server.accepted.total() == fault.accepts


@pytest.fixture
def one_second() -> Iterator[None]:
    """Raise `TimeoutError` in whatever goes on for so long, a loop that is stuck included."""

    def ring(*_what: object) -> None:
        raise TimeoutError("stuck")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 1)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no alarm")
@pytest.mark.usefixtures("one_second")
async def test_a_long_word_that_is_refused_holds_up_nobody(server: FaultyServer) -> None:
    """The refusal of a text of 200,000 letters without a blank is read at once: a stuck loop stops all other sends."""
    server.next_fault = always(ERROR_STATUSES[422])
    async with RouteeClient(server.config()) as client:
        each = await send_and_report(client, standard(new_number(), "x" * 200_000))
    assert each.outcome is Outcome.REJECTED


async def test_a_flow_that_failed_is_refused(server: FaultyServer) -> None:
    """A failover OTP flow that is answered with 200 and Failed was not taken, and is REJECTED."""
    server.next_fault = always(FAILED_FLOW)
    async with RouteeClient(server.config()) as client:
        each = await send_and_report(client, new_flow(Endpoint.OTP))
    assert contradictions([each], server.accepted) == []
    assert isinstance(each.error, FlowFailed)
    assert server.request_counts[each.number] == 1


def _proven(code: int) -> Outcome:
    """What a status proves of a message, as the documentation has it."""
    return {2: Outcome.ACCEPTED, 3: Outcome.REJECTED, 4: Outcome.REJECTED}.get(code // 100, Outcome.UNKNOWN)


def _answering(code: int) -> tuple[Fault, Outcome]:
    if code < 200:
        says = fixed_response(b"HTTP/1.1 %d So\r\nConnection: close\r\n\r\n" % code)
        return Fault(str(code), response=says, end=End.FIN), Outcome.UNKNOWN
    if code == 204:  # it has no body, and so no receipt
        return status_fault(code, takes=True), Outcome.UNKNOWN
    return status_fault(code, takes=_proven(code) is not Outcome.REJECTED), _proven(code)


async def test_every_status_says_what_it_proves(server: FaultyServer) -> None:
    """Each status from 100 to 599 leads to the outcome that the table has for it, and the count agrees."""
    wrong = []
    async with RouteeClient(server.config(max_attempts=1)) as client:
        for turn in range(scaled(1, maximum=len(ENDPOINTS))):
            for code in range(100, 600):
                fault, outcome = _answering(code)
                server.next_fault = always(fault)
                each = await send_and_report(client, new_flow(ENDPOINTS[(code + turn) % len(ENDPOINTS)]))
                wrong += contradictions([each], server.accepted)
                if each.outcome is not outcome or server.accepted[each.number] != fault.accepts:
                    wrong.append(f"{code} is {each.outcome}, and was taken {server.accepted[each.number]} times")
    assert wrong == []
    assert server.accepted_twice == []


async def _of_each(server_loop: ServerLoop, faults: Iterable[Fault], what: str) -> dict[str, str]:
    """What the first error is where the token service, or whoever is asked, has a fault; for all of them at once."""

    async def one(fault: Fault) -> tuple[str, str]:
        async with FaultyServer(server_loop) as server:
            setattr(server, what, always(fault))
            settings = {"total_timeout": PATIENCE} if fault.hangs else {}
            async with RouteeClient(server.config(**settings)) as client:
                if what == "next_token_fault":
                    each = await send_and_report(client, new_flow())
                    assert contradictions([each], server.accepted) == []
                    assert server.request_counts.total() == 0
                    error: RouteeError | None = each.error
                else:
                    error = await _asked(client)
                    assert error is None or isinstance(error, NoResponse | NotSent | Rejected)
                    assert error is None or error_problems(SendReport("+3069", error.outcome, error)) == []
            return fault.name, type(error).__name__

    return dict(await asyncio.gather(*map(one, faults)))


async def _asked(client: RouteeClient) -> RouteeError | None:
    try:
        await client.track("t-1")
    except RouteeError as error:
        return error
    return None


async def test_without_a_token_nothing_is_sent(server_loop: ServerLoop) -> None:
    """Whatever goes wrong with the token, the message is NOT_SENT and the API hears nothing of it."""
    faults = [*BEFORE_RESPONSE, HALF_CLOSED, *BROKEN_RESPONSES, *UNUSUAL_RESPONSES[1:]]
    errors = await _of_each(server_loop, faults, "next_token_fault")
    assert {name: error for name, error in errors.items() if error != TokenUnavailable.__name__} == {}


async def test_a_question_that_finds_no_answer_says_so(server_loop: ServerLoop) -> None:
    """Whatever goes wrong with a reading call, it ends in a record, or in an error that says it is safe to repeat."""
    errors = await _of_each(
        server_loop, [*BEFORE_RESPONSE, HALF_CLOSED, *BROKEN_RESPONSES, *UNUSUAL_RESPONSES], "next_fault"
    )
    answered = {name for name, error in errors.items() if error == "NoneType"}
    assert answered <= {"a body without an id", *(fault.name for fault in UNUSUAL_RESPONSES)}
    assert len(answered) >= len(UNUSUAL_RESPONSES) - 1
