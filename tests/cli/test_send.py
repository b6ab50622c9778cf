"""`send`: one flow out of a file, its receipt, and every way in which it does not come to one."""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from routee_failover import Endpoint
from routee_failover.cli.send import _print_receipt, _track_command
from routee_failover.records import FlowReceipt
from routee_failover.sandbox import Sandbox

from .conftest import Cli
from .shell import FILES, OTP_SMS, PHONE, PIN, VIBER, VIBER_OTP_STEP

Write = Callable[[Any], str]


@pytest.mark.parametrize("endpoint", FILES)
def test_receipt(endpoint: str, cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """A sent flow is answered with its id, status, channel and time, and with the command that follows it."""
    result = cli("send", write(FILES[endpoint]), at=sandbox)
    assert (result.status, result.err) == (0, "")
    (flow,) = sandbox.accepted
    assert flow.endpoint == endpoint
    for line in (
        f"id          {flow.id}",
        "channel     Viber",
        f"routee-failover track {flow.id} --endpoint {endpoint}",
    ):
        assert line in result.out
    assert "status      " in result.out
    assert "created at  " in result.out
    assert PIN not in result.out


def test_stdin_and_endpoint(cli: Cli, sandbox: Sandbox) -> None:
    """`-` reads stdin, also with a byte order mark, and --endpoint goes before the one in the file."""
    body = json.dumps(FILES["otp"] | {"endpoint": "standard"}).encode("utf-8-sig")
    result = cli("send", "-", "--endpoint", "otp", at=sandbox, stdin=body)
    assert result.status == 0
    assert [flow.endpoint for flow in sandbox.accepted] == ["otp"]


def test_endpoint_of_a_file_that_names_none(cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """A file of the API's own shape, with no endpoint in it, is sent where --endpoint says."""
    assert cli("send", write({"flow": [VIBER]}), "--endpoint", "standard", at=sandbox).status == 0


def test_all_problems_at_once(cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """Everything wrong with a flow is told with its path, nothing with its value, and nothing is sent."""
    wrong = {
        "endpoint": "otp",
        "flow": [VIBER_OTP_STEP | {"pin": "84", "ttl": "60"}, OTP_SMS | {"mesage": 1}],
        "more": 1,
    }
    result = cli("send", write(wrong), at=sandbox)
    assert result.status == 2
    assert "flow.json (otp): 4 problems; nothing was sent" in result.err
    for line in (
        "flow[0].pin: must have",
        "flow[0].ttl: must be",
        "flow[1].mesage: unknown key; did",
        "more: unknown key",
    ):
        assert line in result.err
    assert "--keep-unknown sends" in result.err
    assert sandbox.counts.requests == 0


def test_keep_unknown(cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """With --keep-unknown, keys that nobody documents are sent as they are."""
    assert cli("send", write(FILES["standard"] | {"more": 1}), "--keep-unknown", at=sandbox).status == 0
    assert sandbox.accepted[0].body["more"] == 1


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is not JSON (Expecting value at line 1 column 1)"),
        (b'{"pin": "847291"', "is not JSON"),
        (b"\xff\xfe", "is not UTF-8 (byte 0)"),
        (b"[]", "must contain one JSON object"),
        (b'"847291"', "must contain one JSON object"),
        (b'{"ttl": NaN}', "NaN is not a JSON number"),
        (b'{"pin": "1", "pin": "847291"}', "the key pin occurs twice"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"ttl": ' + b"1" * 5000 + b"}", "is not JSON that can be sent"),
        (b" " * 4_300_000, "more than 4 MiB"),
        (b"{}", "endpoint: required: standard, transactional, otp or viber-otp"),
        (b'{"endpoint": "847291"}', "endpoint: must be standard"),
        (b'{"endpoint": {}}', "endpoint: must be standard"),
    ],
)
def test_no_flow_in_the_file(content: bytes, why: str, cli: Cli, write: Write) -> None:
    """A file that holds no flow is one clear line that quotes none of it, and status 2."""
    result = cli("send", write(content))
    assert (result.status, result.out) == (2, "")
    assert why in result.err
    assert "nothing was sent" in result.err
    assert "Traceback" not in result.err
    assert PIN not in result.err


def test_no_file(cli: Cli, tmp_path: Path) -> None:
    """A missing file and a directory are told as such."""
    assert "No such file" in cli("send", str(tmp_path / "nothing\x1b[2J.json")).err
    result = cli("send", str(tmp_path))
    assert result.status == 2
    assert "Is a directory" in result.err


def test_name_of_a_file_is_no_order(cli: Cli, tmp_path: Path) -> None:
    """Control codes in a file's name do not reach the terminal."""
    assert "\x1b" not in cli("send", str(tmp_path / "\x1b[2J.json")).err


@pytest.mark.parametrize("name", ["ROUTEE_APPLICATION_ID", "ROUTEE_APPLICATION_SECRET"])
def test_missing_setting(name: str, cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """A missing variable is named, with status 2."""
    result = cli("send", write(FILES["otp"]), at=sandbox, **{name: None})
    assert result.status == 2
    assert f"{name} is not set" in result.err


def test_wrong_secret(cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """A wrong secret is a wrong setting: status 2, and the variables to look at."""
    result = cli("send", write(FILES["otp"]), at=sandbox, ROUTEE_APPLICATION_SECRET="canary")
    assert result.status == 2
    assert "rejected the application id and secret" in result.err
    assert "ROUTEE_APPLICATION_SECRET" in result.err
    assert "canary" not in result.err


def test_no_server(cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """With nobody at the address the status is 3: nothing was sent, and sending again is safe."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
        result = cli("send", write(FILES["otp"]), at=sandbox, ROUTEE_API_URL=nobody)
    assert result.status == 3
    assert "no connection" in result.err
    assert "nothing was sent" in result.err
    assert "ROUTEE_API_URL" in result.err


def test_refused(cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """What Routee refuses ends with status 1, its words, and where to look."""
    flow = {"endpoint": "standard", "flow": [VIBER | {"senderInfoTrackingId": "unknown"}]}
    result = cli("send", write(flow), at=sandbox)
    assert result.status == 1
    assert "404; The sender info was not found; the message was not accepted" in result.err
    assert "ids of the sender" in result.err


def test_failed_on_every_channel(cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """An OTP that no channel took is a refusal, although it comes with a 200."""
    to = {"to": "+306900000222"}
    result = cli("send", write({"endpoint": "otp", "flow": [VIBER_OTP_STEP | to, OTP_SMS | to]}), at=sandbox)
    assert result.status == 1
    assert "no next step" in result.err


def test_bare_receipt(capsys: pytest.CaptureFixture[str]) -> None:
    """A receipt that lacks everything but its id is shown as it is; an odd id is quoted for the shell."""
    receipt = FlowReceipt.from_dict({"trackingId": "a b\x1b[2J"})
    _print_receipt(receipt, _track_command(receipt, Endpoint.STANDARD))
    shown = capsys.readouterr().out
    assert "'a b [2J'" in shown
    assert "channel" not in shown
    assert PHONE not in shown
