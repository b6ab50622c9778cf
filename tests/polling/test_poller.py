"""Poller, without a network: records come from a function, and schedules poll immediately or never."""

import asyncio
import gc
from collections.abc import Callable

import attrs
import pytest

from routee_failover._polling import PerLoopPollers, recent_callbacks
from routee_failover._polling import poller as poller_module
from routee_failover._polling.poller import Poller
from routee_failover._polling.schedule import PollSchedule
from routee_failover._tasks import wait_for_tasks
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

NO_LIMIT = 10_000.0


class Immediately(PollSchedule):
    """Schedule with an interval of a millisecond."""

    def interval_after(self, elapsed: float) -> float:  # noqa: D102
        return 0.001


class Hourly(PollSchedule):
    """Schedule with an interval of an hour."""

    def interval_after(self, elapsed: float) -> float:  # noqa: D102
        return 3600.0


@attrs.define
class Flow:
    """A flow that becomes final after it was fetched `ends_after` times."""

    ends_after: int = 3
    status: str = "InProgress"
    fetches: int = 0
    errors: list[Exception] = attrs.field(factory=list)

    async def fetch(self) -> "Flow":
        """Return a copy of it, or raise the next error."""
        self.fetches += 1
        if self.errors:
            raise self.errors.pop(0)
        if self.fetches >= self.ends_after:
            self.status = "Succeeded"
        return attrs.evolve(self)


def is_final(record: Flow) -> bool:
    """Return whether the flow is final."""
    return record.status == "Succeeded"


async def wait(poller: Poller, flow: Flow, schedule: PollSchedule | None = None, **changes: object) -> Flow:
    """Wait until a flow that Routee has accepted is final."""
    arguments = {"accepted": True, "timeout": 10, "until": is_final} | changes
    record: Flow = await poller.wait("f-1", flow.fetch, schedule or Immediately(), **arguments)  # type: ignore[arg-type]
    return record


async def test_flow_is_polled_until_it_is_final() -> None:
    """A wait ends with the first record that satisfies it, and nothing is polled or kept afterwards."""
    poller, flow = Poller(NO_LIMIT), Flow()
    assert is_final(await wait(poller, flow))
    assert flow.fetches == 3
    await asyncio.sleep(0.02)
    assert flow.fetches == 3
    assert not poller._flows
    assert poller._task is not None
    assert poller._task.done()


async def test_waiters_of_one_flow_share_its_polls() -> None:
    """A hundred waiters of one flow share its polls; a later one gets the last record at once."""
    poller, flow = Poller(NO_LIMIT), Flow(ends_after=5)
    waits = [asyncio.create_task(wait(poller, flow)) for _ in range(100)]
    await until(lambda: flow.fetches >= 2)
    record = await wait(poller, flow, until=lambda record: record.fetches >= 1)
    assert record.fetches < 5
    assert all(is_final(record) for record in await asyncio.gather(*waits))
    assert flow.fetches == 5


async def test_notified_record_ends_a_wait_at_once() -> None:
    """A record that arrives by callback ends the wait; one of another flow, or one that is not final, does not."""
    poller, flow = Poller(NO_LIMIT), Flow()
    waiting = asyncio.create_task(wait(poller, flow, Hourly()))
    await asyncio.sleep(0)
    poller.notify(["f-2"], Flow(status="Succeeded"))
    poller.notify(["f-1"], Flow(status="Queued"))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    poller.notify(["m-1", "f-1"], Flow(status="Succeeded"))
    assert is_final(await waiting)
    assert flow.fetches == 0


async def test_rate_limit_covers_all_flows() -> None:
    """However many flows have waiters, the polls stay within the rate, and every flow is polled."""
    poller = Poller(rate=200)
    flows = [Flow(ends_after=2) for _ in range(20)]
    started_at = asyncio.get_running_loop().time()
    await asyncio.gather(
        *(
            poller.wait(f"f-{n}", flow.fetch, Immediately(), accepted=True, timeout=10, until=is_final)
            for n, flow in enumerate(flows)
        )
    )
    assert [flow.fetches for flow in flows] == [2] * 20
    assert asyncio.get_running_loop().time() - started_at >= 39 / 200


