"""Keep-alive: an idle timeout announced by a server is applied if it is shorter than the configured one."""

import asyncio
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routee_failover import Outcome
from routee_failover._transport.aiohttp_api import BaseConnector, shorten_idle_timeout
from routee_failover._transport.executor import Executor
from routee_failover._transport.headers import MIN_IDLE_TIMEOUT, announced_idle_timeout
from routee_failover.outcomes import outcome_of

from .event_loops import on_every_loop
from .raw_server import AttemptRunner, Handler, RawServer, Reader, Writer, attempt_runner, http, read_request


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("timeout=5", 4.0),
        ("timeout=5, max=1000", 4.0),
        ("max=1000, timeout=5", 4.0),
        ("max=1000;Timeout = 5", 4.0),
        ('timeout="5"', 4.0),
        ("timeout=2", 1.0),
        ("timeout=1", MIN_IDLE_TIMEOUT),
        ("timeout=0", MIN_IDLE_TIMEOUT),
        ("timeout=-1", None),
        ("timeout=", None),
        ("timeout=soon", None),
        ("timeout=5.5", 4.0),
        ("timeout=²", None),
        ("max=1000", None),
        ("idle-timeout=5", None),
        ("", None),
        ("timeout=" + "9" * 5_000, None),
    ],
)
def test_announced_timeout_is_lowered_by_one_second_with_a_minimum(header: str, seconds: float | None) -> None:
    """One second less than the server announces, at least half a second; an invalid announcement is ignored."""
    assert announced_idle_timeout(header) == seconds


@given(st.text(max_size=60))
def test_any_keep_alive_header_is_parsed_without_an_error(header: str) -> None:
    """Whatever a server announces, parsing it raises nothing."""
    seconds = announced_idle_timeout(header)
    assert seconds is None or seconds >= MIN_IDLE_TIMEOUT


def _connector(runner: AttemptRunner) -> BaseConnector:
    assert isinstance(runner.executor, Executor)
    return runner.executor.connector


def _idle_timeout(runner: AttemptRunner) -> float:
    """Return how long the pool keeps an idle connection: aiohttp has no public way to read or set it."""
    return _connector(runner)._keepalive_timeout  # type: ignore[return-value]


@on_every_loop
async def test_idle_timeout_follows_the_shortest_announcement_and_never_rises() -> None:
    """The shortest announcement applies from then on; aiohttp must still have the attribute that holds it."""
    announcements = ["timeout=60", "max=5", "timeout=3", "timeout=4", "timeout=2"]
    idle_timeouts: list[float] = []

    async def handler(reader: Reader, writer: Writer) -> None:
        while await read_request(reader):
            writer.write(http("200 OK", b"{}", f"Keep-Alive: {announcements[len(idle_timeouts)]}"))

    async with (
        RawServer(handler) as server,
        attempt_runner(server.config(keepalive_expiry=timedelta(seconds=4))) as runner,
    ):
        assert _idle_timeout(runner) == 4
        for _ in announcements:
            await runner.run(server.url)
            idle_timeouts.append(_idle_timeout(runner))
    assert idle_timeouts == [4, 4, 2, 2, 1]


@on_every_loop
async def test_shorter_configured_idle_timeout_is_kept() -> None:
    """The configured value is never raised, not even to the lower bound of an announcement."""
    async with (
        RawServer(_announcing("timeout=0")) as server,
        attempt_runner(server.config(keepalive_expiry=timedelta(milliseconds=100))) as runner,
    ):
        await runner.run(server.url)
        assert _idle_timeout(runner) == 0.1


def _announcing(announcement: str) -> Handler:
    """Announce an idle timeout and close the connection after one second; without an announcement, keep it open."""

    async def handler(reader: Reader, writer: Writer) -> None:
        extra_headers = [f"Keep-Alive: {announcement}"] if announcement else []
        if announcement:
            asyncio.get_running_loop().call_later(1.0, writer.close)
        while await read_request(reader):
            writer.write(http("200 OK", b"{}", *extra_headers))

    return handler


@pytest.mark.parametrize(("announcement", "connections"), [("timeout=1", 2), ("", 1)], ids=["announced", "silent"])
@on_every_loop
async def test_idle_connection_is_dropped_before_the_server_closes_it(announcement: str, connections: int) -> None:
    """A later message uses a new connection while the old one is still open at the server."""
    async with RawServer(_announcing(announcement)) as server, attempt_runner(server.config()) as runner:
        assert outcome_of(await runner.run(server.url)) is Outcome.ACCEPTED
        await asyncio.sleep(0.6)
        assert outcome_of(await runner.run(server.url)) is Outcome.ACCEPTED
    assert server.connections == connections


async def test_announcement_is_ignored_if_aiohttp_has_renamed_the_attribute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the attribute an announcement is ignored."""
    async with RawServer(_announcing("timeout=2")) as server, attempt_runner(server.config()) as runner:
        connector = _connector(runner)
        monkeypatch.delattr(connector, "_keepalive_timeout")
        shorten_idle_timeout(connector, 1.0)
        assert not hasattr(connector, "_keepalive_timeout")
        monkeypatch.undo()
