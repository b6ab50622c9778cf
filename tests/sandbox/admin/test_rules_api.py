"""Rules and settings over HTTP, for tests in any language."""

from datetime import timedelta
from typing import Any

import pytest

from routee_failover.sandbox import MessageScript
from routee_failover.sandbox.simulation import rules as rules_module
from tests.sandbox.raw_http import SENDS, SMS_STEP, Caller, open_caller

RULES, SETTINGS = "/sandbox/rules", "/sandbox/settings"
ADA = "+306912345678"
SMS = {"flow": [{**SMS_STEP, "to": ADA}]}


async def add_rule(caller: Caller, rule: Any) -> tuple[int, Any]:
    """Add a rule."""
    return await caller.call("addSandboxRule", RULES, method="POST", json=rule)


async def list_rules(caller: Caller) -> list[Any]:
    """Return the rules."""
    status, body = await caller.call("listSandboxRules", RULES)
    assert status == 200
    rules: list[Any] = body["rules"]
    return rules


COMPLETE_RULE = {
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


async def test_rules_are_added_listed_newest_first_and_removed() -> None:
    """A rule is returned as given, with its id; the newest is listed first, and each can be removed."""
    async with open_caller(speed=0) as caller:
        status, first = await add_rule(caller, COMPLETE_RULE)
        assert (status, first) == (200, {"id": first["id"], "applied": 0, **COMPLETE_RULE})
        _, second = await add_rule(caller, {"response": {"status": 503, "retryAfter": 9}})
        _, third = await add_rule(caller, {"response": {"insufficientBalance": True}, "rate": 1})
        assert isinstance(third["seed"], int)
        assert await list_rules(caller) == [third, second, first] == caller.sandbox.rules
        remove = {"method": "DELETE"}
        status, remaining = await caller.call("removeSandboxRule", f"{RULES}/{second['id']}", **remove)
        assert (status, remaining) == (200, {"rules": [third, first]})
        assert (await caller.call("removeSandboxRule", f"{RULES}/{second['id']}", **remove))[0] == 404
        assert await caller.call("clearSandboxRules", RULES, **remove) == (200, {"rules": []})
        assert await list_rules(caller) == []


async def test_python_and_http_share_the_rules() -> None:
    """A rule from Python is listed over HTTP, and the other way round."""
    async with open_caller(speed=0) as caller:
        rule = caller.sandbox.script(to=ADA, sms=MessageScript("failed", after=timedelta(seconds=2)))
        (shown,) = await list_rules(caller)
        assert shown == {"id": rule, "applied": 0, "to": ADA, "sms": {"outcome": "failed", "after": 2.0}}
        await add_rule(caller, {"sms": "delivered"})
        assert len(caller.sandbox.rules) == 2


async def test_rule_added_over_http_applies_and_is_counted() -> None:
    """A rule that was added over HTTP decides the outcome of a flow, and its applications are counted."""
    async with open_caller(speed=0) as caller:
        await add_rule(caller, {"to": ADA, "sms": {"outcome": "expired", "after": 60}})
        _, sent = await caller.send("sendFailover", SMS)
        await caller.sandbox.advance(timedelta(seconds=61))
        assert (await caller.track(sent["trackingId"]))["messages"][0]["status"]["name"] == "Undelivered"
        assert [rule["applied"] for rule in await list_rules(caller)] == [1]


@pytest.mark.parametrize(
    ("rule", "member", "reason"),
    [
        ({}, "body", "must have at least one of viber, sms, voice, response, fault and callbacks"),
        ([], "body", "must be object"),
        ({"vyber": "seen", "sms": "failed"}, "vyber", "is not known here"),
        ({"viber": "busy"}, "viber", "must be one of delivered, undelivered, failed, expired, unsent, error, seen"),
        ({"viber": 3}, "viber", "must be an outcome, or an object with an outcome"),
        ({"viber": {"after": 3}}, "viber.outcome", "is required"),
        ({"viber": {"outcome": "seen", "detail": ""}}, "viber.detail", "must have at least 1 characters"),
        ({"viber": {"outcome": "seen", "then": 1}}, "viber.then", "is not known here"),
        ({"sms": "failed", "to": "*69"}, "to", "must be a number, or a prefix and a *"),
        ({"response": {"insufficientBalance": False}}, "response.insufficientBalance", "must be true, or absent"),
        (
            {"response": {"insufficientBalance": True, "status": 400}},
            "response.status",
            "is not allowed with insufficientBalance",
        ),
        (
            {"response": {"status": 500}, "fault": "reset"},
            "fault",
            "is not allowed with a response: the flow is not accepted",
        ),
        ({"callbacks": {}}, "callbacks", "must have at least 1 member"),
        (
            {"endpoint": "reading", "response": {"insufficientBalance": True}},
            "response.insufficientBalance",
            "is not allowed in a rule for requests that send nothing",
        ),
        ({"sms": "failed", "rate": "often"}, "rate", "must be number"),
    ],
)
async def test_invalid_rule_is_rejected_with_member_and_reason(rule: Any, member: str, reason: str) -> None:
    """An invalid rule is rejected with member and reason, and not added."""
    async with open_caller(speed=0) as caller:
        status, error = await add_rule(caller, rule)
        assert (status, error["properties"][member]) == (400, reason)
        assert await list_rules(caller) == []


async def test_too_many_rules_return_409(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule beyond the maximum is rejected."""
    monkeypatch.setattr(rules_module, "MAX_RULES", 1)
    async with open_caller(speed=0) as caller:
        await add_rule(caller, {"sms": "failed"})
        assert (await add_rule(caller, {"sms": "failed"}))[0] == 409


async def test_search_lag_is_shown_set_and_validated() -> None:
    """The search lag is shown and set; an invalid one is rejected, and nothing changes."""
    async with open_caller(speed=0) as caller:
        assert await caller.call("getSandboxSettings", SETTINGS) == (200, {"searchLag": 0.0})
        changed = await caller.call("setSandboxSettings", SETTINGS, method="POST", json={"searchLag": 2.5})
        assert changed == (200, {"searchLag": 2.5})
        assert caller.sandbox.search_lag == timedelta(seconds=2.5)
        for invalid in ({}, {"searchLag": -1}, {"searchLag": "long"}, {"lag": 1}, None):
            status, _ = await caller.call("setSandboxSettings", SETTINGS, method="POST", json=invalid)
            assert status == 400
        assert (await caller.call("getSandboxSettings", SETTINGS))[1] == {"searchLag": 2.5}


async def test_reset_removes_rules_and_restores_settings() -> None:
    """After a reset nothing is scripted, and a search finds a flow immediately."""
    async with open_caller(speed=0) as caller:
        caller.sandbox.script(response=500)
        caller.sandbox.search_lag = timedelta(seconds=5)
        await caller.call("resetSandbox", "/sandbox/reset", method="POST")
        assert caller.sandbox.rules == []
        assert (await caller.send("sendFailover", SMS))[0] == 200
        _, page = await caller.call("searchFailovers", "/failover/tracking", method="POST")
        assert page["totalElements"] == 1


async def test_rule_changes_are_streamed() -> None:
    """The event stream reports that the rules have changed."""
    async with open_caller(speed=0) as caller, caller.session.get("/sandbox/events") as stream:
        await stream.content.readuntil(b"\n\n")
        await add_rule(caller, {"sms": "failed"})
        assert await stream.content.readuntil(b"\n\n") == b"event: rules\ndata: {}\n\n"


async def test_rules_and_their_counts_survive_a_restart(tmp_path: Any) -> None:
    """With a store, rules survive a restart, with how many times they applied."""
    store_path = tmp_path / "sandbox.db"
    async with open_caller(speed=0, store=store_path) as caller:
        caller.sandbox.script(sms="failed", times=2)
        await caller.send("sendFailover", SMS)
        rules = caller.sandbox.rules
        assert rules[0]["applied"] == 1
    async with open_caller(speed=0, store=store_path) as caller:
        assert caller.sandbox.rules == rules
        await caller.send("sendFailover", SMS)
        await caller.send("sendFailover", SMS)
        names = [flow.steps[0].step.script.outcome.name for flow in caller.sandbox.accepted]
        assert names == ["FAILED", "FAILED", "DELIVERED"]


async def test_routees_own_errors_precede_rules() -> None:
    """A request that Routee's own rules reject is rejected by them first, whatever was scripted."""
    async with open_caller(speed=0) as caller:
        await add_rule(caller, {"response": {"status": 500}})
        status, _ = await caller.raw("POST", SENDS["sendFailover"], json=SMS)
        assert status == 401
