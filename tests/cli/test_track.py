"""`track`: prints the record of a flow as a table or as JSON."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from routee_failover import FlowRecord
from routee_failover.cli.record_formats import format_json
from routee_failover.sandbox import Sandbox

from .conftest import Cli
from .shell import FILES, PHONE, PIN

Write = Callable[[Any], str]


def _send(cli: Cli, write: Write, sandbox: Sandbox, endpoint: str) -> list[str]:
    """Send a flow; return the arguments of the track command that the receipt prints."""
    out = cli("send", write(FILES[endpoint]), at=sandbox).out
    return out.splitlines()[-1].split()[1:]


def _until_final(cli: Cli, sandbox: Sandbox, command: list[str]) -> str:
    for _ in range(1000):
        result = cli(*command, at=sandbox)
        assert result.exit_code == 0, result.err
        if any(word in result.out for word in ("Succeeded", "Failed", "Expired")):
            return result.out
    raise AssertionError(result.out)


@pytest.mark.parametrize("endpoint", ["standard", "transactional", "otp"])
def test_table_has_the_status_of_each_message(endpoint: str, cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """The table has the flow's status and the status, detail and price of each message; numbers are masked."""
    printed = _until_final(cli, sandbox, _send(cli, write, sandbox, endpoint))
    assert "status  Succeeded" in printed
    viber, sms = printed.splitlines()[-2:]
    assert viber.split()[:2] == ["Viber", "Expired"]
    assert sms.split()[:2] == ["Sms", "Delivered"]
    assert (viber.split()[-1], sms.split()[-1]) == ("0.01", "0.03")
    assert PHONE.lstrip("+") not in printed


def test_viber_otp_has_the_status_of_its_message(cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """A Viber OTP is one message, whose status is the flow's."""
    printed = _until_final(cli, sandbox, _send(cli, write, sandbox, "viber-otp"))
    assert "status  Expired" in printed
    assert printed.splitlines()[-1].split()[:2] == ["Viber", "Expired"]


def test_failed_flow_prints_the_reason_and_exits_with_0(cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """A failed flow has Routee's reason; the exit code is 0 all the same."""
    step = FILES["standard"]["flow"][0]
    command = cli("send", write({"endpoint": "standard", "flow": [step]}), at=sandbox).out.splitlines()[-1].split()[1:]
    assert "reason  no next step" in _until_final(cli, sandbox, command)


def test_flow_without_messages_has_no_table(cli: Cli, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flow without messages has no table, and unknown fields are left out."""

    async def track(*_: object) -> FlowRecord:
        return FlowRecord.from_dict({"status": "Paused\x1b[2J"})

    monkeypatch.setattr("routee_failover.cli.track._track", track)
    assert cli("track", "x", at=sandbox).out == "id      x\nstatus  Paused [2J\nNo message sent yet.\n"


def test_malformed_message_has_empty_cells(cli: Cli, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message with missing or malformed fields has empty cells."""

    async def track(*_: object) -> FlowRecord:
        return FlowRecord.from_dict({"messages": [{}, {"type": "Pigeon", "status": {"reason": ["tired"]}}]})

    monkeypatch.setattr("routee_failover.cli.track._track", track)
    result = cli("track", "x", at=sandbox)
    assert result.exit_code == 0
    assert result.out.splitlines()[-1].strip() == "Pigeon"


@pytest.mark.parametrize("endpoint", FILES)
def test_json_option_prints_the_response_without_pin(endpoint: str, cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """--json prints the response as JSON, with no PIN in it."""
    command = _send(cli, write, sandbox, endpoint)
    result = cli(*command, "--json", at=sandbox)
    response = json.loads(result.out)
    assert command[1] in {response.get("trackingId"), response.get("flowId")}
    assert PIN not in result.out


def test_format_json_escapes_control_codes() -> None:
    """JSON for a terminal keeps Unicode without control codes; for an ASCII pipe it is ASCII with the same content."""
    record = FlowRecord.from_dict({"name": "Ωmega\x9b2J\x1b"})
    assert format_json(record.raw, ascii_only=True).isascii()
    printed = format_json(record.raw, ascii_only=False, indent=2)
    assert "Ωmega" in printed
    assert "\x9b" not in printed
    assert json.loads(printed) == json.loads(format_json(record.raw, ascii_only=True)) == record.raw


def test_unknown_id_exits_with_1_and_advice(cli: Cli, sandbox: Sandbox) -> None:
    """An unknown id exits with code 1 and the likely reason."""
    result = cli("track", "nothing", "--endpoint", "otp", at=sandbox)
    assert result.exit_code == 1
    assert "404; Flow not found" in result.err
    assert "check --endpoint" in result.err


def test_invalid_endpoint_exits_with_2_and_lists_the_endpoints(cli: Cli) -> None:
    """An invalid endpoint is a usage error that lists the four."""
    result = cli("track", "x", "--endpoint", "sms")
    assert result.exit_code == 2
    assert "viber-otp" in result.err


def test_missing_variables_exit_with_2_and_are_named(cli: Cli) -> None:
    """All missing variables are named."""
    result = cli("track", "x")
    assert result.exit_code == 2
    assert "ROUTEE_APPLICATION_ID and ROUTEE_APPLICATION_SECRET are not set" in result.err
