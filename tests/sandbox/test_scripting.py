"""Outcomes of flows that are scripted by digits or by rules, over raw HTTP."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from routee_failover.sandbox import CallbackScript, MessageScript, ResponseScript, Sandbox, SandboxError
from routee_failover.sandbox.simulation import rules as rules_module
from routee_failover.sandbox.simulation.outcomes import OutcomeName, ScriptedCallbacks, ScriptedOutcome

from .raw_http import OTP, OTP_SMS_STEP, OTP_VIBER_STEP, SENDS, SMS_STEP, VIBER_OTP, VIBER_STEP, VOICE_STEP, open_caller

ADA = "+306912345678"
LONG = timedelta(days=3)
STEPS = {"viber": VIBER_STEP, "sms": SMS_STEP, "voice": VOICE_STEP}


def single_step(channel: str, to: str = ADA) -> dict[str, Any]:
    """Return a flow of one step."""
    return {"flow": [{**STEPS[channel], "to": {"phone": to} if channel == "voice" else to}]}


def add_rule(sandbox: Sandbox, channel: str, message_script: OutcomeName | MessageScript) -> str:
    """Add a rule for one channel."""
    match channel:
        case "viber":
            return sandbox.script(viber=message_script)
        case "sms":
            return sandbox.script(sms=message_script)
        case _:
            return sandbox.script(voice=message_script)


OUTCOMES: list[tuple[str, OutcomeName, str, str, str | None]] = [
    ("viber", "delivered", "DELIVERED", "Succeeded", None),
    ("viber", "seen", "SEEN", "Succeeded", None),
    ("viber", "undelivered", "UNDELIVERED", "Failed", "2"),
    ("viber", "failed", "FAILED", "Failed", "2"),
    ("viber", "expired", "EXPIRED", "Failed", "2"),
    ("viber", "unsent", "UNSENT", "Failed", "1"),
    ("viber", "error", "FAILED", "Failed", "0"),
    ("sms", "delivered", "Delivered", "Succeeded", None),
    ("sms", "undelivered", "Undelivered", "Failed", "2"),
    ("sms", "failed", "Failed", "Failed", "2"),
    ("sms", "expired", "Undelivered", "Failed", "2"),
    ("sms", "unsent", "Unsent", "Failed", "1"),
    ("sms", "error", "Failed", "Failed", "0"),
    ("voice", "completed", "Completed", "Succeeded", None),
    ("voice", "unknown", "Completed", "Succeeded", None),
    ("voice", "busy", "Busy", "Failed", "2"),
    ("voice", "no-answer", "NoAnswer", "Failed", "2"),
    ("voice", "failed", "Failed", "Failed", "3"),
    ("voice", "unsent", "Unsent", "Failed", "1"),
    ("voice", "terminated", "Terminated", "Failed", "1"),
    ("voice", "error", "Failed", "Failed", "0"),
    ("voice", "delivered", "Completed", "Succeeded", None),
    ("voice", "undelivered", "Busy", "Failed", "2"),
    ("voice", "expired", "NoAnswer", "Failed", "2"),
]


@pytest.mark.parametrize(("channel", "outcome", "name", "status", "code"), OUTCOMES)
async def test_every_outcome_ends_in_its_documented_status(
    channel: str, outcome: OutcomeName, name: str, status: str, code: str | None
) -> None:
    """Each outcome of a rule ends in its channel's documented status, and the flow in its own, with its statusCode."""
    async with open_caller(speed=0) as caller:
        add_rule(caller.sandbox, channel, outcome)
        _, sent = await caller.send("sendFailover", single_step(channel))
        await caller.sandbox.advance(LONG)
        record = await caller.track(sent["trackingId"])
    assert record["messages"][0]["status"]["name"] == name
    assert (record["status"], record["statusCode"]) == (status, code)


