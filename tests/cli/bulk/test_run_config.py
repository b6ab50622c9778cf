"""Run config in a ledger: it round-trips, continues a previous run, and holds no secret."""

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
RUN_CONFIG = RunConfig(
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


@pytest.mark.parametrize("run_config", [RUN_CONFIG, attrs.evolve(RUN_CONFIG, options=RunOptions())])
def test_config_round_trips_through_json(run_config: RunConfig) -> None:
    """A config round-trips through JSON."""
    text = json.dumps(run_config.to_document())
    assert RunConfig.from_document(json.loads(text)) == run_config
    assert "its-secret" not in text
    assert "the-application" not in text


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"version": None},
        {"options": None},
        {"options": {"unknown": "?"}},
        {"flow": 5},
        {"recipients": None},
    ],
)
def test_invalid_document_raises_ledger_error(change: dict[str, Any]) -> None:
    """A document of another version, or a damaged one, is reported as such."""
    with pytest.raises(LedgerError, match=r"another version|cannot be read"):
        RunConfig.from_document(RUN_CONFIG.to_document() | change)
    with pytest.raises(LedgerError, match="cannot be read"):
        RunConfig.from_document({})


def test_continued_config_keeps_options_not_given() -> None:
    """Options not given keep their values, given ones replace them, and the list of people may change."""
    more = Path("/data/more.csv")
    current = attrs.evolve(RUN_CONFIG, recipients=more, region=None, options=RunOptions(rate=50.0))
    continued = current.continued_from(RUN_CONFIG)
    assert continued == attrs.evolve(RUN_CONFIG, recipients=more, options=attrs.evolve(RUN_CONFIG.options, rate=50.0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"digest": "d2"}, "otp.json has changed since"),
        ({"digest": "d2", "flow": Path("/data/sms.json")}, r"sms.json is not the flow \(otp.json\)"),
        ({"key": "order"}, "started without --key"),
        ({"region": "CY"}, "started with --region GR"),
        ({"account": "another"}, "with another application"),
        ({"service": "this machine"}, r"to another Routee \(https://connect.routee.net\)"),
    ],
)
def test_contradicting_config_raises_invalid_source(change: dict[str, Any], message: str) -> None:
    """A change by which someone would get two messages, or a different one, is an error with advice."""
    with pytest.raises(InvalidSource, match=message) as caught:
        attrs.evolve(RUN_CONFIG, **change).continued_from(RUN_CONFIG)
    assert str(caught.value).endswith("With another --ledger everyone who already has a message would get a second one")
    assert "nothing was sent" in str(caught.value)


def test_service_name_ignores_the_port_of_this_machine() -> None:
    """Every port of this machine is the same Routee, and no stored address has a password."""
    ports = [attrs.evolve(CONFIG, api_url=f"http://127.0.0.1:{port}") for port in (8089, 9000)]
    assert {service_name(config) for config in ports} == {"this machine"}
    assert service_name(attrs.evolve(CONFIG, api_url="https://routee.example:8443")) == "https://routee.example:8443"
