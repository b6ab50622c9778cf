"""The flows over HTTP: list, filters, pages, detail, actions, clear, reset, export."""

from datetime import timedelta
from typing import Any

import pytest

from tests.sandbox.raw_http import (
    OTP,
    OTP_SMS_STEP,
    SMS_STEP,
    STANDARD,
    TRANSACTIONAL,
    VIBER_OTP,
    VIBER_STEP,
    VOICE_STEP,
    Caller,
    open_caller,
)

LIST = "/sandbox/flows"


async def list_flows(caller: Caller, query: str = "") -> Any:
    """Return a page of the list."""
    status, page = await caller.call("listSandboxFlows", f"{LIST}?{query}")
    assert status == 200
    return page


async def send_to(caller: Caller, *numbers: str) -> None:
    """Send an SMS to each number."""
    for number in numbers:
        assert (await caller.send("sendFailover", {"flow": [SMS_STEP | {"to": number}]}))[0] == 200


async def newest_flow(caller: Caller) -> Any:
    """Return the full detail of the newest flow."""
    page = await list_flows(caller, "limit=1")
    status, flow = await caller.call("getSandboxFlow", f"{LIST}/{page['flows'][0]['id']}")
    assert status == 200
    return flow


async def act(caller: Caller, **change: Any) -> tuple[int, Any]:
    """Act on the newest flow."""
    page = await list_flows(caller, "limit=1")
    path = f"{LIST}/{page['flows'][0]['id']}/actions"
    return await caller.call("actOnSandboxFlow", path, method="POST", json=change)


async def test_summaries_show_the_flows_of_every_endpoint() -> None:
    """The list has each flow once, newest first, with endpoint, recipients, channels, status, PIN, text and price."""
    async with open_caller(speed=0) as caller:
        await caller.send("sendFailover", {"flow": STANDARD["flow"]})
        await caller.send("sendTransactionalFailover", TRANSACTIONAL)
        await caller.send("sendFailoverOtp", {"flow": OTP["flow"]})
        await caller.send("sendViberOtp", VIBER_OTP)
        page = await list_flows(caller)
    assert page["total"] == 4
    summaries = [
        (flow["number"], flow["endpoint"], flow["to"], flow["channels"], flow["status"], flow["pin"], flow["price"])
        for flow in page["flows"]
    ]
    assert summaries == [
        (4, "viber-otp", ["+306912345678"], ["Viber"], "InProgress", "847291", 0.01),
        (3, "otp", ["+306900000001"], ["Viber", "Sms"], "InProgress", "123456", 0.01),
        (2, "transactional", ["+306900000001"], ["Viber", "Sms", "Voice"], "Queued", None, 0.0),
        (1, "standard", ["+306900000001"], ["Viber", "Sms", "Voice"], "Queued", None, 0.0),
    ]


async def test_recipients_are_unique_and_normalized() -> None:
    """A recipient of several steps is listed once, with a plus; lists of numbers and SIP addresses are supported."""
    sip = VOICE_STEP | {"order": 2, "to": {"phone": None, "sip": "1111@host:55080"}}
    otp = OTP_SMS_STEP | {"order": 1, "to": ["306911111111", "+306922222222", "+306911111111"]}
    async with open_caller(speed=0) as caller:
        await caller.send("sendFailover", {"flow": [SMS_STEP | {"order": 1}, sip]})
        await caller.send("sendFailoverOtp", {"flow": [otp]})
        page = await list_flows(caller)
    assert [flow["to"] for flow in page["flows"]] == [
        ["+306911111111", "+306922222222"],
        ["+306900000001", "1111@host:55080"],
    ]


async def test_before_pages_through_all_flows() -> None:
    """`before` leads from page to page without a gap, and the total is that of all pages."""
    async with open_caller(speed=0) as caller:
        await send_to(caller, *["+306911111111"] * 7)
        numbers: list[int] = []
        before = ""
        while True:
            page = await list_flows(caller, f"limit=3{before}")
            assert page["total"] == 7
            if not page["flows"]:
                break
            numbers += [flow["number"] for flow in page["flows"]]
            before = f"&before={numbers[-1]}"
    assert numbers == [7, 6, 5, 4, 3, 2, 1]


