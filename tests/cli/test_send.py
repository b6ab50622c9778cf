"""`send`: sends one flow from a file, prints its receipt, and reports every failure."""

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
def test_receipt_has_the_facts_and_the_track_command(endpoint: str, cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """The receipt has the id, status, channel and time, and the command that tracks the flow."""
    result = cli("send", write(FILES[endpoint]), at=sandbox)
    assert (result.exit_code, result.err) == (0, "")
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


def test_endpoint_option_overrides_the_endpoint_on_stdin(cli: Cli, sandbox: Sandbox) -> None:
    """`-` reads stdin, also with a byte order mark, and --endpoint overrides the endpoint in the file."""
    body = json.dumps(FILES["otp"] | {"endpoint": "standard"}).encode("utf-8-sig")
    result = cli("send", "-", "--endpoint", "otp", at=sandbox, stdin=body)
    assert result.exit_code == 0
    assert [flow.endpoint for flow in sandbox.accepted] == ["otp"]


def test_endpoint_option_completes_a_file_without_one(cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """A file without an endpoint is sent to the one of --endpoint."""
    assert cli("send", write({"flow": [VIBER]}), "--endpoint", "standard", at=sandbox).exit_code == 0


def test_invalid_flow_reports_every_problem_and_sends_nothing(cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """Every problem of a flow is reported with its path and without its value, and nothing is sent."""
    invalid = {
        "endpoint": "otp",
        "flow": [VIBER_OTP_STEP | {"pin": "84", "ttl": "60"}, OTP_SMS | {"mesage": 1}],
        "more": 1,
    }
    result = cli("send", write(invalid), at=sandbox)
    assert result.exit_code == 2
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


def test_keep_unknown_sends_undocumented_keys(cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """With --keep-unknown, undocumented keys are sent as they are."""
    assert cli("send", write(FILES["standard"] | {"more": 1}), "--keep-unknown", at=sandbox).exit_code == 0
    assert sandbox.accepted[0].body["more"] == 1


@pytest.mark.parametrize("endpoint", FILES)
def test_raw_file_is_sent_as_it_is(endpoint: str, cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """With `"raw": true` the rest of the file is sent unchecked and in its order, and the receipt is printed."""
    unknown = {} if endpoint == "transactional" else {"zeta": {"new": None}}  # which Routee rejects there
    body = dict(reversed({**FILES[endpoint], **unknown}.items()))
    del body["endpoint"]
    result = cli("send", write({"endpoint": endpoint, "raw": True} | body), at=sandbox)
    (flow,) = sandbox.accepted
    assert (result.exit_code, result.err) == (0, "")
    assert f"track {flow.id} --endpoint {endpoint}" in result.out
    assert (flow.endpoint, [*flow.body.items()]) == (endpoint, [*body.items()])


def test_rejected_raw_file_shows_nothing_of_it(cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """A raw file reaches Routee whatever it has, and no error shows a text, code or number of it."""
    flow = {"endpoint": "otp", "raw": True, "flow": [{"type": PIN, "to": PHONE, "pin": PIN}]}
    result = cli("send", write(flow), at=sandbox)
    assert result.exit_code == 1
    assert "rejected it with 422; body.flow.0.type: must be one of ViberOtp, Sms" in result.err
    assert not [secret for secret in (PIN, PHONE, PHONE[1:]) if secret in result.err + result.out]


def test_unknown_raw_file_exits_with_4_without_a_hint(cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """An unknown raw flow cannot be looked up by anything that is known of it, so that no hint says so."""
    sandbox.script(response=500)
    result = cli("send", write(FILES["otp"] | {"raw": True}), at=sandbox)
    assert (result.exit_code, "Look it up" in result.err) == (4, False)
    assert "Look it up by endpoint otp, to +3069****0300." in cli("send", write(FILES["otp"]), at=sandbox).err


@pytest.mark.parametrize("raw", ["true", 1, None])
def test_raw_that_is_neither_true_nor_false_exits_with_2(raw: Any, cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """Whether a file is checked is never guessed."""
    result = cli("send", write(FILES["otp"] | {"raw": raw}), at=sandbox)
    assert result.exit_code == 2
    assert "raw: must be true or false" in result.err
    assert sandbox.counts.requests == 0


def test_file_with_raw_false_is_checked(cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """`"raw": false` is a file like any other."""
    assert cli("send", write(FILES["otp"] | {"raw": False}), at=sandbox).exit_code == 0
    assert "raw" not in sandbox.accepted[0].body
    assert cli("send", write(FILES["otp"] | {"raw": False, "more": 1}), at=sandbox).exit_code == 2


@pytest.mark.parametrize(
    ("content", "reason"),
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
def test_file_without_a_flow_exits_with_2(content: bytes, reason: str, cli: Cli, write: Write) -> None:
    """A file without a flow is one clear line that quotes none of it, and exit code 2."""
    result = cli("send", write(content))
    assert (result.exit_code, result.out) == (2, "")
    assert reason in result.err
    assert "nothing was sent" in result.err
    assert "Traceback" not in result.err
    assert PIN not in result.err


def test_missing_file_and_directory_are_reported(cli: Cli, tmp_path: Path) -> None:
    """A missing file and a directory are reported as such."""
    assert "No such file" in cli("send", str(tmp_path / "nothing\x1b[2J.json")).err
    result = cli("send", str(tmp_path))
    assert result.exit_code == 2
    assert "Is a directory" in result.err


def test_control_codes_in_a_file_name_are_not_printed(cli: Cli, tmp_path: Path) -> None:
    """Control codes in a file's name do not reach the terminal."""
    assert "\x1b" not in cli("send", str(tmp_path / "\x1b[2J.json")).err


@pytest.mark.parametrize("name", ["ROUTEE_APPLICATION_ID", "ROUTEE_APPLICATION_SECRET"])
def test_missing_variable_exits_with_2_and_is_named(name: str, cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """A missing variable is named, with exit code 2."""
    result = cli("send", write(FILES["otp"]), at=sandbox, **{name: None})
    assert result.exit_code == 2
    assert f"{name} is not set" in result.err


def test_wrong_secret_exits_with_2(cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """A wrong secret is a wrong setting: exit code 2, and the variables to check."""
    result = cli("send", write(FILES["otp"]), at=sandbox, ROUTEE_APPLICATION_SECRET="canary")
    assert result.exit_code == 2
    assert "rejected the application id and secret" in result.err
    assert "ROUTEE_APPLICATION_SECRET" in result.err
    assert "canary" not in result.err


def test_unreachable_server_exits_with_3(cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """With no server at the address the exit code is 3: nothing was sent, and it is safe to try again."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        unreachable = f"http://127.0.0.1:{closed.getsockname()[1]}"
        result = cli("send", write(FILES["otp"]), at=sandbox, ROUTEE_API_URL=unreachable)
    assert result.exit_code == 3
    assert "no connection" in result.err
    assert "nothing was sent" in result.err
    assert "ROUTEE_API_URL" in result.err


def test_rejected_flow_exits_with_1_and_advice(cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """A flow that Routee rejects exits with code 1, Routee's message, and advice."""
    flow = {"endpoint": "standard", "flow": [VIBER | {"senderInfoTrackingId": "unknown"}]}
    result = cli("send", write(flow), at=sandbox)
    assert result.exit_code == 1
    assert "404; The sender info was not found; the message was not accepted" in result.err
    assert "ids of the sender" in result.err


def test_otp_failed_on_every_channel_exits_with_1(cli: Cli, write: Write, sandbox: Sandbox) -> None:
    """An OTP that every channel rejected is a rejection, although the response is a 200."""
    to = {"to": "+306900000222"}
    result = cli("send", write({"endpoint": "otp", "flow": [VIBER_OTP_STEP | to, OTP_SMS | to]}), at=sandbox)
    assert result.exit_code == 1
    assert "no next step" in result.err


def test_receipt_with_an_id_alone_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """A receipt with an id alone is printed without empty fields; the id is quoted for the shell."""
    receipt = FlowReceipt.from_dict({"trackingId": "a b\x1b[2J"})
    _print_receipt(receipt, _track_command(receipt, Endpoint.STANDARD))
    printed = capsys.readouterr().out
    assert "'a b [2J'" in printed
    assert "channel" not in printed
    assert PHONE not in printed
