"""`confirm`: an end is told and handed out only once Routee says so itself, and then in Routee's own record."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from routee_failover import CallbackInbox, FlowRecord, NoResponse, NotFound, OtpRecord, ReceiveResult
from routee_failover.webhooks import confirmation

from .payloads import Json, flow, inbound, otp
from .recorders import Heard, Notes

Confirm = Callable[[Any], Awaitable[Any]]


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of milliseconds."""
    monkeypatch.setattr(confirmation, "_INITIAL_DELAY", 0.01)
    monkeypatch.setattr(confirmation, "_MAX_DELAY", 0.02)


class Routee:
    """What tracking answers, one after the other, the last one for ever; an exception is raised."""

    def __init__(self, *answers: Json | BaseException | None) -> None:
        self._answers = list(answers)
        self.asked: list[Any] = []

    async def track(self, record: FlowRecord | OtpRecord) -> Any:
        """The next answer."""
        self.asked.append(record)
        answer = self._answers[0] if len(self._answers) == 1 else self._answers.pop(0)
        await asyncio.sleep(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer and (FlowRecord if "trackingId" in answer else OtpRecord).from_dict(answer)


async def test_an_end_that_is_true() -> None:
    """Of an end that Routee confirms, its own record is told and handed out; what is no end is not asked for."""
    told: list[Any] = []
    routee = Routee(flow("Succeeded", 6, "SEEN", totalPrice=0.5))
    async with CallbackInbox(confirm=routee.track, notify=told.append) as inbox:
        heard = Heard(inbox)
        shapes = (flow("InProgress", 1, "QUEUED"), inbound(), flow("Succeeded", 5, "DELIVERED"))
        assert [inbox.receive(shape, reference="login") for shape in shapes] == ["taken"] * 3
        assert [record.status for record in told] == ["InProgress"]
        progress, _, end = await heard.count(3)
    assert [event.confirmed for event in heard.events] == [False, False, True]
    assert (end.record.total_price, end.reference, end.received_at >= progress.received_at) == (0.5, "login", True)
    assert told[-1] is end.record
    assert [record.status for record in routee.asked] == ["Succeeded"]


async def test_an_otp_that_is_true() -> None:
    """The end of a one-time password is confirmed likewise."""
    async with CallbackInbox(confirm=Routee(otp("Succeeded", "DELIVERED")).track) as inbox:
        heard = Heard(inbox)
        inbox.receive(otp("Succeeded", "DELIVERED"))
        assert (await heard.count(1))[0].confirmed
        assert inbox.receive(otp("Succeeded", "DELIVERED")) is ReceiveResult.DUPLICATE


@pytest.mark.parametrize(
    "answer",
    [
        NoResponse("it", reason="lost"),
        NotFound("not yet", status=404),
        OSError(),
        asyncio.CancelledError(),
        flow("InProgress", 4, "QUEUED"),
        flow("Succeeded", 5, identity="another"),
        otp("Succeeded"),
        None,
    ],
    ids=repr,
)
async def test_routee_is_asked_again(answer: Any) -> None:
    """While Routee cannot be reached, or does not say so yet, it is asked again."""
    routee = Routee(answer, answer, flow("Succeeded", 5))
    async with CallbackInbox(confirm=routee.track) as inbox:
        heard = Heard(inbox)
        inbox.receive(flow("Succeeded", 5))
        assert (await heard.count(1))[0].confirmed
    assert len(routee.asked) == 3


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (flow("InProgress", 4), "not confirmed: Routee does not say so"),
        (NoResponse("739164", reason="739164"), "not confirmed: asking Routee ended in NoResponse"),
    ],
)
async def test_an_end_that_is_never_confirmed(answer: Any, why: str) -> None:
    """After `confirm_timeout` it is dropped, which observers are told; the next callback is taken as if it was first."""
    notes, within = Notes(), timedelta(seconds=0.1)
    routee = Routee(answer)
    async with CallbackInbox(confirm=routee.track, confirm_timeout=within, observers=[notes]) as inbox:
        heard = Heard(inbox)
        inbox.receive(flow("Failed", 5))
        await asyncio.wait_for(notes.told.wait(), 10)
        assert notes.dropped == [("t-1", why, True)]
        assert (inbox.pending, heard.events) == (0, [])
        assert len(routee.asked) >= 2
        assert inbox.receive(flow("InProgress", 6, "QUEUED")) is ReceiveResult.NEW
        routee.__init__(flow("Succeeded", 9, "DELIVERED"))  # type: ignore[misc]
        assert inbox.receive(flow("Failed", 5)) is ReceiveResult.NEW
        assert (await heard.count(2))[1].record.status == "Succeeded"


async def test_a_question_that_hangs() -> None:
    """A question without an answer ends with `confirm_timeout`."""
    notes = Notes()

    async def hang(_record: object) -> Any:
        await asyncio.Event().wait()

    async with CallbackInbox(confirm=hang, confirm_timeout=timedelta(seconds=0.05), observers=[notes]) as inbox:
        inbox.receive(flow("Succeeded"))
    assert notes.dropped == [("t-1", "not confirmed: asking Routee ended in TimeoutError", True)]


