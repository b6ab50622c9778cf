"""https://docs.routee.net/docs/failover-endpoints: each scenario at the endpoint that it names, and elsewhere."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from ..sandbox.raw_http import SENDS, Caller, calling, changed
from .documented_bodies import OTP, OTP_SMS_STEP, SMS, TEMPLATE, VIBER, VIBER_FILE, VIBER_OTP_STEP, VOICE, scripted

SESSION = {**VIBER, "message": {"text": "Hi there"}}
VIDEO = {
    **VIBER,
    "message": {
        "viberVideo": {
            "videoUrl": "https://example.test/v.mp4",
            "videoThumbnail": "https://example.test/v.png",
            "fileSize": 5,
            "duration": 30,
        }
    },
}
STANDARD_FLOWS = {
    "abandoned cart": [VIBER, SMS],
    "offer with image and button, then a call": [VIBER, VOICE],
    "session chat": [SESSION],
    "file": [VIBER_FILE, SMS],
    "video": [VIDEO, SMS],
}
TRANSACTIONAL_FLOWS = {
    "order shipped": [TEMPLATE, SMS],
    "appointment reminder": [TEMPLATE, VOICE],
    "account alert": [TEMPLATE],
}
OTP_FLOWS = {
    "login": [VIBER_OTP_STEP, OTP_SMS_STEP],
    "password reset": [VIBER_OTP_STEP],
    "payment confirmation": [VIBER_OTP_STEP | {"label": "payment"}, OTP_SMS_STEP],
}
SCENARIOS = [
    *(("sendFailover", name, steps) for name, steps in STANDARD_FLOWS.items()),
    *(("sendTransactionalFailover", name, steps) for name, steps in TRANSACTIONAL_FLOWS.items()),
    *(("sendFailoverOtp", name, steps) for name, steps in OTP_FLOWS.items()),
]


@pytest.mark.parametrize(("operation", "name", "steps"), SCENARIOS, ids=[f"{one[0]}-{one[1]}" for one in SCENARIOS])
async def test_scenario(operation: str, name: str, steps: list[dict[str, Any]]) -> None:
    """Each scenario is accepted where the guide sends it, under the id that it names, and refused everywhere else."""
    async with calling(speed=0) as caller:
        status, answer = await caller.send(operation, {"flow": steps})
        assert status == 200
        kind = {"sendFailover": "standard", "sendTransactionalFailover": "transactional"}.get(operation)
        assert answer.get("flowKind") == kind
        assert answer["flowId" if kind is None else "trackingId"]
        for other in set(SENDS) - {operation, "sendViberOtp"}:
            status, _ = await caller.send(other, {"flow": steps})
            assert status == (422 if other == "sendFailoverOtp" else 400)


async def test_no_voice_for_one_time_passwords() -> None:
    """A one-time password with a call is not supported: the OTP service takes no Voice step."""
    async with calling(speed=0) as caller:
        body = {"flow": [VIBER_OTP_STEP, VOICE | {"order": 2, "ttl": 60}]}
        status, answer = await caller.send("sendFailoverOtp", body)
    assert (status, answer["detail"][0]["loc"]) == (422, ["body", "flow", 1, "type"])


async def test_tracking_and_search() -> None:
    """Standard and transactional flows share tracking and are told apart by flowKind; OTP flows have their own."""
    async with calling(speed=0) as caller:
        _, standard = await caller.send("sendFailover", {"flow": [VIBER, SMS]})
        _, transactional = await caller.send("sendTransactionalFailover", {"flow": [TEMPLATE, SMS]})
        _, otp = await caller.send("sendFailoverOtp", OTP)
        await caller.sandbox.advance(timedelta(minutes=1))
        assert (await caller.track(standard["trackingId"]))["flowKind"] == "standard"
        assert (await caller.track(transactional["trackingId"]))["flowKind"] == "transactional"
        assert (await caller.call("trackFailover", f"/failover/tracking/{otp['flowId']}"))[0] == 404
        for kind, sent in (("standard", standard), ("transactional", transactional)):
            term = [{"fieldName": "flowKind", "searchTerm": kind}]
            _, page = await caller.call("searchFailovers", "/failover/tracking", method="POST", json=term)
            assert [record["trackingId"] for record in page["content"]] == [sent["trackingId"]]
        by_flow = await caller.track_otp(otp["flowId"])
        assert by_flow == await caller.track_otp(otp["flow"][0]["trackingId"])
        _, listed = await caller.call(
            "listFailoverOtps", "/failover-otp/otp/failover", params={"flow_id": otp["flowId"]}
        )
        assert listed["results"] == [by_flow]
        _, templates = await caller.call("listOtpTemplates", "/failover-otp/otp/templates")
        assert VIBER_OTP_STEP["templateId"] in {template["templateId"] for template in templates}


@asynccontextmanager
async def _receiving(posted: list[Any]) -> AsyncIterator[str]:
    async def receive(request: web.Request) -> web.Response:
        posted.append(await request.json())
        return web.Response()

    application = web.Application()
    application.router.add_post("/callback", receive)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/callback"
    finally:
        await runner.cleanup()


async def _played(caller: Caller, operation: str, body: dict[str, Any]) -> Any:
    _, answer = await caller.send(operation, scripted(body, "+306900000300"))
    await caller.sandbox.advance(timedelta(days=3))
    return answer


async def test_webhooks() -> None:
    """callback.url is posted to: flowKind is in a flow's payload, and an OTP flow's has the shape of its tracking."""
    async with calling(speed=0) as caller:
        for strategy, least, most in (("OnCompletion", 1, 1), ("OnStep", 3, 99)):
            for operation, steps in (("sendFailover", [VIBER, SMS]), ("sendTransactionalFailover", [TEMPLATE, SMS])):
                posted: list[Any] = []
                async with _receiving(posted) as url:
                    body = {"flow": steps, "callback": {"strategy": strategy, "url": url}}
                    answer = await _played(caller, operation, body)
                assert least <= len(posted) <= most
                assert {one["flowKind"] for one in posted} == {answer["flowKind"]}
                assert {one["trackingId"] for one in posted} == {answer["trackingId"]}
                assert posted[-1]["status"] == "Succeeded"
        posted = []
        async with _receiving(posted) as url:
            answer = await _played(caller, "sendFailoverOtp", changed(OTP, **{"callback.url": url}))
        assert posted[-1] == await caller.track_otp(answer["flowId"])
        assert {one["flowId"] for one in posted} == {answer["flowId"]}