async def test_slow_response_does_not_delay_other_flows() -> None:
    """While one poll is in flight other flows are polled; the number of polls in flight is bounded."""
    poller, in_flight, max_in_flight = Poller(NO_LIMIT), 0, 0
    release = asyncio.Event()

    async def fetch_slowly() -> Flow:
        nonlocal in_flight, max_in_flight
        in_flight += 1
        max_in_flight = max(max_in_flight, in_flight)
        await release.wait()
        in_flight -= 1
        return Flow(status="Succeeded")

    waits = [
        asyncio.create_task(
            poller.wait(f"f-{n}", fetch_slowly, Immediately(), accepted=True, timeout=10, until=is_final)
        )
        for n in range(40)
    ]
    await until(lambda: in_flight == poller_module._MAX_IN_FLIGHT)
    await asyncio.sleep(0.01)
    assert max_in_flight == poller_module._MAX_IN_FLIGHT
    release.set()
    await asyncio.gather(*waits)


async def test_wait_timeout_holds_the_last_record() -> None:
    """A wait that exceeds its timeout raises WaitTimeout with the last record seen."""
    poller, flow = Poller(NO_LIMIT), Flow(ends_after=10**6)
    with pytest.raises(
        WaitTimeout, match=r"f-1 had not reached the awaited status after 0.05 s \(it was last seen InProgress\)"
    ) as caught:
        await wait(poller, flow, timeout=0.05)
    assert caught.value.record.status == "InProgress"
    assert not poller._flows
    with pytest.raises(TimeoutError, match="no record of it was seen"):
        await wait(poller, flow, Hourly(), timeout=0)


