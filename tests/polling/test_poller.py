"""The poller without a network: what asks is a function here, and a schedule has it ask as often as it may."""

import asyncio
import gc
from collections.abc import Callable

import attrs
import pytest

from routee_failover._polling import PerLoopPollers, recent_callbacks
from routee_failover._polling import poller as poller_module
from routee_failover._polling.poller import Poller
from routee_failover._polling.schedule import PollSchedule
from routee_failover.errors import (
    ClientClosed,
    ConnectFailed,
    Forbidden,
    NoResponse,
    NotFound,
    RateLimited,
    Rejected,
    RouteeError,
    TokenUnavailable,
    WaitTimeout,
)

OFTEN = 10_000.0


class Always(PollSchedule):
    """Asks again at once."""

    def interval_after(self, elapsed: float) -> float:  # noqa: D102
        return 0.001


class Never(PollSchedule):
    """Asks in an hour."""

    def interval_after(self, elapsed: float) -> float:  # noqa: D102
        return 3600.0


@attrs.define
class Flow:
    """A flow that ends when it was asked about so often."""

    ends_after: int = 3
    status: str = "InProgress"
    asked: int = 0
    problems: list[Exception] = attrs.field(factory=list)

    async def ask(self) -> "Flow":
        """Ask about it."""
        self.asked += 1
        if self.problems:
            raise self.problems.pop(0)
        if self.asked >= self.ends_after:
            self.status = "Succeeded"
        return attrs.evolve(self)


def ended(record: Flow) -> bool:
    """Whether it has."""
    return record.status == "Succeeded"


async def wait(poller: Poller, flow: Flow, schedule: PollSchedule | None = None, **how: object) -> Flow:
    """Wait for the end of a flow that Routee is known to have."""
    given = {"accepted": True, "timeout": 10, "until": ended} | how
    record: Flow = await poller.wait("f-1", flow.ask, schedule or Always(), **given)  # type: ignore[arg-type]
    return record


async def test_it_asks_until_the_flow_has_ended() -> None:
    """A wait ends with the first record that satisfies it, and nothing is asked or kept afterwards."""
    poller, flow = Poller(OFTEN), Flow()
    assert ended(await wait(poller, flow))
    assert flow.asked == 3
    await asyncio.sleep(0.02)
    assert flow.asked == 3
    assert not poller._flows
    assert poller._task is not None
    assert poller._task.done()


async def test_one_question_for_all_who_wait() -> None:
    """A hundred who wait for one flow share its questions; one who joins later gets what is known at once."""
    poller, flow = Poller(OFTEN), Flow(ends_after=5)
    waits = [asyncio.create_task(wait(poller, flow)) for _ in range(100)]
    await until(lambda: flow.asked >= 2)
    known = await wait(poller, flow, until=lambda record: record.asked >= 1)
    assert known.asked < 5
    assert all(ended(record) for record in await asyncio.gather(*waits))
    assert flow.asked == 5


async def test_what_arrives_ends_a_wait_at_once() -> None:
    """A record that came without a question ends the wait; one for another flow, or of too little, does not."""
    poller, flow = Poller(OFTEN), Flow()
    waiting = asyncio.create_task(wait(poller, flow, Never()))
    await asyncio.sleep(0)
    poller.notify(["f-2"], Flow(status="Succeeded"))
    poller.notify(["f-1"], Flow(status="Queued"))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    poller.notify(["m-1", "f-1"], Flow(status="Succeeded"))
    assert ended(await waiting)
    assert flow.asked == 0


async def test_the_rate_holds_over_all() -> None:
    """However many flows are waited for, no more is asked than the rate allows, and each flow has its turn."""
    poller = Poller(rate=200)
    flows = [Flow(ends_after=2) for _ in range(20)]
    began = asyncio.get_running_loop().time()
    await asyncio.gather(
        *(
            poller.wait(f"f-{n}", one.ask, Always(), accepted=True, timeout=10, until=ended)
            for n, one in enumerate(flows)
        )
    )
    assert [one.asked for one in flows] == [2] * 20
    assert asyncio.get_running_loop().time() - began >= 39 / 200