@pytest.mark.parametrize(
    ("channel", "digits", "name", "code"),
    [
        ("viber", "500", "UNSENT", "1"),
        ("viber", "700", "FAILED", "0"),
        ("sms", "050", "Unsent", "1"),
        ("sms", "060", "Unsent", "1"),
        ("sms", "070", "Failed", "0"),
        ("voice", "005", "Unsent", "1"),
        ("voice", "006", "Terminated", "1"),
        ("voice", "007", "Failed", "0"),
        ("voice", "008", "Completed", None),
        ("viber", "800", "DELIVERED", None),
    ],
)
async def test_digits_five_to_eight_script_their_outcomes(
    channel: str, digits: str, name: str, code: str | None
) -> None:
    """The digits 5 to 8 script an insufficient balance, a server error, and a temporarily unknown status of a call."""
    async with open_caller(speed=0) as caller:
        _, sent = await caller.send("sendFailover", single_step(channel, f"+306900000{digits}"))
        await caller.sandbox.advance(LONG)
        record = await caller.track(sent["trackingId"])
    assert (record["messages"][0]["status"]["name"], record["statusCode"]) == (name, code)


@pytest.mark.parametrize(
    ("viber", "sms", "code", "error"),
    [
        ("error", "delivered", 0, "Server error"),
        ("unsent", "delivered", 1, "Insufficient balance"),
        ("failed", "failed", 2, "No channel accepted the message"),
        ("failed", "unsent", 1, "Insufficient balance"),
    ],
)
async def test_otp_that_every_channel_rejects_is_not_accepted(viber: Any, sms: Any, code: int, error: str) -> None:
    """The OTP service responds with 200, Failed and the statusCode of the scripts, and accepts nothing."""
    async with open_caller(speed=0) as caller:
        caller.sandbox.script(endpoint="otp", viber=viber, sms=sms)
        status, response = await caller.send("sendFailoverOtp", OTP)
        assert caller.sandbox.counts.accepted == 0
    assert (status, response["status"], response["statusCode"], response["error"]) == (200, "Failed", code, error)


async def test_otp_with_a_delayed_failure_is_accepted() -> None:
    """A rejection with `after` is none at the time of the send: the flow is in progress, and fails later."""
    async with open_caller(speed=0) as caller:
        caller.sandbox.script(sms=MessageScript("failed", after=timedelta(seconds=30)))
        _, response = await caller.send("sendFailoverOtp", {"flow": [OTP_SMS_STEP]})
        await caller.sandbox.advance(timedelta(seconds=29))
        assert (await caller.track_otp(response["flowId"]))["status"] == "InProgress"
        await caller.sandbox.advance(timedelta(seconds=1))
        assert (await caller.track_otp(response["flowId"]))["status"] == "Failed"


async def test_after_and_detail_apply_to_messages() -> None:
    """A message ends when and how its rule scripts; one later than its ttl fails over."""
    async with open_caller(speed=0) as caller:
        caller.sandbox.script(
            viber=MessageScript("delivered", after=timedelta(seconds=90)),
            sms=MessageScript("undelivered", after=timedelta(seconds=10), detail="Roaming"),
        )
        flow = {"flow": [{**OTP_VIBER_STEP, "ttl": 60, "to": ADA}, {**OTP_SMS_STEP, "to": ADA}]}
        _, sent = await caller.send("sendFailoverOtp", flow)
        await caller.sandbox.advance(timedelta(seconds=70))
        record = await caller.track_otp(sent["flowId"])
    assert [(step["status"], step["detailed_status"]) for step in record["steps"]] == [
        ("EXPIRED", "TTL Expired"),
        ("undelivered", "Roaming"),
    ]


async def test_flows_in_progress_keep_their_script() -> None:
    """The decision of a rule at the time of the send holds for that flow, whatever happens to the rule."""
    async with open_caller(speed=0) as caller:
        rule = caller.sandbox.script(sms="undelivered")
        _, first = await caller.send("sendFailover", single_step("sms"))
        caller.sandbox.forget(rule)
        _, second = await caller.send("sendFailover", single_step("sms"))
        caller.sandbox.script(sms="failed")
        await caller.sandbox.advance(LONG)
        names = [(await caller.track(sent["trackingId"]))["messages"][0]["status"]["name"] for sent in (first, second)]
    assert names == ["Undelivered", "Delivered"]