TRANSIENT: list[Callable[[], RouteeError]] = [
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


@pytest.mark.parametrize("make_error", TRANSIENT)
async def test_transient_errors_are_polled_through(make_error: Callable[[], RouteeError]) -> None:
    """A failed poll is repeated; if the timeout passes first, the last error is the cause of WaitTimeout."""
    poller = Poller(NO_LIMIT)
    assert is_final(await wait(poller, Flow(errors=[make_error(), make_error()])))
    with pytest.raises(WaitTimeout) as caught:
        await wait(poller, Flow(errors=[make_error() for _ in range(10_000)]), timeout=0.05)
    assert type(caught.value.__cause__) is type(make_error())


async def test_permanent_errors_end_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that no further poll can change is raised to all waiters: a missing role, an unknown id."""
    poller = Poller(NO_LIMIT)
    with pytest.raises(Forbidden):
        await wait(poller, Flow(errors=[Forbidden("no", status=403)]))
    for status in (400, 401, 403):
        with pytest.raises(TokenUnavailable):
            await wait(poller, Flow(errors=[TokenUnavailable("no", status=status)]))
    with pytest.raises(NotFound):
        await wait(poller, Flow(errors=[NotFound("no", status=404)]), Hourly(), accepted=False)
    monkeypatch.setattr(poller_module, "NOT_FOUND_GRACE_SECONDS", 0.0)
    with pytest.raises(NotFound):
        await wait(poller, Flow(errors=[NotFound("no", status=404)]))


async def test_unexpected_error_is_raised_to_all_waiters() -> None:
    """An error of a custom session, for example, is raised to all waiters; the next wait polls again."""
    poller, flow = Poller(NO_LIMIT), Flow(errors=[OSError("mine")])
    waits = [asyncio.create_task(wait(poller, flow)) for _ in range(2)]
    for error in await asyncio.gather(*waits, return_exceptions=True):
        assert isinstance(error, OSError)
    assert is_final(await wait(poller, flow))


async def test_waiter_with_a_receipt_improves_the_schedule_of_all() -> None:
    """A wait by receipt adds its ttls, and the tolerance of a 404 after acceptance, for the other waiters."""
    poller, flow = Poller(NO_LIMIT), Flow(errors=[NotFound("no", status=404), NotFound("no", status=404)])
    by_id = asyncio.create_task(wait(poller, flow, accepted=False))
    by_receipt = asyncio.create_task(wait(poller, flow, Immediately(ttl_ends=(60.0,))))
    second_by_id = asyncio.create_task(wait(poller, flow, accepted=False))
    await asyncio.sleep(0)
    (polled_flow,) = poller._flows.values()
    assert (polled_flow.accepted, polled_flow.schedule.ttl_ends) == (True, (60.0,))
    assert all(is_final(record) for record in await asyncio.gather(by_id, by_receipt, second_by_id))


async def test_recent_callback_ends_a_later_wait_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A callback before the wait ends it at once, unless a minute or a thousand callbacks have passed."""
    pollers, flow = PerLoopPollers(NO_LIMIT), Flow()
    pollers.notify(["m-1", "f-1"], Flow(status="Succeeded"))
    assert is_final(await wait(pollers.for_running_loop(), flow, Hourly()))
    assert flow.fetches == 0
    with monkeypatch.context() as later:
        later.setattr(recent_callbacks, "RETENTION_SECONDS", -1.0)
        with pytest.raises(WaitTimeout):
            await wait(pollers.for_running_loop(), flow, Hourly(), timeout=0.01)
    pollers.notify([f"other-{n}" for n in range(1000)], Flow(status="Succeeded"))
    with pytest.raises(WaitTimeout):
        await wait(pollers.for_running_loop(), flow, Hourly(), timeout=0.01)
    await wait_for_tasks(pollers.close())


async def test_ten_thousand_flows_stay_within_the_rate() -> None:
    """Of ten thousand flows, callbacks end most of the waits, and polls within the rate end the others."""
    poller, fetches, started_at = Poller(rate=500.0), 0, asyncio.get_running_loop().time()

    async def fetch() -> Flow:
        nonlocal fetches
        fetches += 1
        return Flow(status="Succeeded")

    waits = [
        asyncio.create_task(
            poller.wait(
                f"f-{n}", fetch, Hourly() if n % 100 else Immediately(), accepted=True, timeout=60, until=is_final
            )
        )
        for n in range(10_000)
    ]
    await until(lambda: len(poller._flows) == 10_000)
    for n in range(10_000):
        if n % 100:
            poller.notify([f"f-{n}"], Flow(status="Succeeded"))
    assert all(is_final(record) for record in await asyncio.gather(*waits))
    assert fetches == 100
    assert asyncio.get_running_loop().time() - started_at >= 99 / 500
    assert not poller._flows


async def test_cancelled_waiter_does_not_stop_the_polls_of_others() -> None:
    """Cancelling one waiter leaves the others; after the last one the polling stops."""
    poller, flow = Poller(NO_LIMIT), Flow(ends_after=10**6)
    first, second = (asyncio.create_task(wait(poller, flow)) for _ in range(2))
    await until(lambda: flow.fetches > 2)
    first.cancel()
    fetches_so_far = flow.fetches
    await until(lambda: flow.fetches > fetches_so_far)
    second.cancel()
    assert await asyncio.gather(first, second, return_exceptions=True)
    await until(lambda: poller._task is not None and poller._task.done())


async def test_error_of_the_predicate_is_raised_to_its_caller_only() -> None:
    """An error of a caller's predicate is raised to that caller, even a TimeoutError; the others keep waiting."""

    def failing_predicate(record: Flow) -> bool:
        raise TimeoutError("mine")

    poller, flow = Poller(NO_LIMIT), Flow(ends_after=5)
    other = asyncio.create_task(wait(poller, flow))
    with pytest.raises(TimeoutError, match="mine") as caught:
        await wait(poller, flow, until=failing_predicate)
    assert not isinstance(caught.value, WaitTimeout)
    assert is_final(await other)


async def test_closing_fails_every_wait_with_client_closed() -> None:
    """When the client closes, every waiter gets ClientClosed, and no task is left."""
    poller, flow = Poller(NO_LIMIT), Flow(ends_after=10**6)
    waits = [asyncio.create_task(wait(poller, flow)) for _ in range(3)]
    await until(lambda: flow.fetches > 2)
    await wait_for_tasks(poller.close())
    for error in await asyncio.gather(*waits, return_exceptions=True):
        assert isinstance(error, ClientClosed)
    assert len(asyncio.all_tasks()) == 1
    gc.collect()


async def test_poll_with_a_closed_client_ends_the_wait() -> None:
    """A poll that raises ClientClosed ends the wait."""
    with pytest.raises(ClientClosed):
        await wait(Poller(NO_LIMIT), Flow(errors=[ClientClosed("closed")]))


async def until(condition: Callable[[], bool]) -> None:
    """Let other tasks run until the condition holds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # there is no event to wait for
            await asyncio.sleep(0.001)
