"""Rules and settings over HTTP, for tests in any language."""

from datetime import timedelta
from typing import Any

import pytest

from routee_failover.sandbox import MessageScript
from routee_failover.sandbox.simulation import rules as rules_module
from tests.sandbox.raw_http import SENDS, SMS_STEP, Caller, calling

RULES, SETTINGS = "/sandbox/rules", "/sandbox/settings"
ADA = "+306912345678"
SMS = {"flow": [{**SMS_STEP, "to": ADA}]}


async def add(caller: Caller, rule: Any) -> tuple[int, Any]:
    """Make a rule."""
    return await caller.call("addSandboxRule", RULES, method="POST", json=rule)


async def listed(caller: Caller) -> list[Any]:
    """The rules."""
    status, body = await caller.call("listSandboxRules", RULES)
    assert status == 200
    rules: list[Any] = body["rules"]
    return rules


WHOLE = {
    "to": "+3069*",
    "endpoint": "standard",
    "rate": 0.25,
    "seed": 7,
    "times": 3,
    "viber": "seen",
    "sms": {"outcome": "undelivered", "after": 1.5, "detail": "Roaming"},
    "voice": "no-answer",
    "fault": "truncated",
    "callbacks": {"repeat": 2, "order": "shuffled", "delay": 4, "drop": False},
}


async def test_a_rule_is_made_shown_and_forgotten() -> None:
    """A rule comes back as it was given, with its id; the newest is shown first, and each can be forgotten."""
    async with calling(speed=0) as caller:
        status, first = await add(caller, WHOLE)
        assert (status, first) == (200, {"id": first["id"], "applied": 0, **WHOLE})
        _, second = await add(caller, {"response": {"status": 503, "retryAfter": 9}})
        _, third = await add(caller, {"response": {"insufficientBalance": True}, "rate": 1})
        assert isinstance(third["seed"], int)
        assert await listed(caller) == [third, second, first] == caller.sandbox.rules
        remove = {"method": "DELETE"}
        status, left = await caller.call("removeSandboxRule", f"{RULES}/{second['id']}", **remove)
        assert (status, left) == (200, {"rules": [third, first]})
        assert (await caller.call("removeSandboxRule", f"{RULES}/{second['id']}", **remove))[0] == 404
        assert await caller.call("clearSandboxRules", RULES, **remove) == (200, {"rules": []})
        assert await listed(caller) == []


async def test_python_and_http_speak_of_the_same_rules() -> None:
    """What a program scripts is what the API shows, and the other way round."""
    async with calling(speed=0) as caller:
        rule = caller.sandbox.script(to=ADA, sms=MessageScript("failed", after=timedelta(seconds=2)))
        (shown,) = await listed(caller)
        assert shown == {"id": rule, "applied": 0, "to": ADA, "sms": {"outcome": "failed", "after": 2.0}}
        await add(caller, {"sms": "delivered"})
        assert len(caller.sandbox.rules) == 2


async def test_a_rule_applies() -> None:
    """A rule that was made over HTTP decides what becomes of a flow, and how often it did is shown."""
    async with calling(speed=0) as caller:
        await add(caller, {"to": ADA, "sms": {"outcome": "expired", "after": 60}})
        _, sent = await caller.send("sendFailover", SMS)
        await caller.sandbox.advance(timedelta(seconds=61))
        assert (await caller.track(sent["trackingId"]))["messages"][0]["status"]["name"] == "Undelivered"
        assert [rule["applied"] for rule in await listed(caller)] == [1]


