"""`track --follow`: a line for each change until the end, or a JSON record."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from routee_failover import FlowRecord
from routee_failover.cli.exit_codes import ExitCode
from routee_failover.cli.follow import ChangePrinter
from routee_failover.cli.terminal import Terminal
from routee_failover.sandbox import Sandbox

from .conftest import Cli, running
from .shell import FILES, PHONE, PIN

Write = Callable[[Any], str]


def _command(cli: Cli, write: Write, sandbox: Sandbox, endpoint: str) -> list[str]:
    out = cli("send", write(FILES[endpoint]), at=sandbox).out
    return [*out.splitlines()[-1].split()[1:], "--follow"]


def test_to_the_end(cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """A flow is followed until it has ended, and then shown as ever; numbers are masked."""
    for endpoint in ("standard", "otp", "viber-otp"):
        result = cli(*_command(cli, write, sandbox, endpoint), at=sandbox)
        assert result.status == 0, result.err
        changes, _, shown = result.out.partition("\n\n")
        assert "flow    " in changes.splitlines()[-1]
        assert "Viber" in changes
        assert "status  " in shown
        assert PHONE.lstrip("+") not in result.out


def test_as_json(cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """With --json each change is one line: Routee's answer with its secrets masked, and nothing else."""
    result = cli(*_command(cli, write, sandbox, "otp"), "--json", at=sandbox)
    records = [json.loads(line) for line in result.out.splitlines()]
    assert records[-1]["status"] == "Succeeded"
    assert PIN not in result.out


def test_the_time_is_over(cli: Cli, write: Write) -> None:
    """A flow that does not end in time is no traceback: the line says how it was last seen."""
    with running(Sandbox(speed=0)) as sandbox:
        result = cli(*_command(cli, write, sandbox, "otp"), "--timeout", "0.5", at=sandbox)
    assert "it was last seen InProgress" in result.err
    assert "flow    InProgress" in result.out
    assert result.status == ExitCode.UNKNOWN


def test_what_is_new_is_told_once() -> None:
    """Of each record only what has changed is printed: a new message, another status, the end with its reason."""
    console = Terminal()
    following = ChangePrinter(console, as_json=False, now=lambda: datetime(2026, 1, 2, 3, 4, 5))
    viber = {"type": "Viber", "to": "+306912345678", "status": {"name": "QUEUED"}}
    expired = viber | {"status": {"name": "EXPIRED", "reason": {"detailedStatus": "TTL Expired"}}}
    sms = {"type": "Sms", "status": {"name": "Delivered", "reason": {"detailedStatus": "Delivered"}}}
    failed = {"status": "Failed", "statusCode": "2"}
    records: list[dict[str, Any]] = [
        {"status": "Queued"},
        {"status": "InProgress", "messages": [viber]},
        {"status": "InProgress", "messages": [viber]},
        {"status": "InProgress", "messages": [expired, sms]},
        failed | {"messages": [expired, sms, {}]},
    ]
    with console.capture() as captured:
        over = [following.print_changes(FlowRecord.from_dict(record)) for record in records]
    assert over == [False, False, False, False, True]
    lines = captured.get().splitlines()
    assert all(line.startswith("03:04:05  ") for line in lines)
    assert [line.removeprefix("03:04:05  ") for line in lines] == [
        "flow    Queued",
        "Viber   Queued  +3069****5678",
        "flow    InProgress",
        "Viber   Expired  TTL Expired  +3069****5678",
        "Sms     Delivered",
        "message unknown",
        "flow    Failed, no next step",
    ]


def test_as_long_as_a_flow_may_live(cli: Cli, sandbox: Sandbox) -> None:
    """A flow may be followed for fourteen days, as long as a one-time password by Viber may live, and no longer."""
    longest = 14 * 24 * 3600
    unknown = cli("track", "no-such-flow", "--follow", "--timeout", str(longest), at=sandbox)
    assert "is --endpoint right?" in unknown.err
    assert "--timeout" in cli("track", "no-such-flow", "--follow", "--timeout", str(longest + 1), at=sandbox).err
