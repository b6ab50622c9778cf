"""What becomes of flows that are scripted, by a number's digits or by a rule, seen through raw HTTP."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from routee_failover.sandbox import CallbackScript, MessageScript, ResponseScript, Sandbox, SandboxError
from routee_failover.sandbox.simulation import rules as rules_module
from routee_failover.sandbox.simulation.outcomes import OutcomeName, ScriptedCallbacks, ScriptedOutcome

from .raw_http import OTP, OTP_SMS_STEP, OTP_VIBER_STEP, SENDS, SMS_STEP, VIBER_OTP, VIBER_STEP, VOICE_STEP, calling

ADA = "+306912345678"
LONG = timedelta(days=3)
STEPS = {"viber": VIBER_STEP, "sms": SMS_STEP, "voice": VOICE_STEP}


def one(channel: str, to: str = ADA) -> dict[str, Any]:
    """A flow of one step."""
    return {"flow": [{**STEPS[channel], "to": {"phone": to} if channel == "voice" else to}]}


def script(sandbox: Sandbox, channel: str, play: OutcomeName | MessageScript) -> str:
    """A rule about one channel."""
    match channel:
        case "viber":
            return sandbox.script(viber=play)
        case "sms":
            return sandbox.script(sms=play)
        case _:
            return sandbox.script(voice=play)


ENDS: list[tuple[str, OutcomeName, str, str, str | None]] = [
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


@pytest.mark.parametrize(("channel", "outcome", "name", "status", "code"), ENDS)
async def test_every_outcome(channel: str, outcome: OutcomeName, name: str, status: str, code: str | None) -> None:
    """Each outcome of a rule ends in its channel's documented status, and the flow in its own, with its statusCode."""
    async with calling(speed=0) as caller:
        script(caller.sandbox, channel, outcome)
        _, sent = await caller.send("sendFailover", one(channel))
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
async def test_digits(channel: str, digits: str, name: str, code: str | None) -> None:
    """The digits 5 to 8 script want of balance, a server error, and a call whose status is unknown for a while."""
    async with calling(speed=0) as caller:
        _, sent = await caller.send("sendFailover", one(channel, f"+306900000{digits}"))
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
async def test_an_otp_that_no_channel_takes(viber: Any, sms: Any, code: int, error: str) -> None:
    """The OTP service answers 200 with Failed and the statusCode of the scripts, and takes nothing."""
    async with calling(speed=0) as caller:
        caller.sandbox.script(endpoint="otp", viber=viber, sms=sms)
        status, answer = await caller.send("sendFailoverOtp", OTP)
        assert caller.sandbox.counts.accepted == 0
    assert (status, answer["status"], answer["statusCode"], answer["error"]) == (200, "Failed", code, error)


async def test_an_otp_that_fails_later_is_taken() -> None:
    """A refusal that a script puts off is no refusal at the send: the flow is on its way, and fails then."""
    async with calling(speed=0) as caller:
        caller.sandbox.script(sms=MessageScript("failed", after=timedelta(seconds=30)))
        _, answer = await caller.send("sendFailoverOtp", {"flow": [OTP_SMS_STEP]})
        await caller.sandbox.advance(timedelta(seconds=29))
        assert (await caller.track_otp(answer["flowId"]))["status"] == "InProgress"
        await caller.sandbox.advance(timedelta(seconds=1))
        assert (await caller.track_otp(answer["flowId"]))["status"] == "Failed"


async def test_after_and_detail() -> None:
    """A message ends when and how its rule says; one that would be later than its ttl fails over."""
    async with calling(speed=0) as caller:
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


async def test_flows_on_their_way_keep_their_script() -> None:
    """What a rule said when a flow was sent holds for that flow, whatever becomes of the rule."""
    async with calling(speed=0) as caller:
        rule = caller.sandbox.script(sms="undelivered")
        _, first = await caller.send("sendFailover", one("sms"))
        caller.sandbox.forget(rule)
        _, second = await caller.send("sendFailover", one("sms"))
        caller.sandbox.script(sms="failed")
        await caller.sandbox.advance(LONG)
        names = [(await caller.track(sent["trackingId"]))["messages"][0]["status"]["name"] for sent in (first, second)]
    assert names == ["Undelivered", "Delivered"]


async def test_viber_otp_is_scripted_too() -> None:
    """The single Viber OTP plays its rule, and a rule about another endpoint leaves it alone."""
    async with calling(speed=0) as caller:
        caller.sandbox.script(viber="undelivered", endpoint="viber-otp")
        caller.sandbox.script(viber="failed", endpoint="standard")
        _, sent = await caller.send("sendViberOtp", VIBER_OTP)
        await caller.sandbox.advance(LONG)
        _, record = await caller.call("trackViber", f"/viber/tracking/{sent['trackingId']}")
    assert record["status"]["status"] == "UNDELIVERED"


