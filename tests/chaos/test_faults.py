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

from .backstage import Backstage
from .faults import (
    ALL,
    BEFORE,
    BROKEN_ANSWERS,
    EARLY,
    FAILED_FLOW,
    HALF_CLOSED,
    ODD_ANSWERS,
    REFUSALS,
    WELL,
    WELL_AND_CLOSES,
    End,
    Fault,
    before,
    plain,
    status,
)
from .judge import Told, contradictions, faults_of, told
from .messages import ENDPOINTS, new_flow, new_number, standard
from .scale import many
from .server import FaultyServer, always
from .table import ANSWERS, REFUSED, REQUESTS, Retried, Row

PATIENCE = timedelta(milliseconds=150)
ROWS = [*REQUESTS, *ANSWERS, *REFUSED]


async def _one_each(client: RouteeClient) -> list[Told]:
    return await asyncio.gather(*(told(client, new_flow(endpoint)) for endpoint in ENDPOINTS))


async def _warmed(client: RouteeClient, server: FaultyServer, *, reused: bool) -> None:
    """Get a token, and have as many connections in the pool as there are endpoints, or none."""
    server.fate = always(WELL if reused else WELL_AND_CLOSES)
    async with asyncio.timeout(30):
        while {each.outcome for each in await _one_each(client)} != {Outcome.ACCEPTED}:
            pass