async def test_viber_otp_follows_its_own_rules() -> None:
    """A single Viber OTP follows its rule, and not one for another endpoint."""
    async with open_caller(speed=0) as caller:
        caller.sandbox.script(viber="undelivered", endpoint="viber-otp")
        caller.sandbox.script(viber="failed", endpoint="standard")
        _, sent = await caller.send("sendViberOtp", VIBER_OTP)
        await caller.sandbox.advance(LONG)
        _, record = await caller.call("trackViber", f"/viber/tracking/{sent['trackingId']}")
    assert record["status"]["status"] == "UNDELIVERED"


async def test_callback_script_is_stored_with_the_flow() -> None:
    """The callback script of a rule is stored with the flow."""
    async with open_caller(speed=0) as caller:
        caller.sandbox.script(callbacks=CallbackScript(repeat=2, order="reversed", delay=timedelta(seconds=5)))
        await caller.send("sendFailover", single_step("sms"))
        caller.sandbox.script(callbacks=CallbackScript(drop=True))
        await caller.send("sendFailover", single_step("sms"))
        scripts = [flow.callback_script for flow in caller.sandbox.accepted]
    assert scripts == [ScriptedCallbacks(2, "reversed", 5.0), ScriptedCallbacks(drop=True)]


async def test_same_seed_selects_the_same_flows_of_concurrent_senders() -> None:
    """With a rate, the same flows are selected in every run, however many are sent concurrently and in any order."""

    async def failed_recipients() -> set[str]:
        async with open_caller(speed=0) as caller:
            caller.sandbox.script(rate=0.3, seed=11, sms="failed")
            numbers = [f"+3069123450{number:02}" for number in range(60)]
            semaphore = asyncio.Semaphore(8)

            async def send(to: str) -> None:
                async with semaphore:
                    assert (await caller.send("sendFailover", single_step("sms", to)))[0] == 200

            await asyncio.gather(*map(send, numbers))
            assert caller.sandbox.counts.accepted == 60
            flows = caller.sandbox.accepted
        failed = {
            flow.steps[0].recipient for flow in flows if flow.steps[0].step.script.outcome is ScriptedOutcome.FAILED
        }
        assert len(failed) == caller.sandbox.rules[0]["applied"]
        return failed

    first = await failed_recipients()
    assert 5 < len(first) < 40
    assert await failed_recipients() == first


