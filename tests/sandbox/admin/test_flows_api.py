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
    calling,
)

LIST = "/sandbox/flows"


async def listed(caller: Caller, query: str = "") -> Any:
    """A page of the list."""
    status, page = await caller.call("listSandboxFlows", f"{LIST}?{query}")
    assert status == 200
    return page


async def send_to(caller: Caller, *numbers: str) -> None:
    """An SMS to each."""
    for number in numbers:
        assert (await caller.send("sendFailover", {"flow": [SMS_STEP | {"to": number}]}))[0] == 200


async def only(caller: Caller) -> Any:
    """Everything about the newest flow."""
    page = await listed(caller, "limit=1")
    status, flow = await caller.call("getSandboxFlow", f"{LIST}/{page['flows'][0]['id']}")
    assert status == 200
    return flow


async def act(caller: Caller, **change: Any) -> tuple[int, Any]:
    """Act on the newest flow."""
    page = await listed(caller, "limit=1")
    path = f"{LIST}/{page['flows'][0]['id']}/actions"
    return await caller.call("actOnSandboxFlow", path, method="POST", json=change)


async def test_a_line_of_each_endpoint() -> None:
    """The list shows each flow once, newest first, with its endpoint, people, channels, status, PIN, text and price."""
    async with calling(speed=0) as caller:
        await caller.send("sendFailover", {"flow": STANDARD["flow"]})
        await caller.send("sendTransactionalFailover", TRANSACTIONAL)
        await caller.send("sendFailoverOtp", {"flow": OTP["flow"]})
        await caller.send("sendViberOtp", VIBER_OTP)
        page = await listed(caller)
    assert page["total"] == 4
    told = [
        (flow["number"], flow["endpoint"], flow["to"], flow["channels"], flow["status"], flow["pin"], flow["price"])
        for flow in page["flows"]
    ]
    assert told == [
        (4, "viber-otp", ["+306912345678"], ["Viber"], "InProgress", "847291", 0.01),
        (3, "otp", ["+306900000001"], ["Viber", "Sms"], "InProgress", "123456", 0.01),
        (2, "transactional", ["+306900000001"], ["Viber", "Sms", "Voice"], "Queued", None, 0.0),
        (1, "standard", ["+306900000001"], ["Viber", "Sms", "Voice"], "Queued", None, 0.0),
    ]


async def test_people_are_named_once() -> None:
    """Whoever gets several steps is named once, with a plus; a list of numbers and a SIP address are read, too."""
    sip = VOICE_STEP | {"order": 2, "to": {"phone": None, "sip": "1111@host:55080"}}
    otp = OTP_SMS_STEP | {"order": 1, "to": ["306911111111", "+306922222222", "+306911111111"]}
    async with calling(speed=0) as caller:
        await caller.send("sendFailover", {"flow": [SMS_STEP | {"order": 1}, sip]})
        await caller.send("sendFailoverOtp", {"flow": [otp]})
        page = await listed(caller)
    assert [flow["to"] for flow in page["flows"]] == [
        ["+306911111111", "+306922222222"],
        ["+306900000001", "1111@host:55080"],
    ]


async def test_pages_go_back_in_time() -> None:
    """`before` leads from page to page without a gap, and the total is that of all pages."""
    async with calling(speed=0) as caller:
        await send_to(caller, *["+306911111111"] * 7)
        numbers: list[int] = []
        before = ""
        while True:
            page = await listed(caller, f"limit=3{before}")
            assert page["total"] == 7
            if not page["flows"]:
                break
            numbers += [flow["number"] for flow in page["flows"]]
            before = f"&before={numbers[-1]}"
    assert numbers == [7, 6, 5, 4, 3, 2, 1]


async def test_filters() -> None:
    """A part of a number, the endpoint and the status narrow the list, alone and together."""
    async with calling(speed=0) as caller:
        await send_to(caller, "+306911111111", "+306922222222", "+306900000020")
        await caller.send("sendFailoverOtp", {"flow": OTP["flow"]})
        await caller.sandbox.advance(timedelta(seconds=1.5))

        async def found(query: str) -> list[int]:
            page = await listed(caller, query)
            assert page["total"] == len(page["flows"])
            return [flow["number"] for flow in page["flows"]]

        assert await found("to=2222") == [2]
        assert await found("to=%2B30692") == [2]
        assert await found("to=+30692") == [2]
        assert await found("to=") == [4, 3, 2, 1]
        assert await found("to=nobody") == []
        assert await found("endpoint=otp") == [4]
        assert await found("status=Failed") == []
        assert await found("status=InProgress") == [4, 3, 2, 1]
        await caller.sandbox.advance(timedelta(seconds=1))
        assert await found("status=Failed") == [3]
        await caller.sandbox.advance(timedelta(seconds=10))
        assert await found("status=Succeeded") == [4, 2, 1]
        assert await found("status=Succeeded&endpoint=standard&to=1111") == [1]


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
async def test_a_wrong_filter_is_named(query: str) -> None:
    """A parameter that is not as documented is refused, and named."""
    async with calling(speed=0) as caller:
        status, refusal = await caller.call("listSandboxFlows", f"{LIST}?{query}")
    assert (status, list(refusal["properties"])) == (400, [query.partition("=")[0]])


