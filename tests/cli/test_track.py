"""`track`: the record of a message, as a table or as JSON."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from routee_failover import FlowRecord
from routee_failover.cli.output import format_json
from routee_failover.sandbox import Sandbox

from .conftest import Cli
from .shell import FILES, PHONE, PIN

Write = Callable[[Any], str]


def _sent(cli: Cli, write: Write, sandbox: Sandbox, endpoint: str) -> list[str]:
    """Send, and give the arguments of the command that the receipt prints."""
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
def test_table(endpoint: str, cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """The printed command shows the flow's status and what each channel said, did and costs; numbers are masked."""
    shown = _until_final(cli, sandbox, _sent(cli, write, sandbox, endpoint))
    assert "status  Succeeded" in shown
    viber, sms = shown.splitlines()[-2:]
    assert viber.split()[:2] == ["Viber", "Expired"]
    assert sms.split()[:2] == ["Sms", "Delivered"]
    assert (viber.split()[-1], sms.split()[-1]) == ("0.01", "0.03")
    assert PHONE.lstrip("+") not in shown


def test_viber_otp(cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """A Viber OTP is one message, and its status is the whole's."""
    shown = _until_final(cli, sandbox, _sent(cli, write, sandbox, "viber-otp"))
    assert "status  Expired" in shown
    assert shown.splitlines()[-1].split()[:2] == ["Viber", "Expired"]


def test_reason(cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """A flow that failed says why in Routee's words; the status of the command is 0 all the same."""
    step = FILES["standard"]["flow"][0]
    command = cli("send", write({"endpoint": "standard", "flow": [step]}), at=sandbox).out.splitlines()[-1].split()[1:]
    assert "reason  no next step" in _until_final(cli, sandbox, command)


def test_nothing_yet(cli: Cli, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flow that has not begun has no table, and unknown facts are left out."""

    async def track(*_: object) -> FlowRecord:
        return FlowRecord.from_dict({"status": "Paused\x1b[2J"})

    monkeypatch.setattr("routee_failover.cli.track._track", track)
    assert cli("track", "x", at=sandbox).out == "id      x\nstatus  Paused [2J\nNothing has left yet.\n"


def test_record_with_gaps(cli: Cli, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that lacks everything, or says it in another shape, is an empty line of the table."""

    async def track(*_: object) -> FlowRecord:
        return FlowRecord.from_dict({"messages": [{}, {"type": "Pigeon", "status": {"reason": "tired"}}]})

    monkeypatch.setattr("routee_failover.cli.track._track", track)
    result = cli("track", "x", at=sandbox)
    assert result.exit_code == 0
    assert result.out.splitlines()[-1].strip() == "Pigeon"


@pytest.mark.parametrize("endpoint", FILES)
def test_json(endpoint: str, cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """--json prints the answer as JSON, with no PIN in it."""
    command = _sent(cli, write, sandbox, endpoint)
    result = cli(*command, "--json", at=sandbox)
    answer = json.loads(result.out)
    assert command[1] in {answer.get("trackingId"), answer.get("flowId")}
    assert PIN not in result.out


def test_json_is_safe_to_show() -> None:
    """JSON for a screen keeps letters and holds no control codes; for an ASCII pipe it is ASCII and says the same."""
    record = FlowRecord.from_dict({"name": "Ωmega\x9b2J\x1b"})
    assert format_json(record.raw, ascii_only=True).isascii()
    shown = format_json(record.raw, ascii_only=False, indent=2)
    assert "Ωmega" in shown
    assert "\x9b" not in shown
    assert json.loads(shown) == json.loads(format_json(record.raw, ascii_only=True)) == record.raw


def test_unknown_id(cli: Cli, sandbox: Sandbox) -> None:
    """An unknown id ends with status 1 and the likeliest reason."""
    result = cli("track", "nothing", "--endpoint", "otp", at=sandbox)
    assert result.exit_code == 1
    assert "404; Flow not found" in result.err
    assert "is --endpoint right?" in result.err


def test_unknown_endpoint(cli: Cli) -> None:
    """An endpoint that there is not is wrong usage, and the four are named."""
    result = cli("track", "x", "--endpoint", "sms")
    assert result.exit_code == 2
    assert "viber-otp" in result.err


def test_missing_settings(cli: Cli) -> None:
    """Missing variables are all named."""
    result = cli("track", "x")
    assert result.exit_code == 2
    assert "ROUTEE_APPLICATION_ID and ROUTEE_APPLICATION_SECRET are not set" in result.err