@pytest.mark.parametrize("reused", [False, True], ids=["fresh", "reused"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_what_is_said_of_a_message_agrees_with_the_count(server: FaultyServer, row: Row, reused: bool) -> None:
    """On all four endpoints a fault leads to its outcome, and the server has taken each message as that says."""
    fault = row.fault
    assert fault is not None
    settings = {"total_timeout": PATIENCE} if fault.hangs else {}
    tries = {"tries": 1} if row.retried in {Retried.PAUSE, Retried.STATUS} else {}  # the pauses have tests of their own
    async with RouteeClient(server.config(**settings, **tries)) as client:
        await _warmed(client, server, reused=reused)
        server.forget()
        server.fate = always(fault)
        all_told = await _one_each(client)
    await server.drained()
    assert contradictions(all_told, server.taken) == []
    assert {each.outcome for each in all_told} <= {*row.outcomes}, [each.error for each in all_told]
    for each in all_told:
        assert server.taken[each.number] == (0 if each.outcome is Outcome.NOT_SENT else fault.takes)
        if row.retried is Retried.NO:
            assert server.read[each.number] == (fault.reads == ALL)


LARGE = "word " * 400_000
LARGE_FAULTS = {
    "nothing": (WELL, Outcome.ACCEPTED),
    "RST in the middle": (before("RST in the middle", 1_000_000, End.RST), Outcome.UNKNOWN),
    "FIN in the middle": (before("FIN in the middle", 1_000_000, End.FIN), Outcome.UNKNOWN),
    "no answer": (before("no answer", 1_000_000, End.SILENCE), Outcome.UNKNOWN),
    "413 within the headers": (EARLY[2], Outcome.REJECTED),
}


@pytest.mark.parametrize(("fault", "outcome"), LARGE_FAULTS.values(), ids=LARGE_FAULTS)
async def test_a_large_message_that_breaks_off_is_no_message(
    server: FaultyServer, fault: Fault, outcome: Outcome
) -> None:
    """Of a message that leaves in many pieces nothing is taken before its last byte, and an early refusal is heard."""
    server.fate = always(fault)
    settings = {"total_timeout": timedelta(milliseconds=500)} if fault.hangs else {}
    async with RouteeClient(server.config(**settings)) as client:
        each = await told(client, standard(new_number(), LARGE))
    await server.drained()
    assert contradictions([each], server.taken) == []
    assert each.outcome in {outcome, Outcome.UNKNOWN}, each.error
    assert server.taken.total() == fault.takes


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
    server.fate = always(REFUSALS[422])
    async with RouteeClient(server.config()) as client:
        each = await told(client, standard(new_number(), "x" * 200_000))
    assert each.outcome is Outcome.REJECTED


async def test_a_flow_that_failed_is_refused(server: FaultyServer) -> None:
    """A failover OTP flow that is answered with 200 and Failed was not taken, and is REJECTED."""
    server.fate = always(FAILED_FLOW)
    async with RouteeClient(server.config()) as client:
        each = await told(client, new_flow(Endpoint.OTP))
    assert contradictions([each], server.taken) == []
    assert isinstance(each.error, FlowFailed)
    assert server.read[each.number] == 1


def _proven(code: int) -> Outcome:
    """What a status proves of a message, as the documentation has it."""
    return {2: Outcome.ACCEPTED, 3: Outcome.REJECTED, 4: Outcome.REJECTED}.get(code // 100, Outcome.UNKNOWN)


def _answering(code: int) -> tuple[Fault, Outcome]:
    if code < 200:
        says = plain(b"HTTP/1.1 %d So\r\nConnection: close\r\n\r\n" % code)
        return Fault(str(code), says=says, end=End.FIN), Outcome.UNKNOWN
    if code == 204:  # it has no body, and so no receipt
        return status(code, takes=True), Outcome.UNKNOWN
    return status(code, takes=_proven(code) is not Outcome.REJECTED), _proven(code)


async def test_every_status_says_what_it_proves(server: FaultyServer) -> None:
    """Each status from 100 to 599 leads to the outcome that the table has for it, and the count agrees."""
    wrong = []
    async with RouteeClient(server.config(max_attempts=1)) as client:
        for turn in range(many(1, most=len(ENDPOINTS))):
            for code in range(100, 600):
                fault, outcome = _answering(code)
                server.fate = always(fault)
                each = await told(client, new_flow(ENDPOINTS[(code + turn) % len(ENDPOINTS)]))
                wrong += contradictions([each], server.taken)
                if each.outcome is not outcome or server.taken[each.number] != fault.takes:
                    wrong.append(f"{code} is {each.outcome}, and was taken {server.taken[each.number]} times")
    assert wrong == []
    assert server.twice == []


async def _of_each(stage: Backstage, faults: Iterable[Fault], what: str) -> dict[str, str]:
    """What the first error is where the token service, or whoever is asked, has a fault; for all of them at once."""

    async def one(fault: Fault) -> tuple[str, str]:
        async with FaultyServer(stage) as server:
            setattr(server, what, always(fault))
            settings = {"total_timeout": PATIENCE} if fault.hangs else {}
            async with RouteeClient(server.config(**settings)) as client:
                if what == "token_fate":
                    each = await told(client, new_flow())
                    assert contradictions([each], server.taken) == []
                    assert server.read.total() == 0
                    error: RouteeError | None = each.error
                else:
                    error = await _asked(client)
                    assert error is None or isinstance(error, NoResponse | NotSent | Rejected)
                    assert error is None or faults_of(Told("+3069", error.outcome, error)) == []
            return fault.name, type(error).__name__

    return dict(await asyncio.gather(*map(one, faults)))


async def _asked(client: RouteeClient) -> RouteeError | None:
    try:
        await client.track("t-1")
    except RouteeError as error:
        return error
    return None


async def test_without_a_token_nothing_is_sent(stage: Backstage) -> None:
    """Whatever goes wrong with the token, the message is NOT_SENT and the API hears nothing of it."""
    faults = [*BEFORE, HALF_CLOSED, *BROKEN_ANSWERS, *ODD_ANSWERS[1:]]
    errors = await _of_each(stage, faults, "token_fate")
    assert {name: error for name, error in errors.items() if error != TokenUnavailable.__name__} == {}


async def test_a_question_that_finds_no_answer_says_so(stage: Backstage) -> None:
    """Whatever goes wrong with a reading call, it ends in a record, or in an error that says it is safe to repeat."""
    errors = await _of_each(stage, [*BEFORE, HALF_CLOSED, *BROKEN_ANSWERS, *ODD_ANSWERS], "fate")
    answered = {name for name, error in errors.items() if error == "NoneType"}
    assert answered <= {"a body without an id", *(fault.name for fault in ODD_ANSWERS)}
    assert len(answered) >= len(ODD_ANSWERS) - 1
