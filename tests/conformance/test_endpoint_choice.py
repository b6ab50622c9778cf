"""https://docs.routee.net/docs/failover-endpoints: each scenario at its endpoint and at the others."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from ..sandbox.raw_http import SENDS, Caller, open_caller, with_changes
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


@pytest.mark.parametrize(
    ("operation", "name", "steps"), SCENARIOS, ids=[f"{scenario[0]}-{scenario[1]}" for scenario in SCENARIOS]
)
async def test_scenario_is_accepted_at_its_endpoint_only(
    operation: str, name: str, steps: list[dict[str, Any]]
) -> None:
    """Each scenario is accepted where the guide sends it, under the id that it names, and rejected everywhere else."""
    async with open_caller(speed=0) as caller:
        status, response = await caller.send(operation, {"flow": steps})
        assert status == 200
        kind = {"sendFailover": "standard", "sendTransactionalFailover": "transactional"}.get(operation)
        assert response.get("flowKind") == kind
        assert response["flowId" if kind is None else "trackingId"]
        for other in set(SENDS) - {operation, "sendViberOtp"}:
            status, _ = await caller.send(other, {"flow": steps})
            assert status == (422 if other == "sendFailoverOtp" else 400)


async def test_voice_step_in_an_otp_flow_is_rejected() -> None:
    """A one-time password by call is not supported: the OTP service has no Voice step."""
    async with open_caller(speed=0) as caller:
        body = {"flow": [VIBER_OTP_STEP, VOICE | {"order": 2, "ttl": 60}]}
        status, response = await caller.send("sendFailoverOtp", body)
    assert (status, response["detail"][0]["loc"]) == (422, ["body", "flow", 1, "type"])


async def test_flows_are_tracked_and_searched_at_their_own_endpoints() -> None:
    """Standard and transactional flows share tracking and differ by flowKind; OTP flows have their own."""
    async with open_caller(speed=0) as caller:
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
async def _callback_server(posted: list[Any]) -> AsyncIterator[str]:
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


async def _run_to_the_end(caller: Caller, operation: str, body: dict[str, Any]) -> Any:
    _, response = await caller.send(operation, scripted(body, "+306900000300"))
    await caller.sandbox.advance(timedelta(days=3))
    return response


async def test_callbacks_carry_flow_kind_and_match_otp_tracking() -> None:
    """callback.url gets POSTs: a flow's payload has flowKind, an OTP flow's has the shape of its tracking record."""
    async with open_caller(speed=0) as caller:
        for strategy, minimum, maximum in (("OnCompletion", 1, 1), ("OnStep", 3, 99)):
            for operation, steps in (("sendFailover", [VIBER, SMS]), ("sendTransactionalFailover", [TEMPLATE, SMS])):
                posted: list[Any] = []
                async with _callback_server(posted) as url:
                    body = {"flow": steps, "callback": {"strategy": strategy, "url": url}}
                    response = await _run_to_the_end(caller, operation, body)
                assert minimum <= len(posted) <= maximum
                assert {payload["flowKind"] for payload in posted} == {response["flowKind"]}
                assert {payload["trackingId"] for payload in posted} == {response["trackingId"]}
                assert posted[-1]["status"] == "Succeeded"
        posted = []
        async with _callback_server(posted) as url:
            response = await _run_to_the_end(caller, "sendFailoverOtp", with_changes(OTP, **{"callback.url": url}))
        assert posted[-1] == await caller.track_otp(response["flowId"])
        assert {payload["flowId"] for payload in posted} == {response["flowId"]}