async def test_searches_find_a_flow_after_the_lag() -> None:
    """A search finds a flow only after the lag, on both services; by its id it is found immediately."""
    async with open_caller(speed=0) as caller:
        caller.sandbox.search_lag = timedelta(seconds=5)
        assert caller.sandbox.search_lag == timedelta(seconds=5)
        await caller.sandbox.advance(timedelta(seconds=0.3))
        _, sent = await caller.send("sendFailover", single_step("sms"))
        _, otp = await caller.send("sendFailoverOtp", OTP)

        async def totals() -> tuple[int, int]:
            _, page = await caller.call("searchFailovers", "/failover/tracking", method="POST")
            _, listed = await caller.call("listFailoverOtps", f"{SENDS['sendFailoverOtp'].rpartition('/')[0]}/failover")
            return page["totalElements"], listed["total"]

        await caller.track(sent["trackingId"])
        await caller.track_otp(otp["flowId"])
        assert await totals() == (0, 0)
        await caller.sandbox.advance(timedelta(seconds=4.9))
        assert await totals() == (0, 0)
        await caller.sandbox.advance(timedelta(seconds=0.1))
        assert await totals() == (1, 1)
        with pytest.raises(SandboxError, match="negative"):
            caller.sandbox.search_lag = timedelta(seconds=-1)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ({}, "must have at least one of"),
        ({"sms": "seen"}, "sms must be one of"),
        ({"viber": MessageScript("busy")}, "viber.outcome must be one of"),
        ({"sms": MessageScript("failed", after=timedelta(seconds=-1))}, "sms.after must be at least 0"),
        ({"sms": "failed", "times": 0}, "times must be at least 1"),
        ({"sms": "failed", "rate": 2}, "rate must be at most 1"),
        ({"sms": "failed", "to": "+30*69"}, "to must be a number"),
        ({"response": 200}, "response.status must be at least 400"),
        ({"response": ResponseScript()}, "response.status is required"),
        ({"response": ResponseScript(429, retry_after=timedelta(seconds=0.5))}, "response.retryAfter must be integer"),
        ({"response": "no"}, "response must be object"),
        ({"response": 500, "sms": "failed"}, "sms is not allowed with a response"),
        ({"fault": "reset-before", "sms": "failed"}, "sms is not allowed with reset-before"),
        ({"fault": "rest"}, "fault must be one of"),
        ({"endpoint": "token", "to": ADA, "fault": "hang"}, "to is not allowed in a rule"),
        ({"callbacks": CallbackScript(repeat=0)}, "callbacks.repeat must be at least 1"),
        ({"sms": object()}, "must be JSON values"),
        ({"to": "\ud800", "sms": "failed"}, "must be JSON values"),
    ],
)
def test_invalid_rule_raises_with_member_and_reason(script: dict[str, Any], reason: str) -> None:
    """An invalid rule raises with member and reason, and is not added."""
    sandbox = Sandbox()
    with pytest.raises(SandboxError, match=reason):
        sandbox.script(**script)
    assert sandbox.rules == []


async def test_bare_number_is_not_a_duration() -> None:
    """A bare number is not accepted as a duration anywhere."""
    sandbox = Sandbox()
    with pytest.raises(SandboxError, match="must be a timedelta"):
        sandbox.script(sms=MessageScript("failed", after=5))  # type: ignore[arg-type]
    with pytest.raises(SandboxError, match="must be a timedelta"):
        sandbox.script(callbacks=CallbackScript(delay=5))  # type: ignore[arg-type]
    with pytest.raises(SandboxError, match="must be a timedelta"):
        sandbox.search_lag = 5  # type: ignore[assignment]
    with pytest.raises(SandboxError, match="must be a timedelta"):
        await sandbox.advance(5)  # type: ignore[arg-type]


def test_too_many_rules_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule beyond the maximum raises."""
    monkeypatch.setattr(rules_module, "MAX_RULES", 0)
    with pytest.raises(SandboxError, match="there are 1000 rules already"):
        Sandbox().script(sms="failed")


def test_rules_are_listed_newest_first_and_removed() -> None:
    """The rules are listed newest first; one can be removed by its id, or all at once."""
    sandbox = Sandbox()
    first = sandbox.script(sms=MessageScript("failed", after=timedelta(seconds=2)), to=ADA, times=3)
    second = sandbox.script(response=ResponseScript(429, retry_after=timedelta(seconds=2)), rate=0.5, seed=3)
    third = sandbox.script(response=ResponseScript(insufficient_balance=True), endpoint="otp")
    assert sandbox.rules == [
        {"id": third, "applied": 0, "endpoint": "otp", "response": {"insufficientBalance": True}},
        {"id": second, "applied": 0, "response": {"status": 429, "retryAfter": 2}, "rate": 0.5, "seed": 3},
        {"id": first, "applied": 0, "to": ADA, "sms": {"outcome": "failed", "after": 2.0}, "times": 3},
    ]
    sandbox.forget(second)
    sandbox.forget(second)
    assert [rule["id"] for rule in sandbox.rules] == [third, first]
    sandbox.forget()
    assert sandbox.rules == []