async def test_number_endpoint_and_status_filter_the_list() -> None:
    """A part of a number, the endpoint and the status filter the list, alone and combined."""
    async with open_caller(speed=0) as caller:
        await send_to(caller, "+306911111111", "+306922222222", "+306900000020")
        await caller.send("sendFailoverOtp", {"flow": OTP["flow"]})
        await caller.sandbox.advance(timedelta(seconds=1.5))

        async def numbers_of(query: str) -> list[int]:
            page = await list_flows(caller, query)
            assert page["total"] == len(page["flows"])
            return [flow["number"] for flow in page["flows"]]

        assert await numbers_of("to=2222") == [2]
        assert await numbers_of("to=%2B30692") == [2]
        assert await numbers_of("to=+30692") == [2]
        assert await numbers_of("to=") == [4, 3, 2, 1]
        assert await numbers_of("to=nobody") == []
        assert await numbers_of("endpoint=otp") == [4]
        assert await numbers_of("status=Failed") == []
        assert await numbers_of("status=InProgress") == [4, 3, 2, 1]
        await caller.sandbox.advance(timedelta(seconds=1))
        assert await numbers_of("status=Failed") == [3]
        await caller.sandbox.advance(timedelta(seconds=10))
        assert await numbers_of("status=Succeeded") == [4, 2, 1]
        assert await numbers_of("status=Succeeded&endpoint=standard&to=1111") == [1]


@pytest.mark.parametrize(
    "query",
    [
        "status=Lost",
        "endpoint=sms",
        "limit=0",
        "limit=1001",
        "limit=ten",
        "before=-1",
        "before=1.5",
        "limit=" + "9" * 30,
    ],
)
async def test_invalid_filter_is_rejected_by_name(query: str) -> None:
    """An invalid parameter is rejected, and named."""
    async with open_caller(speed=0) as caller:
        status, error = await caller.call("listSandboxFlows", f"{LIST}?{query}")
    assert (status, list(error["properties"])) == (400, [query.partition("=")[0]])


async def test_detail_shows_request_response_record_and_messages() -> None:
    """A flow shows its request, its response, its tracking record and the status changes of each message."""
    async with open_caller(speed=0) as caller:
        _, response = await caller.send("sendFailover", {"flow": [VIBER_STEP | {"to": "+306900000100"}, SMS_STEP]})
        await caller.sandbox.advance(timedelta(seconds=5))
        flow = await newest_flow(caller)
        record = await caller.track(flow["id"])
    assert flow["request"]["flow"][0]["to"] == "+306900000100"
    assert (flow["response"], flow["record"], flow["elapsed"]) == (response, record, 5.0)
    viber, sms = flow["steps"]
    assert (viber["ttl"], viber["triggers"]) == (150.0, ["expired", "failed", "undelivered"])
    assert viber["message"] == {
        "id": record["messages"][0]["trackingId"],
        "status": "UNDELIVERED",
        "detail": "Not Viber User",
        "sentAt": 1.0,
        "changes": [
            {"at": 1.0, "status": "QUEUED", "detail": "Queued"},
            {"at": 3.0, "status": "UNDELIVERED", "detail": "Not Viber User"},
        ],
        "actions": [],
    }
    assert sms["message"]["status"] == "Sent"
    assert sms["message"]["actions"] == ["deliver", "fail", "expire"]


