"""Callers who leave: before the first byte nothing is sent, after it the send goes on alone and its outcome is told."""

import asyncio

import pytest

from routee_failover import Outcome
from routee_failover.observe import AttemptEnded, AttemptStarted
from routee_failover.transport import Call, Transport
from routee_failover.transport.line import Line
from tests.client.routee import until

from .raw import GET, POST, Door, Notes, RawServer, opened


def line_of(transport: Transport) -> Line:
    """What a transport holds in this loop."""
    return transport._lines[asyncio.get_running_loop()]


def turns_taken(transport: Transport) -> int:
    """How many turns are taken."""
    return line_of(transport)._turns._pacer._all.under_way


async def settled(transport: Transport) -> None:
    """Wait until nothing is under way."""
    await until(lambda: not line_of(transport)._under_way._tasks)


@pytest.mark.parametrize("call", [POST, GET], ids=["send", "read"])
@pytest.mark.parametrize("warm", [True, False], ids=["warm", "cold"])
async def test_a_caller_may_leave_in_any_moment(warm: bool, call: Call) -> None:
    """Cancelled in any turn of the loop: observers are told exactly what the server saw, and the turn comes back."""
    door = Door()
    async with RawServer(door) as server:
        for steps in range(1, 61):
            await _left_after(steps, server, door, call, warm=warm)


async def _left_after(steps: int, server: RawServer, door: Door, call: Call, *, warm: bool) -> None:
    notes = Notes()
    async with opened(server, observers=[notes]) as transport:
        if warm:
            await transport.call(GET)
            await settled(transport)
        seen_before, told_before = door.begun, len(notes.of(AttemptEnded))
        running = asyncio.ensure_future(transport.call(call))
        for _ in range(steps):
            await asyncio.sleep(0)
        told_in_time = len(notes.of(AttemptEnded))
        left = running.cancel()
        await asyncio.wait([running])
        await settled(transport)
        assert running.cancelled() is left
        assert turns_taken(transport) == 0
    ended = notes.of(AttemptEnded)
    assert len(notes.of(AttemptStarted)) == len(ended)
    assert all(event.abandoned is event.evidence.begun for event in ended[told_in_time:] if event.path == call.path)
    tries = [event for event in ended[told_before:] if event.path == call.path]
    begun = [event.outcome for event in tries if event.evidence.begun]
    assert len(tries) <= 1
    assert all(event.outcome is Outcome.NOT_SENT for event in tries if not event.evidence.begun)
    if not call.safe:
        assert (door.begun - seen_before, set(begun)) == (len(begun), {Outcome.ACCEPTED} if begun else set())