async def test_a_callback_script_is_kept_with_the_flow() -> None:
    """What a rule says about callbacks is the flow's from then on."""
    async with calling(speed=0) as caller:
        caller.sandbox.script(callbacks=CallbackScript(repeat=2, order="reversed", delay=timedelta(seconds=5)))
        await caller.send("sendFailover", one("sms"))
        caller.sandbox.script(callbacks=CallbackScript(drop=True))
        await caller.send("sendFailover", one("sms"))
        scripts = [flow.callback_script for flow in caller.sandbox.accepted]
    assert scripts == [ScriptedCallbacks(2, "reversed", 5.0), ScriptedCallbacks(drop=True)]


async def test_the_same_seed_does_the_same_to_concurrent_senders() -> None:
    """At a rate, the same messages are hit in every run, however many send at once and in whatever order."""

    async def hit() -> set[str]:
        async with calling(speed=0) as caller:
            caller.sandbox.script(rate=0.3, seed=11, sms="failed")
            numbers = [f"+3069123450{number:02}" for number in range(60)]
            turn = asyncio.Semaphore(8)

            async def send(to: str) -> None:
                async with turn:
                    assert (await caller.send("sendFailover", one("sms", to)))[0] == 200

            await asyncio.gather(*map(send, numbers))
            assert caller.sandbox.counts.accepted == 60
            flows = caller.sandbox.accepted
        failed = {
            flow.steps[0].recipient for flow in flows if flow.steps[0].step.script.outcome is ScriptedOutcome.FAILED
        }
        assert len(failed) == caller.sandbox.rules[0]["applied"]
        return failed

    first = await hit()
    assert 5 < len(first) < 40
    assert await hit() == first


async def test_search_lag() -> None:
    """A search finds a flow only after the lag, on both services; by its id it is found at once."""
    async with calling(speed=0) as caller:
        caller.sandbox.search_lag = timedelta(seconds=5)
        assert caller.sandbox.search_lag == timedelta(seconds=5)
        await caller.sandbox.advance(timedelta(seconds=0.3))
        _, sent = await caller.send("sendFailover", one("sms"))
        _, otp = await caller.send("sendFailoverOtp", OTP)

        async def found() -> tuple[int, int]:
            _, page = await caller.call("searchFailovers", "/failover/tracking", method="POST")
            _, listed = await caller.call("listFailoverOtps", f"{SENDS['sendFailoverOtp'].rpartition('/')[0]}/failover")
            return page["totalElements"], listed["total"]

        await caller.track(sent["trackingId"])
        await caller.track_otp(otp["flowId"])
        assert await found() == (0, 0)
        await caller.sandbox.advance(timedelta(seconds=4.9))
        assert await found() == (0, 0)
        await caller.sandbox.advance(timedelta(seconds=0.1))
        assert await found() == (1, 1)
        with pytest.raises(SandboxError, match="negative"):
            caller.sandbox.search_lag = timedelta(seconds=-1)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({}, "must say what to do"),
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
        ({"response": 500, "sms": "failed"}, "sms has no place beside an response"),
        ({"fault": "reset-before", "sms": "failed"}, "sms has no place beside reset-before"),
        ({"fault": "rest"}, "fault must be one of"),
        ({"endpoint": "token", "to": ADA, "fault": "hang"}, "to has no place"),
        ({"callbacks": CallbackScript(repeat=0)}, "callbacks.repeat must be at least 1"),
        ({"sms": object()}, "such as JSON has"),
        ({"to": "\ud800", "sms": "failed"}, "such as JSON has"),
    ],
)
def test_a_rule_that_cannot_be(said: dict[str, Any], why: str) -> None:
    """What no rule can be is refused in a sentence that says where and why, and no rule is made."""
    sandbox = Sandbox()
    with pytest.raises(SandboxError, match=why):
        sandbox.script(**said)
    assert sandbox.rules == []


async def test_durations_have_units() -> None:
    """A bare number is no duration, in a rule as everywhere."""
    sandbox = Sandbox()
    with pytest.raises(SandboxError, match="must be a timedelta"):
        sandbox.script(sms=MessageScript("failed", after=5))  # type: ignore[arg-type]
    with pytest.raises(SandboxError, match="must be a timedelta"):
        sandbox.script(callbacks=CallbackScript(delay=5))  # type: ignore[arg-type]
    with pytest.raises(SandboxError, match="must be a timedelta"):
        sandbox.search_lag = 5  # type: ignore[assignment]
    with pytest.raises(SandboxError, match="must be a timedelta"):
        await sandbox.advance(5)  # type: ignore[arg-type]


def test_there_is_an_end_to_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """One rule too many is refused in a sentence, too."""
    monkeypatch.setattr(rules_module, "MAX_RULES", 0)
    with pytest.raises(SandboxError, match="there are 1000 already"):
        Sandbox().script(sms="failed")


def test_rules_are_shown_and_forgotten() -> None:
    """The rules are there to be read, newest first; one is forgotten by its id, and all at once."""
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