async def test_detail_shows_response_and_record_of_otp_flows() -> None:
    """The response, the tracking record and the message id of OTP flows are shown too."""
    async with open_caller(speed=0) as caller:
        _, response = await caller.send("sendFailoverOtp", OTP)
        flow = await newest_flow(caller)
        assert (flow["response"], flow["record"]) == (response, await caller.track_otp(flow["id"]))
        assert flow["steps"][0]["message"]["id"] == response["flow"][0]["trackingId"]
        _, response = await caller.send("sendViberOtp", VIBER_OTP)
        flow = await newest_flow(caller)
        assert flow["response"] == response
        assert await caller.call("trackViber", f"/viber/tracking/{flow['id']}") == (200, flow["record"])
        assert flow["steps"][0]["message"]["id"] == response["trackingId"]


async def test_call_has_neither_ttl_nor_message_before_it_is_sent() -> None:
    """A step without a ttl shows none, and one that was not sent shows no message."""
    async with open_caller(speed=0) as caller:
        await caller.send("sendFailover", {"flow": [VOICE_STEP]})
        (step,) = (await newest_flow(caller))["steps"]
    assert (step["channel"], step["ttl"], step["message"]) == ("Voice", None, None)


async def test_unknown_flow_returns_404() -> None:
    """An unknown id gets a 404, also from an action."""
    async with open_caller(speed=0) as caller:
        assert (await caller.call("getSandboxFlow", f"{LIST}/nothing"))[0] == 404
        path = f"{LIST}/nothing/actions"
        assert (await caller.call("actOnSandboxFlow", path, method="POST", json={"action": "seen"}))[0] == 404


async def test_client_disconnect_during_export_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    """A client that disconnects before the end of an export is not logged as an error."""
    async with open_caller(speed=0) as caller:
        body = {"flow": [SMS_STEP | {"message": {"body": "x" * 100_000}}]}
        for _ in range(40):
            await caller.send("sendFailover", body)
        for _ in range(3):
            response = await caller.session.get("/sandbox/export")
            assert await response.content.read(10) == b'{"rules": '
            response.close()
        assert (await caller.call("exportSandbox", "/sandbox/export"))[0] == 200
    assert caplog.records == []


async def test_clear_deletes_flows_and_reset_also_counters_and_rules() -> None:
    """Clear deletes the flows, reset also resets the counters; numbers are not reused, and the clock keeps running."""
    async with open_caller(speed=0) as caller:
        await send_to(caller, "+306911111111", "+306922222222")
        await caller.sandbox.advance(timedelta(seconds=60))
        assert await caller.call("clearSandboxFlows", LIST, method="DELETE") == (200, {"cleared": 2})
        assert (await list_flows(caller))["total"] == 0
        assert caller.sandbox.counts.accepted == 2
        await send_to(caller, "+306911111111")
        assert (await list_flows(caller))["flows"][0]["number"] == 3
        caller.sandbox.script(sms="failed")
        caller.sandbox.search_lag = timedelta(seconds=5)
        assert await caller.call("resetSandbox", "/sandbox/reset", method="POST") == (200, {"cleared": 1})
        assert (caller.sandbox.counts.accepted, caller.sandbox.rules) == (0, [])
        assert caller.sandbox.search_lag == timedelta(0)
        await send_to(caller, "+306911111111")
        assert (await list_flows(caller))["flows"][0]["number"] == 4
        assert (await caller.call("getSandboxClock", "/sandbox/clock"))[1]["now"] == 60.0


async def test_export_contains_all_flows_rules_clock_and_counts() -> None:
    """The export has every flow in full, oldest first, with rules, clock and counters."""
    async with open_caller(speed=0) as caller:
        await send_to(caller, "+306911111111", "+306922222222")
        caller.sandbox.script(sms="failed")
        flow = await newest_flow(caller)
        status, document = await caller.call("exportSandbox", "/sandbox/export")
    assert status == 200
    assert [exported["number"] for exported in document["flows"]] == [1, 2]
    assert document["flows"][1] == flow
    assert [rule["sms"] for rule in document["rules"]] == ["failed"]
    assert document["clock"] == {"now": 0.0, "speed": 0}
    assert document["counts"]["accepted"] == 2