async def test_a_slow_answer_holds_up_nobody() -> None:
    """While one question waits for its answer, other flows are asked about; only so many questions are open at once."""
    poller, open_now, most = Poller(OFTEN), 0, 0
    release = asyncio.Event()

    async def slow() -> Flow:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await release.wait()
        open_now -= 1
        return Flow(status="Succeeded")

    waits = [
        asyncio.create_task(poller.wait(f"f-{n}", slow, Always(), accepted=True, timeout=10, until=ended))
        for n in range(40)
    ]
    await until(lambda: open_now == poller_module._MAX_IN_FLIGHT)
    await asyncio.sleep(0.01)
    assert most == poller_module._MAX_IN_FLIGHT
    release.set()
    await asyncio.gather(*waits)


async def test_the_time_is_over() -> None:
    """A wait whose time is over says so, with the last record that was seen."""
    poller, flow = Poller(OFTEN), Flow(ends_after=10**6)
    with pytest.raises(
        WaitTimeout, match=r"f-1 had not reached the awaited status after 0.05 s \(it was last seen InProgress\)"
    ) as told:
        await wait(poller, flow, timeout=0.05)
    assert told.value.record.status == "InProgress"
    assert not poller._flows
    with pytest.raises(TimeoutError, match="no record of it was seen"):
        await wait(poller, flow, Never(), timeout=0)


PASSING: list[Callable[[], RouteeError]] = [
    lambda: ConnectFailed("no"),
    lambda: NoResponse("no", reason="no"),
    lambda: RateLimited("no", status=429),
    lambda: NotFound("no", status=404),
    lambda: Rejected("no", status=408),
    lambda: Rejected("no", status=425),
    lambda: Rejected("no", status=503, retry_after=1.0),
    lambda: TokenUnavailable("no", status=503),
    lambda: TokenUnavailable("no"),
]


@pytest.mark.parametrize("problem", PASSING)
async def test_problems_that_pass_are_borne(problem: Callable[[], RouteeError]) -> None:
    """A question that got no answer is asked again; if the time is over first, the error tells what was wrong."""
    poller = Poller(OFTEN)
    assert ended(await wait(poller, Flow(problems=[problem(), problem()])))
    with pytest.raises(WaitTimeout) as told:
        await wait(poller, Flow(problems=[problem() for _ in range(10_000)]), timeout=0.05)
    assert type(told.value.__cause__) is type(problem())


async def test_problems_that_do_not_pass_end_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """What no further question can change is raised to all who wait: a lacking role, an id that nobody knows."""
    poller = Poller(OFTEN)
    with pytest.raises(Forbidden):
        await wait(poller, Flow(problems=[Forbidden("no", status=403)]))
    for status in (400, 401, 403):
        with pytest.raises(TokenUnavailable):
            await wait(poller, Flow(problems=[TokenUnavailable("no", status=status)]))
    with pytest.raises(NotFound):
        await wait(poller, Flow(problems=[NotFound("no", status=404)]), Never(), accepted=False)
    monkeypatch.setattr(poller_module, "NOT_FOUND_GRACE_SECONDS", 0.0)
    with pytest.raises(NotFound):
        await wait(poller, Flow(problems=[NotFound("no", status=404)]))


async def test_an_error_that_nobody_foresaw() -> None:
    """What goes wrong in a program's own session, for example, is told to all who wait; the next wait asks again."""
    poller, flow = Poller(OFTEN), Flow(problems=[OSError("mine")])
    waits = [asyncio.create_task(wait(poller, flow)) for _ in range(2)]
    for ending in await asyncio.gather(*waits, return_exceptions=True):
        assert isinstance(ending, OSError)
    assert ended(await wait(poller, flow))


async def test_who_knows_more_decides() -> None:
    """One who waits by the receipt brings its ttls, and patience with a flow that is not known yet, to the others."""
    poller, flow = Poller(OFTEN), Flow(problems=[NotFound("no", status=404), NotFound("no", status=404)])
    by_id = asyncio.create_task(wait(poller, flow, accepted=False))
    by_receipt = asyncio.create_task(wait(poller, flow, Always(ttl_ends=(60.0,))))
    again_by_id = asyncio.create_task(wait(poller, flow, accepted=False))
    await asyncio.sleep(0)
    (watch,) = poller._flows.values()
    assert (watch.accepted, watch.schedule.ttl_ends) == (True, (60.0,))
    assert all(ended(record) for record in await asyncio.gather(by_id, by_receipt, again_by_id))


