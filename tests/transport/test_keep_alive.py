"""A server that says how long it keeps a connection is believed, as far as that is shorter than what was configured."""

import asyncio
from datetime import timedelta

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routee_failover import Outcome
from routee_failover._transport.keep_alive import MIN_IDLE_TIMEOUT, announced_idle_timeout, apply_keep_alive
from routee_failover.outcomes import outcome_of

from .event_loops import on_every_loop
from .raw_server import Behaving, Bench, RawServer, Reader, Writer, bench, http, read_request


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
def test_what_a_server_announces(header: str, seconds: float | None) -> None:
    """A second less than what the server says, half a second at least; nonsense says nothing."""
    assert announced_idle_timeout(header) == seconds


@given(st.text(max_size=60))
def test_no_header_breaks_an_answer(header: str) -> None:
    """Whatever a server says, reading it raises nothing."""
    seconds = announced_idle_timeout(header)
    assert seconds is None or seconds >= MIN_IDLE_TIMEOUT


def _kept(made: Bench) -> float:
    """How long the pool keeps a connection: aiohttp has no public way to ask, or to say."""
    return made.session.connector._keepalive_timeout  # type: ignore[union-attr, return-value]


@on_every_loop
async def test_the_time_is_lowered_and_never_raised() -> None:
    """The shortest announcement counts from then on; aiohttp must still have the attribute that holds it."""
    announcements = ["timeout=60", "max=5", "timeout=3", "timeout=4", "timeout=2"]
    kept: list[float] = []

    async def behave(reader: Reader, writer: Writer) -> None:
        while await read_request(reader):
            writer.write(http("200 OK", b"{}", f"Keep-Alive: {announcements[len(kept)]}"))

    async with RawServer(behave) as server, bench(server.config(keepalive_expiry=timedelta(seconds=4))) as made:
        assert _kept(made) == 4
        for _ in announcements:
            await made.tried(server.url)
            kept.append(_kept(made))
    assert kept == [4, 4, 2, 2, 1]


@on_every_loop
async def test_a_configured_time_that_is_shorter_stays() -> None:
    """What was configured is never raised, not even to the least that an announcement can mean."""
    async with (
        RawServer(_keeping("timeout=0")) as server,
        bench(server.config(keepalive_expiry=timedelta(milliseconds=100))) as made,
    ):
        await made.tried(server.url)
        assert _kept(made) == 0.1


def _keeping(announcement: str) -> Behaving:
    """Announce how long a connection is kept, and keep it for a second; without a word, keep it."""

    async def behave(reader: Reader, writer: Writer) -> None:
        said = [f"Keep-Alive: {announcement}"] if announcement else []
        if announcement:
            asyncio.get_running_loop().call_later(1.0, writer.close)
        while await read_request(reader):
            writer.write(http("200 OK", b"{}", *said))

    return behave


@pytest.mark.parametrize(("announcement", "connections"), [("timeout=1", 2), ("", 1)], ids=["announced", "silent"])
@on_every_loop
async def test_an_idle_connection_is_left_before_the_server_closes_it(announcement: str, connections: int) -> None:
    """A message that follows late goes over a fresh connection, while the old one is still open at the server."""
    async with RawServer(_keeping(announcement)) as server, bench(server.config()) as made:
        assert outcome_of(await made.tried(server.url)) is Outcome.ACCEPTED
        await asyncio.sleep(0.6)
        assert outcome_of(await made.tried(server.url)) is Outcome.ACCEPTED
    assert server.connections == connections


async def test_an_aiohttp_that_keeps_it_elsewhere_breaks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is nothing to lower, or no connector any more, an announcement is left."""
    async with aiohttp.ClientSession() as session:
        monkeypatch.delattr(session.connector, "_keepalive_timeout")
        apply_keep_alive({"Keep-Alive": "timeout=2"}, session)
        assert not hasattr(session.connector, "_keepalive_timeout")
    assert session.connector is None
    apply_keep_alive({"Keep-Alive": "timeout=2"}, session)
