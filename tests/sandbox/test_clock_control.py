"""What the sandbox has beside Routee's API: its contract, and its clock, by Python and over HTTP."""

from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from routee_failover import OtpFlow, OtpSmsStep, RouteeClient, ViberOtpStep
from routee_failover.sandbox import Sandbox, SandboxError
from routee_failover.sandbox.contract import load_contract

from .raw_http import SENDER, STANDARD, calling

DAY = timedelta(days=1)


def _unread() -> OtpFlow:
    """A flow whose Viber message expires after a day, and whose SMS is then delivered."""
    to = "+306900000300"
    viber = ViberOtpStep(
        to=to,
        sender_info_tracking_id=SENDER,
        template_id="0aac888f-2ee2-4112-9659-1755a951966a",
        pin="847291",
        ttl=DAY,
    )
    return OtpFlow(steps=[viber, OtpSmsStep(to=to, message="Your code is 847291", ttl=DAY)])


async def test_the_clock_may_pass_the_last_year() -> None:
    """Put forward beyond the year 9999, the sandbox goes on, and shows the last moment that a calendar knows."""
    async with calling(speed=0) as caller:
        _, sent = await caller.send("sendFailover", STANDARD)
        await caller.sandbox.advance(3_000_000 * DAY)
        caller.sandbox.redeliver(caller.sandbox.callbacks[0].id)
        await caller.sandbox.advance(timedelta(0))
        status, flow = await caller.call("getSandboxFlow", f"/sandbox/flows/{sent['trackingId']}")
        assert status == 200
        assert flow["callbacks"][0]["attempts"][-1]["at"] == "9999-12-31T23:59:59.999Z"
        assert (await caller.track(sent["trackingId"]))["status"] == "Succeeded"


async def test_a_day_passes_at_a_word() -> None:
    """On a frozen clock a flow stands still; put forward by its ttl, it has failed over, the same each time."""
    async with Sandbox(speed=0) as sandbox, RouteeClient(sandbox.config()) as routee:
        receipt = await routee.send(_unread())
        before = await routee.track(receipt)
        assert [(step.channel, step.status) for step in before.steps] == [("Viber", "Queued")] or not before.final
        await sandbox.advance(DAY - timedelta(seconds=1))
        assert not (await routee.track(receipt)).final
        await sandbox.advance(timedelta(seconds=11))
        after = await routee.track(receipt)
        assert (after.final, after.status) == (True, "Succeeded")
        assert len(after.steps) == 2


async def test_time_passes_over_http() -> None:
    """POST /sandbox/clock puts the clock forward and changes its speed, and says what time it is then."""
    async with calling(speed=0) as caller:
        assert await caller.call("getSandboxClock", "/sandbox/clock") == (200, {"now": 0.0, "speed": 0})
        change = {"advance": 3600}
        assert (await caller.call("setSandboxClock", "/sandbox/clock", method="POST", json=change))[1] == {
            "now": 3600.0,
            "speed": 0,
        }
        status, told = await caller.call("setSandboxClock", "/sandbox/clock", method="POST", json={"speed": 60})
        assert (status, told["speed"], told["now"] >= 3600) == (200, 60.0, True)


@pytest.mark.parametrize(
    "change", [{}, {"advance": -1}, {"speed": -1}, {"speed": "fast"}, {"advance": None}, {"back": 1}, [], None, 1e300]
)
async def test_a_change_that_cannot_be_made_is_refused(change: Any) -> None:
    """A clock that would go back, or a change that nobody knows, is refused, and nothing changes."""
    async with calling(speed=0) as caller:
        status, _ = await caller.call("setSandboxClock", "/sandbox/clock", method="POST", json=change)
        assert status == 400
        assert (await caller.call("getSandboxClock", "/sandbox/clock"))[1] == {"now": 0.0, "speed": 0}


async def test_strangers_do_not_turn_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller on another machine is refused, unless the sandbox was started for such; reading the time is free."""
    for remote, status in (("192.0.2.7", 403), ("", 403), ("no address", 403), ("::1", 200), ("127.0.0.1", 200)):
        monkeypatch.setattr(web.Request, "remote", remote)
        async with calling(speed=0) as caller:
            told, _ = await caller.call("setSandboxClock", "/sandbox/clock", method="POST", json={"advance": 1})
            assert told == status
            assert (await caller.call("getSandboxClock", "/sandbox/clock"))[0] == 200
    monkeypatch.setattr(web.Request, "remote", "192.0.2.7")
    async with calling(speed=0, allow_remote_admin=True) as caller:
        assert (await caller.call("setSandboxClock", "/sandbox/clock", method="POST", json={"advance": 1}))[0] == 200


async def test_the_contract_is_served() -> None:
    """/openapi.json is the document that requests are judged by, for whoever wants a client made from it."""
    async with calling() as caller:
        status, document = await caller.call("getSandboxContract", "/openapi.json")
        assert (status, document) == (200, load_contract().document)


async def test_time_is_never_put_back_by_python_either() -> None:
    """advance() refuses what would put the clock back."""
    async with Sandbox(speed=0) as sandbox:
        with pytest.raises(SandboxError, match="never back"):
            await sandbox.advance(timedelta(seconds=-1))