async def test_a_forged_end_does_not_hide_the_true_one() -> None:
    """What Routee says counts, whichever end came first, and each end is handed out once."""
    notes = Notes()
    routee = Routee(flow("InProgress", 1), flow("Succeeded", 5, "DELIVERED"))
    async with CallbackInbox(confirm=routee.track, observers=[notes]) as inbox:
        heard = Heard(inbox)
        assert inbox.receive(flow("Failed", 0)) is ReceiveResult.NEW
        assert inbox.receive(flow("InProgress", 1, "QUEUED")) is ReceiveResult.NEW
        assert inbox.receive(flow("Succeeded", 5, "DELIVERED")) is ReceiveResult.NEW
        await heard.count(2)
        assert inbox.receive(flow("Succeeded", 5, "DELIVERED")) is ReceiveResult.DUPLICATE
        assert inbox.receive(flow("Failed", 0)) is ReceiveResult.DUPLICATE
        assert inbox.receive(flow("Failed", 7)) is ReceiveResult.STALE
    assert heard.said == ["InProgress", "Succeeded"]
    assert len(routee.asked) == 2


async def test_an_end_told_again_is_asked_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Callbacks about the same end share the question; each of them starts its time anew, and asks soon."""
    monkeypatch.setattr(confirmation, "_MAX_DELAY", 60.0)
    monkeypatch.setattr(confirmation, "_INITIAL_DELAY", 60.0)
    routee = Routee(flow("InProgress", 1), flow("Succeeded", 5))
    async with CallbackInbox(confirm=routee.track) as inbox:
        heard = Heard(inbox)
        inbox.receive(flow("Succeeded", 5))
        inbox.receive(flow("Succeeded", 5))
        await asyncio.wait(inbox._tasks)
        monkeypatch.setattr(confirmation, "_INITIAL_DELAY", 0.01)
        assert inbox.receive(flow("Succeeded", 5)) is ReceiveResult.NEW
        await heard.count(1)
    assert (len(routee.asked), heard.said) == (2, ["Succeeded"])


async def test_an_end_told_without_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Callbacks that come faster than the first pause do not put the question off."""
    monkeypatch.setattr(confirmation, "_INITIAL_DELAY", 0.2)
    routee = Routee(flow("InProgress", 1), flow("Succeeded", 5))
    async with CallbackInbox(confirm=routee.track) as inbox:
        heard = Heard(inbox)
        async with asyncio.timeout(10):
            while not heard.events:
                inbox.receive(flow("Succeeded", 5))
                await asyncio.sleep(0.01)
    assert heard.said == ["Succeeded"]


async def test_what_waits_for_proof_takes_room() -> None:
    """Ends that wait for proof count: who has flooded the inbox with made-up ones fills no memory."""
    routee = Routee(NoResponse("it", reason="lost"))
    notes = Notes()
    inbox = CallbackInbox(confirm=routee.track, capacity=2, shutdown_timeout=timedelta(seconds=0.05), observers=[notes])
    arrivals = [inbox.receive(flow("Failed", 1, identity=str(number))) for number in range(4)]
    assert arrivals == ["taken", "taken", "no room", "no room"]
    assert inbox.pending == 2
    await inbox.aclose()
    assert {reason for _, reason, _ in notes.dropped} == {"the inbox closed before it was handled"}
    assert inbox.pending == 0


async def test_closing_between_two_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A question that is due later is not asked once the inbox has closed."""
    monkeypatch.setattr(confirmation, "_INITIAL_DELAY", 0.1)
    routee = Routee(flow("InProgress", 1))
    notes = Notes()
    inbox = CallbackInbox(confirm=routee.track, shutdown_timeout=timedelta(seconds=0.02), observers=[notes])
    inbox.receive(flow("Succeeded", 5))
    await asyncio.wait(inbox._tasks)
    await inbox.aclose()
    await asyncio.sleep(0.15)
    assert (len(routee.asked), [lost for _, _, lost in notes.dropped]) == (1, [True])


async def test_closing_waits_for_proof() -> None:
    """What is confirmed while the inbox closes is handed out, to a loop as well."""
    inbox = CallbackInbox(confirm=Routee(flow("InProgress", 1), flow("Succeeded", 5)).track)
    loop = asyncio.create_task(anext(inbox))
    await asyncio.sleep(0)
    inbox.receive(flow("Succeeded", 5))
    await inbox.aclose()
    assert (await loop).confirmed


async def test_closing_in_the_middle_of_a_question() -> None:
    """A question that is still out when the grace ends is given up, though it may answer; the end is told of."""
    notes = Notes()

    async def hang(_record: object) -> Any:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            return FlowRecord.from_dict(flow("Succeeded", 5))

    inbox = CallbackInbox(confirm=hang, shutdown_timeout=timedelta(seconds=0.05), observers=[notes])
    heard = Heard(inbox)
    inbox.receive(flow("Succeeded", 5))
    await inbox.aclose()
    assert [lost for _, _, lost in notes.dropped] == [True]
    assert heard.events == []


async def test_an_end_that_was_handed_out_meanwhile() -> None:
    """Where Routee's record turns out to be what was handed out already, it is not handed out again."""
    notes, go = Notes(), asyncio.Event()

    async def track(_record: object) -> FlowRecord:
        await go.wait()
        return FlowRecord.from_dict(flow("Succeeded", 3, "SEEN"))

    async with CallbackInbox(confirm=track, observers=[notes]) as inbox:
        heard = Heard(inbox)
        go.set()
        inbox.receive(flow("Succeeded", 3, "DELIVERED"))
        await heard.count(1)
        inbox.receive(flow("Succeeded", 5, "DELIVERED", totalPrice=1))
    assert heard.said == ["Succeeded"]
    assert notes.dropped == [("t-1", "repeated", False)]
