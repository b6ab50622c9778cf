"""The sandbox's contract and clock, from Python and over HTTP."""

from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from routee_failover import OtpFlow, OtpSmsStep, RouteeClient, ViberOtpStep
from routee_failover.sandbox import Sandbox, SandboxError
from routee_failover.sandbox.contract import load_contract

from .raw_http import SENDER, STANDARD, open_caller

DAY = timedelta(days=1)


def _expiring_otp() -> OtpFlow:
    """Return a flow whose Viber message expires after a day, and whose SMS is then delivered."""
    to = "+306900000300"
    viber = ViberOtpStep(
        to=to,
        sender_info_tracking_id=SENDER,
        template_id="0aac888f-2ee2-4112-9659-1755a951966a",
        pin="847291",
        ttl=DAY,
    )
    return OtpFlow(steps=[viber, OtpSmsStep(to=to, message="Your code is 847291", ttl=DAY)])


async def test_times_beyond_the_year_9999_are_clamped() -> None:
    """Advanced beyond the year 9999, the sandbox continues, and shows the last time that `datetime` supports."""
    async with open_caller(speed=0) as caller:
        _, sent = await caller.send("sendFailover", STANDARD)
        await caller.sandbox.advance(3_000_000 * DAY)
        caller.sandbox.redeliver(caller.sandbox.callbacks[0].id)
        await caller.sandbox.advance(timedelta(0))
        status, flow = await caller.call("getSandboxFlow", f"/sandbox/flows/{sent['trackingId']}")
        assert status == 200
        assert flow["callbacks"][0]["attempts"][-1]["at"] == "9999-12-31T23:59:59.999Z"
        assert (await caller.track(sent["trackingId"]))["status"] == "Succeeded"


async def test_flow_fails_over_when_the_clock_is_advanced_by_its_ttl() -> None:
    """On a stopped clock a flow does not change; advanced by its ttl, it has failed over."""
    async with Sandbox(speed=0) as sandbox, RouteeClient(sandbox.config()) as routee:
        receipt = await routee.send(_expiring_otp())
        before = await routee.track(receipt)
        assert [(step.channel, step.status) for step in before.steps] == [("Viber", "Queued")] or not before.final
        await sandbox.advance(DAY - timedelta(seconds=1))
        assert not (await routee.track(receipt)).final
        await sandbox.advance(timedelta(seconds=11))
        after = await routee.track(receipt)
        assert (after.final, after.status) == (True, "Succeeded")
        assert len(after.steps) == 2


async def test_clock_is_advanced_and_its_speed_set_over_http() -> None:
    """POST /sandbox/clock advances the clock and changes its speed, and returns its reading."""
    async with open_caller(speed=0) as caller:
        assert await caller.call("getSandboxClock", "/sandbox/clock") == (200, {"now": 0.0, "speed": 0})
        change = {"advance": 3600}
        assert (await caller.call("setSandboxClock", "/sandbox/clock", method="POST", json=change))[1] == {
            "now": 3600.0,
            "speed": 0,
        }
        status, clock = await caller.call("setSandboxClock", "/sandbox/clock", method="POST", json={"speed": 60})
        assert (status, clock["speed"], clock["now"] >= 3600) == (200, 60.0, True)


@pytest.mark.parametrize(
    "change", [{}, {"advance": -1}, {"speed": -1}, {"speed": "fast"}, {"advance": None}, {"back": 1}, [], None, 1e300]
)
async def test_invalid_clock_change_is_rejected(change: Any) -> None:
    """A negative advance, or an unknown change, is rejected, and nothing changes."""
    async with open_caller(speed=0) as caller:
        status, _ = await caller.call("setSandboxClock", "/sandbox/clock", method="POST", json=change)
        assert status == 400
        assert (await caller.call("getSandboxClock", "/sandbox/clock"))[1] == {"now": 0.0, "speed": 0}


async def test_remote_callers_may_read_but_not_change_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A remote caller may not change the clock, unless remote administration is allowed; reading it is open to all."""
    for remote, status in (("192.0.2.7", 403), ("", 403), ("no address", 403), ("::1", 200), ("127.0.0.1", 200)):
        monkeypatch.setattr(web.Request, "remote", remote)
        async with open_caller(speed=0) as caller:
            actual_status, _ = await caller.call(
                "setSandboxClock", "/sandbox/clock", method="POST", json={"advance": 1}
            )
            assert actual_status == status
            assert (await caller.call("getSandboxClock", "/sandbox/clock"))[0] == 200
    monkeypatch.setattr(web.Request, "remote", "192.0.2.7")
    async with open_caller(speed=0, allow_remote_admin=True) as caller:
        assert (await caller.call("setSandboxClock", "/sandbox/clock", method="POST", json={"advance": 1}))[0] == 200


async def test_openapi_document_is_the_contract() -> None:
    """/openapi.json is the document that requests are validated by, for generators of clients."""
    async with open_caller() as caller:
        status, document = await caller.call("getSandboxContract", "/openapi.json")
        assert (status, document) == (200, load_contract().document)


async def test_negative_advance_raises_sandbox_error() -> None:
    """A sandbox clock can only be advanced: a negative duration raises."""
    async with Sandbox(speed=0) as sandbox:
        with pytest.raises(SandboxError, match="only be advanced"):
            await sandbox.advance(timedelta(seconds=-1))
