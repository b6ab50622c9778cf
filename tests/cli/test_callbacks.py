"""`callbacks listen`: every callback is printed as it arrives, with private data masked."""

import asyncio
import json
import re
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from routee_failover import ReceiveResult, parse_callback
from routee_failover.cli import callbacks as command
from routee_failover.cli.terminal import OutputClosed
from routee_failover.sandbox import Sandbox
from tests.webhooks.payloads import INBOUND, NEW, OTP, PHONE, PIN, VIBER_OTP, WORDS, Json, body_of, flow, otp

from .conftest import Cli
from .shell import FILES, PROGRAM, environment, run


@contextmanager
def _listening(*arguments: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Run the command in a process; yield it and the URL that it prints."""
    program = [*PROGRAM, "callbacks", "listen", *arguments]
    with subprocess.Popen(
        program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            match = re.fullmatch(r"Listening for callbacks at (http://\S+)\. Press Ctrl-C to stop\.\n", line)
            assert match, line
            yield process, match[1]
        finally:
            process.kill()


def _post_callback(url: str, body: bytes) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=body, method="POST"), timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


@pytest.mark.parametrize("stop_signal", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_stops_the_listener_with_exit_code_0(stop_signal: signal.Signals) -> None:
    """Each callback is one line, each invalid request one message; numbers and texts are masked."""
    with _listening() as (process, url):
        assert [_post_callback(url, body_of(shape)) for shape in (NEW, NEW, OTP, VIBER_OTP, INBOUND)] == [200] * 5
        assert _post_callback(url + "any/path", f'{{"{PIN}":'.encode()) == 400
        process.send_signal(stop_signal)
        out, messages = process.communicate(timeout=20)
    assert process.returncode == 0
    rows = [re.sub(r"^\d\d:\d\d:\d\d", "now", line).split("  ") for line in out.splitlines()]
    assert [[cell.strip() for cell in row if cell.strip()] for row in rows] == [
        ["time", "kind", "status", "number", "id", "messages"],
        ["now", "flow", "Succeeded", "+3069****0001", "t-1", "Viber expired, Sms delivered"],
        ["now", "flow", "Succeeded", "+3069****0001", "t-1", "Viber expired, Sms delivered (duplicate)"],
        ["now", "otp", "Succeeded", "3069****0001", OTP["flowId"], "Viber expired, Sms queued"],
        ["now", "viber-otp", "Delivered", "+3069****0001", "v-7", "Viber delivered"],
        ["now", "inbound", "+3069****0001", "v-1", "13 characters"],
    ]
    assert messages == "rejected a request with 400: this is not a Routee callback: it is not JSON\n"
    for private in (PIN, PHONE, WORDS, "Was that you?"):
        assert private not in out + messages


def test_sandbox_calls_back_the_printed_url(cli: Cli, write: Callable[[Any], str], sandbox: Sandbox) -> None:
    """A flow sent to a sandbox with the printed URL as its callback is called back with its final status."""
    with _listening("--json") as (process, url):
        message = FILES["standard"] | {"callback": {"url": url, "strategy": "OnCompletion"}}
        assert cli("send", write(message), at=sandbox).exit_code == 0
        assert process.stdout is not None
        line = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert (line["result"], line["record"]["status"]) == ("new", "Succeeded")
    assert line["record"]["messages"][0]["to"] == "+3069****0300"


def _printed(*shapes: Json, as_json: bool, texts: bool, capsys: pytest.CaptureFixture[str]) -> str:
    """Return what is printed for some callbacks, the last of which is a duplicate."""
    printer: Any = command._JsonLinesPrinter(texts=texts) if as_json else command._TablePrinter(texts=texts)
    printer.print_header()
    for shape in shapes:
        result = ReceiveResult.NEW if shape is not shapes[-1] else ReceiveResult.DUPLICATE
        printer.print_callback(command._ReceivedCallback(datetime.now(UTC), parse_callback(shape), result))
    return capsys.readouterr().out


async def test_listen_in_process_prints_callbacks_until_stopped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every callback is printed until the stop, and no task is left running."""
    stop, printed = asyncio.Event(), asyncio.Event()
    print_callback = command._TablePrinter.print_callback

    def record(table: command._TablePrinter, callback: command._ReceivedCallback) -> None:
        print_callback(table, callback)
        printed.set()

    monkeypatch.setattr(command, "shutdown_event", lambda: stop)
    monkeypatch.setattr(command._TablePrinter, "print_callback", record)
    async with asyncio.TaskGroup() as group:
        listening = group.create_task(command._listen("127.0.0.1", 0, command._TablePrinter(texts=False)))
        await asyncio.sleep(0.1)
        url = re.findall(r"http://\S+/", capsys.readouterr().err)[0]
        for _ in range(2):
            assert await asyncio.to_thread(_post_callback, url, body_of(NEW)) == 200
        assert await asyncio.to_thread(_post_callback, url, b"{") == 400
        await asyncio.wait_for(printed.wait(), 10)
        stop.set()
        await listening
    captured = capsys.readouterr()
    assert "Viber expired, Sms delivered" in captured.out
    assert "rejected a request with 400" in captured.err


async def test_output_closed_while_printing_raises_output_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error while printing ends the command."""

    def fail(_table: command._TablePrinter, _callback: command._ReceivedCallback) -> None:
        raise OutputClosed

    inbox = command._RecordingInbox(notify=lambda _record: None)
    inbox.received = asyncio.Queue()
    inbox.receive(NEW)
    monkeypatch.setattr(command._TablePrinter, "print_callback", fail)
    with pytest.raises(OutputClosed):
        await command._print_received(inbox, command._TablePrinter(texts=False))


def test_signed_urls_are_masked(capsys: pytest.CaptureFixture[str]) -> None:
    """The URL for replies, which is a secret when signed, is printed up to its host."""
    messages = [
        {"type": "Viber", "inboundUrl": "https://x.example/routee/signed"},
        {"type": "Viber", "inboundUrl": None},
    ]
    line = json.loads(_printed(flow("InProgress", 1, messages=messages), as_json=True, texts=True, capsys=capsys))
    shown = [message["inboundUrl"] for message in line["record"]["messages"]]
    assert shown == ["https://x.example/****", None]


def test_json_lines_mask_numbers_and_escape_control_codes(capsys: pytest.CaptureFixture[str]) -> None:
    """Each line is the whole record, with numbers masked anywhere in it and control codes escaped."""
    voice = flow("InProgress", 1, to={"phone": PHONE, "sip": "x"}, label="a\x9bb\x7f", cc=[{"phone_number": PHONE}])
    out = _printed(NEW, NEW, voice, as_json=True, texts=False, capsys=capsys)
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["result"] for line in lines] == ["new", "new", "duplicate"]
    assert lines[0]["record"]["messages"][0]["from"] == "Demo"
    assert lines[2]["record"]["to"] == {"phone": "+3069****0001", "sip": "x"}
    assert lines[2]["record"]["label"] == "a\x9bb\x7f"
    for private in (PIN, PHONE, "Hi Ada", "\x9b", "\x7f"):
        assert private not in out


@pytest.mark.parametrize("as_json", [True, False])
def test_texts_option_prints_texts_but_no_one_time_password(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """With --texts, inbound texts are printed, and message texts in JSON; never a one-time password."""
    secret = otp("InProgress", "queued") | {"body": WORDS}
    out = _printed(NEW, INBOUND, secret, as_json=as_json, texts=True, capsys=capsys)
    assert "Was that you?" in out
    assert out.count(WORDS) == (2 if as_json else 0)


def test_missing_fields_are_empty_columns(capsys: pytest.CaptureFixture[str]) -> None:
    """Missing fields of a callback are empty columns."""
    shapes = ({"flowId": "f-1", "steps": [{}]}, {"from": PHONE, "direction": "Inbound"})
    _, first, second = _printed(*shapes, as_json=False, texts=True, capsys=capsys).splitlines()
    assert first.split()[1:] == ["otp", "f-1", "?", "?"]
    assert second.split()[1:] == ["inbound", "+3069****0001", "(duplicate)"]


@pytest.mark.parametrize("host", ["127.0.0.1", "no host", "x" * 300])
def test_unavailable_address_exits_with_2_and_advice(host: str, cli: Cli, sandbox: Sandbox) -> None:
    """A port in use, or an invalid host, is one clear error with advice."""
    result = cli("callbacks", "listen", "--host", host, "--port", sandbox.url.rpartition(":")[2])
    assert (result.exit_code, result.out) == (2, "")
    assert f"cannot listen on {host} port" in result.err
    assert "--port 0 for any free port" in result.err


def test_wildcard_address_is_printed_as_reachable_url() -> None:
    """A wildcard address is printed as one that can be called, with and without IPv6."""
    for host, expected in (("0.0.0.0", "http://127.0.0.1:"), ("::1", "http://[::1]:")):
        with _listening("--host", host) as (_, url):
            assert url.startswith(expected)
            assert _post_callback(url, body_of(NEW)) == 200


def test_closed_output_exits_with_141() -> None:
    """The command exits with code 141 when its output is closed, as other programs in a pipe do."""
    with _listening() as (process, url):
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        _post_callback(url, body_of(NEW))
        assert process.wait(timeout=20) == 141


def test_callbacks_help_lists_listen() -> None:
    """`callbacks --help` lists its commands."""
    assert "listen" in run("callbacks", "--help").out