@pytest.mark.parametrize(
    ("rule", "place", "why"),
    [
        ({}, "body", "must say what to do: viber, sms, voice, answer, fault or callbacks"),
        ([], "body", "must be object"),
        ({"vyber": "seen", "sms": "failed"}, "vyber", "is not known here"),
        ({"viber": "busy"}, "viber", "must be one of delivered, undelivered, failed, expired, unsent, error, seen"),
        ({"viber": 3}, "viber", "must be an outcome, or an object with an outcome"),
        ({"viber": {"after": 3}}, "viber.outcome", "is required"),
        ({"viber": {"outcome": "seen", "detail": ""}}, "viber.detail", "must have at least 1 characters"),
        ({"viber": {"outcome": "seen", "then": 1}}, "viber.then", "is not known here"),
        ({"sms": "failed", "to": "*69"}, "to", "must be a number, or the beginning of one and a *"),
        ({"response": {"insufficientBalance": False}}, "response.insufficientBalance", "must be true, or absent"),
        (
            {"response": {"insufficientBalance": True, "status": 400}},
            "response.status",
            "has no place beside insufficientBalance",
        ),
        (
            {"response": {"status": 500}, "fault": "reset"},
            "fault",
            "has no place beside an response: the flow is not taken",
        ),
        ({"callbacks": {}}, "callbacks", "must have at least 1 member"),
        (
            {"endpoint": "reading", "response": {"insufficientBalance": True}},
            "response.insufficientBalance",
            "has no place in a rule about requests that send nothing",
        ),
        ({"sms": "failed", "rate": "often"}, "rate", "must be number"),
    ],
)
async def test_what_no_rule_can_be(rule: Any, place: str, why: str) -> None:
    """A rule that cannot be is refused by the member, in words; no rule is made."""
    async with calling(speed=0) as caller:
        status, refusal = await add(caller, rule)
        assert (status, refusal["properties"][place]) == (400, why)
        assert await listed(caller) == []


async def test_there_is_an_end_to_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """One rule too many is refused."""
    monkeypatch.setattr(rules_module, "MAX_RULES", 1)
    async with calling(speed=0) as caller:
        await add(caller, {"sms": "failed"})
        assert (await add(caller, {"sms": "failed"}))[0] == 409


async def test_settings() -> None:
    """The search lag is shown and set; a lag that cannot be is refused, and nothing changes."""
    async with calling(speed=0) as caller:
        assert await caller.call("getSandboxSettings", SETTINGS) == (200, {"searchLag": 0.0})
        changed = await caller.call("setSandboxSettings", SETTINGS, method="POST", json={"searchLag": 2.5})
        assert changed == (200, {"searchLag": 2.5})
        assert caller.sandbox.search_lag == timedelta(seconds=2.5)
        for wrong in ({}, {"searchLag": -1}, {"searchLag": "long"}, {"lag": 1}, None):
            status, _ = await caller.call("setSandboxSettings", SETTINGS, method="POST", json=wrong)
            assert status == 400
        assert (await caller.call("getSandboxSettings", SETTINGS))[1] == {"searchLag": 2.5}


async def test_a_reset_forgets_rules_and_settings() -> None:
    """After a reset nothing is scripted, and a search finds a flow at once."""
    async with calling(speed=0) as caller:
        caller.sandbox.script(response=500)
        caller.sandbox.search_lag = timedelta(seconds=5)
        await caller.call("resetSandbox", "/sandbox/reset", method="POST")
        assert caller.sandbox.rules == []
        assert (await caller.send("sendFailover", SMS))[0] == 200
        _, page = await caller.call("searchFailovers", "/failover/tracking", method="POST")
        assert page["totalElements"] == 1


async def test_changes_of_rules_are_told() -> None:
    """Whoever watches the sandbox hears that its rules have changed."""
    async with calling(speed=0) as caller, caller.session.get("/sandbox/events") as stream:
        await stream.content.readuntil(b"\n\n")
        await add(caller, {"sms": "failed"})
        assert await stream.content.readuntil(b"\n\n") == b"event: rules\ndata: {}\n\n"


async def test_rules_are_kept_with_the_flows(tmp_path: Any) -> None:
    """With a store, rules are there again when the sandbox is started anew, with how often they applied."""
    kept = tmp_path / "sandbox.db"
    async with calling(speed=0, store=kept) as caller:
        caller.sandbox.script(sms="failed", times=2)
        await caller.send("sendFailover", SMS)
        rules = caller.sandbox.rules
        assert rules[0]["applied"] == 1
    async with calling(speed=0, store=kept) as caller:
        assert caller.sandbox.rules == rules
        await caller.send("sendFailover", SMS)
        await caller.send("sendFailover", SMS)
        names = [flow.steps[0].step.script.outcome.name for flow in caller.sandbox.accepted]
        assert names == ["FAILED", "FAILED", "DELIVERED"]


async def test_strange_senders_are_no_concern_of_rules() -> None:
    """A request that is refused by Routee's own rules is refused by them first, whatever was scripted."""
    async with calling(speed=0) as caller:
        await add(caller, {"response": {"status": 500}})
        status, _ = await caller.raw("POST", SENDS["sendFailover"], json=SMS)
        assert status == 401
