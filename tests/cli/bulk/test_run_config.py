"""What a ledger keeps of how its run was begun: it comes back as it was, and holds no secret."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from routee_failover.bulk.reconciliation import UnknownPolicy
from routee_failover.cli.bulk.run_config import RunConfig, RunOptions, account_digest, service_name
from routee_failover.config import Config
from routee_failover.errors import InvalidSource, LedgerError

CONFIG = Config(application_id="the-application", application_secret="its-secret")
PLAN = RunConfig(
    recipients=Path("/data/people.csv"),
    format=None,
    flow=Path("/data/otp.json"),
    digest="d1",
    endpoint="otp",
    key=None,
    region="GR",
    invalid_rows=Path("/data/people.invalid.csv"),
    service=service_name(CONFIG),
    account=account_digest(CONFIG),
    options=RunOptions(
        rate=5.5,
        concurrency=3,
        hours="09:00-20:00",
        deadline=timedelta(minutes=5),
        unknown=UnknownPolicy.KEEP,
        reconcile_after=timedelta(seconds=90),
        callbacks="https://you.example.com/routee",
        listen="0.0.0.0:9000",
    ),
)


@pytest.mark.parametrize("plan", [PLAN, attrs.evolve(PLAN, options=RunOptions())])
def test_there_and_back(plan: RunConfig) -> None:
    """A plan survives JSON."""
    text = json.dumps(plan.to_document())
    assert RunConfig.from_document(json.loads(text)) == plan
    assert "its-secret" not in text
    assert "the-application" not in text


@pytest.mark.parametrize(
    "change",
    [{"form": 2}, {"form": None}, {"options": None}, {"options": {"unknown": "?"}}, {"flow": 5}, {"recipients": None}],
)
def test_no_plan(change: dict[str, Any]) -> None:
    """What was written by another version, or damaged, is said to be so."""
    with pytest.raises(LedgerError, match=r"another version|cannot be read"):
        RunConfig.from_document(PLAN.to_document() | change)
    with pytest.raises(LedgerError, match="cannot be read"):
        RunConfig.from_document({})


def test_going_on() -> None:
    """What is not given stays as it was; what is given takes its place; the list of people may be another."""
    more = Path("/data/more.csv")
    now = attrs.evolve(PLAN, recipients=more, region=None, options=RunOptions(rate=50.0))
    went_on = now.continued_from(PLAN)
    assert went_on == attrs.evolve(PLAN, recipients=more, options=attrs.evolve(PLAN.options, rate=50.0))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"digest": "d2"}, "otp.json has changed since"),
        ({"digest": "d2", "flow": Path("/data/sms.json")}, r"sms.json is not the one \(otp.json\)"),
        ({"key": "order"}, "begun without --key"),
        ({"region": "CY"}, "begun with --region GR"),
        ({"account": "another"}, "with another application"),
        ({"service": "this machine"}, r"to another Routee \(https://connect.routee.net\)"),
    ],
)
def test_not_going_on(change: dict[str, Any], words: str) -> None:
    """What would have somebody get two messages, or another one, is refused, and says what to do."""
    with pytest.raises(InvalidSource, match=words) as caught:
        attrs.evolve(PLAN, **change).continued_from(PLAN)
    assert str(caught.value).endswith("With another --ledger everyone who has a message already would get a second one")
    assert "nothing was sent" in str(caught.value)


def test_a_sandbox_may_come_back_elsewhere() -> None:
    """All ports of this machine are one Routee, and no address of it holds a password."""
    ports = [attrs.evolve(CONFIG, api_url=f"http://127.0.0.1:{port}") for port in (8089, 9000)]
    assert {service_name(config) for config in ports} == {"this machine"}
    assert service_name(attrs.evolve(CONFIG, api_url="https://routee.example:8443")) == "https://routee.example:8443"