async def test_what_arrived_just_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """A callback that was faster than the wait ends it at once; a minute or a thousand callbacks later it does not."""
    pollers, flow = PerLoopPollers(OFTEN), Flow()
    pollers.notify(["m-1", "f-1"], Flow(status="Succeeded"))
    assert ended(await wait(pollers.for_running_loop(), flow, Never()))
    assert flow.asked == 0
    with monkeypatch.context() as later:
        later.setattr(recent_callbacks, "RETENTION_SECONDS", -1.0)
        with pytest.raises(WaitTimeout):
            await wait(pollers.for_running_loop(), flow, Never(), timeout=0.01)
    pollers.notify([f"other-{n}" for n in range(1000)], Flow(status="Succeeded"))
    with pytest.raises(WaitTimeout):
        await wait(pollers.for_running_loop(), flow, Never(), timeout=0.01)
    await pollers.aclose()


async def test_ten_thousand_flows() -> None:
    """Ten thousand flows are waited for: callbacks end most of the waits, and questions, within the rate, the rest."""
    poller, asked, began = Poller(rate=500.0), 0, asyncio.get_running_loop().time()

    async def ask() -> Flow:
        nonlocal asked
        asked += 1
        return Flow(status="Succeeded")

    waits = [
        asyncio.create_task(
            poller.wait(f"f-{n}", ask, Never() if n % 100 else Always(), accepted=True, timeout=60, until=ended)
        )
        for n in range(10_000)
    ]
    await until(lambda: len(poller._flows) == 10_000)
    for n in range(10_000):
        if n % 100:
            poller.notify([f"f-{n}"], Flow(status="Succeeded"))
    assert all(ended(record) for record in await asyncio.gather(*waits))
    assert asked == 100
    assert asyncio.get_running_loop().time() - began >= 99 / 500
    assert not poller._flows


async def test_a_caller_may_leave() -> None:
    """One who is cancelled leaves the others waiting; when the last one has left, nothing is asked any more."""
    poller, flow = Poller(OFTEN), Flow(ends_after=10**6)
    first, second = (asyncio.create_task(wait(poller, flow)) for _ in range(2))
    await until(lambda: flow.asked > 2)
    first.cancel()
    seen = flow.asked
    await until(lambda: flow.asked > seen)
    second.cancel()
    assert await asyncio.gather(first, second, return_exceptions=True)
    await until(lambda: poller._task is not None and poller._task.done())


async def test_a_rule_of_the_callers_own_may_fail() -> None:
    """An error of the caller's rule is raised to that caller, also when it is a TimeoutError; others wait on."""

    def broken(record: Flow) -> bool:
        raise TimeoutError("mine")

    poller, flow = Poller(OFTEN), Flow(ends_after=5)
    other = asyncio.create_task(wait(poller, flow))
    with pytest.raises(TimeoutError, match="mine") as told:
        await wait(poller, flow, until=broken)
    assert not isinstance(told.value, WaitTimeout)
    assert ended(await other)


async def test_closing_ends_every_wait() -> None:
    """When the client is closed, whoever waits is told, and no task is left."""
    poller, flow = Poller(OFTEN), Flow(ends_after=10**6)
    waits = [asyncio.create_task(wait(poller, flow)) for _ in range(3)]
    await until(lambda: flow.asked > 2)
    await poller.aclose()
    for ending in await asyncio.gather(*waits, return_exceptions=True):
        assert isinstance(ending, ClientClosed)
    assert len(asyncio.all_tasks()) == 1
    gc.collect()


async def test_a_client_that_was_closed_meanwhile() -> None:
    """A question that finds the client closed ends the wait."""
    with pytest.raises(ClientClosed):
        await wait(Poller(OFTEN), Flow(problems=[ClientClosed("closed")]))


async def until(condition: Callable[[], bool]) -> None:
    """Let others run until it holds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # whatever the condition looks at tells nobody
            await asyncio.sleep(0.001)