async def test_everything_about_a_flow() -> None:
    """A flow shows its request, its answer, its record and the way of each of its messages."""
    async with calling(speed=0) as caller:
        _, answered = await caller.send("sendFailover", {"flow": [VIBER_STEP | {"to": "+306900000100"}, SMS_STEP]})
        await caller.sandbox.advance(timedelta(seconds=5))
        flow = await only(caller)
        record = await caller.track(flow["id"])
    assert flow["request"]["flow"][0]["to"] == "+306900000100"
    assert (flow["response"], flow["record"], flow["elapsed"]) == (answered, record, 5.0)
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


async def test_answers_and_records_of_the_otp_endpoints() -> None:
    """What an OTP was answered and is tracked as is shown, too, and the id of its message."""
    async with calling(speed=0) as caller:
        _, answered = await caller.send("sendFailoverOtp", OTP)
        flow = await only(caller)
        assert (flow["response"], flow["record"]) == (answered, await caller.track_otp(flow["id"]))
        assert flow["steps"][0]["message"]["id"] == answered["flow"][0]["trackingId"]
        _, answered = await caller.send("sendViberOtp", VIBER_OTP)
        flow = await only(caller)
        assert flow["response"] == answered
        assert await caller.call("trackViber", f"/viber/tracking/{flow['id']}") == (200, flow["record"])
        assert flow["steps"][0]["message"]["id"] == answered["trackingId"]


async def test_a_call_has_no_ttl() -> None:
    """A step that uses no ttl shows none, and one that was not sent shows no message."""
    async with calling(speed=0) as caller:
        await caller.send("sendFailover", {"flow": [VOICE_STEP]})
        (step,) = (await only(caller))["steps"]
    assert (step["channel"], step["ttl"], step["message"]) == ("Voice", None, None)


async def test_a_flow_that_is_not_there() -> None:
    """An unknown id is answered 404, also by an action."""
    async with calling(speed=0) as caller:
        assert (await caller.call("getSandboxFlow", f"{LIST}/nothing"))[0] == 404
        path = f"{LIST}/nothing/actions"
        assert (await caller.call("actOnSandboxFlow", path, method="POST", json={"action": "seen"}))[0] == 404


async def test_who_leaves_in_the_middle_of_an_export_breaks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """A reader that leaves before the end of an export is no fault of the sandbox's."""
    async with calling(speed=0) as caller:
        body = {"flow": [SMS_STEP | {"message": {"body": "x" * 100_000}}]}
        for _ in range(40):
            await caller.send("sendFailover", body)
        for _ in range(3):
            response = await caller.session.get("/sandbox/export")
            assert await response.content.read(10) == b'{"rules": '
            response.close()
        assert (await caller.call("exportSandbox", "/sandbox/export"))[0] == 200
    assert caplog.records == []


async def test_clear_and_reset() -> None:
    """Clear forgets the flows, reset also what was counted; numbers are not given twice, and the clock runs on."""
    async with calling(speed=0) as caller:
        await send_to(caller, "+306911111111", "+306922222222")
        await caller.sandbox.advance(timedelta(seconds=60))
        assert await caller.call("clearSandboxFlows", LIST, method="DELETE") == (200, {"cleared": 2})
        assert (await listed(caller))["total"] == 0
        assert caller.sandbox.counts.accepted == 2
        await send_to(caller, "+306911111111")
        assert (await listed(caller))["flows"][0]["number"] == 3
        caller.sandbox.script(sms="failed")
        caller.sandbox.search_lag = timedelta(seconds=5)
        assert await caller.call("resetSandbox", "/sandbox/reset", method="POST") == (200, {"cleared": 1})
        assert (caller.sandbox.counts.accepted, caller.sandbox.rules) == (0, [])
        assert caller.sandbox.search_lag == timedelta(0)
        await send_to(caller, "+306911111111")
        assert (await listed(caller))["flows"][0]["number"] == 4
        assert (await caller.call("getSandboxClock", "/sandbox/clock"))[1]["now"] == 60.0


async def test_export() -> None:
    """The export holds every flow in full, oldest first, beside clock and counts."""
    async with calling(speed=0) as caller:
        await send_to(caller, "+306911111111", "+306922222222")
        caller.sandbox.script(sms="failed")
        flow = await only(caller)
        status, document = await caller.call("exportSandbox", "/sandbox/export")
    assert status == 200
    assert [one["number"] for one in document["flows"]] == [1, 2]
    assert document["flows"][1] == flow
    assert [rule["sms"] for rule in document["rules"]] == ["failed"]
    assert document["clock"] == {"now": 0.0, "speed": 0}
    assert document["counts"]["accepted"] == 2
