"""`callbacks listen`: every callback is shown as it comes, with what is private masked."""

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
from tests.webhooks.payloads import INBOUND, NEW, OTP, PHONE, PIN, WORDS, Json, body_of, flow, otp

from .conftest import Cli
from .shell import FILES, PROGRAM, environment, run


@contextmanager
def _listening(*arguments: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """The command in a process, and the address that it prints."""
    program = [*PROGRAM, "callbacks", "listen", *arguments]
    with subprocess.Popen(
        program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as process:
        try:
            assert process.stderr is not None
            words = process.stderr.readline()
            found = re.fullmatch(r"Callbacks are awaited at (http://\S+)\. Ctrl-C ends it\.\n", words)
            assert found, words
            yield process, found[1]
        finally:
            process.kill()


def _post(url: str, body: bytes) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=body, method="POST"), timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_until_it_is_stopped(ending: signal.Signals) -> None:
    """A line for each callback, a word about what is none, and a clean end; numbers and texts are not shown."""
    with _listening() as (process, url):
        assert [_post(url, body_of(shape)) for shape in (NEW, NEW, OTP, INBOUND)] == [200] * 4
        assert _post(url + "any/path", f'{{"{PIN}":'.encode()) == 400
        process.send_signal(ending)
        out, words = process.communicate(timeout=20)
    assert process.returncode == 0
    rows = [re.sub(r"^\d\d:\d\d:\d\d", "now", line).split("  ") for line in out.splitlines()]
    assert [[cell.strip() for cell in row if cell.strip()] for row in rows] == [
        ["time", "what", "status", "number", "id", "messages"],
        ["now", "flow", "Succeeded", "+3069****0001", "t-1", "Viber expired, Sms delivered"],
        ["now", "flow", "Succeeded", "+3069****0001", "t-1", "Viber expired, Sms delivered (duplicate)"],
        ["now", "otp", "Succeeded", "3069****0001", OTP["flowId"], "Viber expired, Sms queued"],
        ["now", "inbound", "+3069****0001", "v-1", "13 characters"],
    ]
    assert words == "a request was answered 400: this is not a Routee callback: it is not JSON\n"
    for private in (PIN, PHONE, WORDS, "Was that you?"):
        assert private not in out + words


def test_the_sandbox_calls(cli: Cli, write: Callable[[Any], str], sandbox: Sandbox) -> None:
    """What `send` sends to a sandbox with the printed address comes back here, up to its end."""
    with _listening("--json") as (process, url):
        message = FILES["standard"] | {"callback": {"url": url, "strategy": "OnCompletion"}}
        assert cli("send", write(message), at=sandbox).status == 0
        assert process.stdout is not None
        line = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert (line["result"], line["record"]["status"]) == ("new", "Succeeded")
    assert line["record"]["messages"][0]["to"] == "+3069****0300"


def _shown(*shapes: Json, as_json: bool, texts: bool, capsys: pytest.CaptureFixture[str]) -> str:
    """What is printed of some callbacks, the last of which was here before."""
    printed: Any = command._JsonLinesPrinter(texts=texts) if as_json else command._TablePrinter(texts=texts)
    printed.begin()
    for shape in shapes:
        arrival = ReceiveResult.NEW if shape is not shapes[-1] else ReceiveResult.DUPLICATE
        printed.show(command._ReceivedCallback(datetime.now(UTC), parse_callback(shape), arrival))
    return capsys.readouterr().out


async def test_in_this_process(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Everything that came is printed until the stop, and nothing is left running after it."""
    stop, shown = asyncio.Event(), asyncio.Event()
    show = command._TablePrinter.print_callback

    def note(table: command._TablePrinter, came: command._ReceivedCallback) -> None:
        show(table, came)
        shown.set()

    monkeypatch.setattr(command, "stopped", lambda: stop)
    monkeypatch.setattr(command._TablePrinter, "show", note)
    async with asyncio.TaskGroup() as group:
        listening = group.create_task(command._listen("127.0.0.1", 0, command._TablePrinter(texts=False)))
        await asyncio.sleep(0.1)
        url = re.findall(r"http://\S+/", capsys.readouterr().err)[0]
        for _ in range(2):
            assert await asyncio.to_thread(_post, url, body_of(NEW)) == 200
        assert await asyncio.to_thread(_post, url, b"{") == 400
        await asyncio.wait_for(shown.wait(), 10)
        stop.set()
        await listening
    captured = capsys.readouterr()
    assert "Viber expired, Sms delivered" in captured.out
    assert "answered 400" in captured.err


async def test_a_reader_who_left_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong while printing ends the command."""

    def show(_table: command._TablePrinter, _came: command._ReceivedCallback) -> None:
        raise OutputClosed

    inbox = command._RecordingInbox(notify=lambda _record: None)
    inbox.received = asyncio.Queue()
    inbox.receive(NEW)
    monkeypatch.setattr(command._TablePrinter, "show", show)
    with pytest.raises(OutputClosed):
        await command._print_received(inbox, command._TablePrinter(texts=False))


def test_signed_addresses_are_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """An address for replies, which is a secret when it is signed, is shown up to its host."""
    messages = [
        {"type": "Viber", "inboundUrl": "https://x.example/routee/signed"},
        {"type": "Viber", "inboundUrl": None},
    ]
    line = json.loads(_shown(flow("InProgress", 1, messages=messages), as_json=True, texts=True, capsys=capsys))
    shown = [message["inboundUrl"] for message in line["record"]["messages"]]
    assert shown == ["https://x.example/****", None]


def test_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """Each line is the whole record, with numbers masked wherever they stand; nothing in it moves a terminal."""
    voice = flow("InProgress", 1, to={"phone": PHONE, "sip": "x"}, label="a\x9bb\x7f", cc=[{"phone_number": PHONE}])
    out = _shown(NEW, NEW, voice, as_json=True, texts=False, capsys=capsys)
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["result"] for line in lines] == ["new", "new", "duplicate"]
    assert lines[0]["record"]["messages"][0]["from"] == "Demo"
    assert lines[2]["record"]["to"] == {"phone": "+3069****0001", "sip": "x"}
    assert lines[2]["record"]["label"] == "a\x9bb\x7f"
    for private in (PIN, PHONE, "Hi Ada", "\x9b", "\x7f"):
        assert private not in out


@pytest.mark.parametrize("as_json", [True, False])
def test_texts(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """With --texts, what a person wrote is shown, and what a message says in JSON; never a one-time password."""
    secret = otp("InProgress", "queued") | {"body": WORDS}
    out = _shown(NEW, INBOUND, secret, as_json=as_json, texts=True, capsys=capsys)
    assert "Was that you?" in out
    assert out.count(WORDS) == (2 if as_json else 0)


def test_little_is_shown_of_little(capsys: pytest.CaptureFixture[str]) -> None:
    """What a callback leaves out is left empty."""
    shapes = ({"flowId": "f-1", "steps": [{}]}, {"from": PHONE, "direction": "Inbound"})
    _, first, second = _shown(*shapes, as_json=False, texts=True, capsys=capsys).splitlines()
    assert first.split()[1:] == ["otp", "f-1", "?", "?"]
    assert second.split()[1:] == ["inbound", "+3069****0001", "(duplicate)"]


@pytest.mark.parametrize("host", ["127.0.0.1", "no host", "x" * 300])
def test_an_address_that_cannot_be_had(host: str, cli: Cli, sandbox: Sandbox) -> None:
    """A port that is taken, or a host that is none, is one clear error with a way out."""
    result = cli("callbacks", "listen", "--host", host, "--port", sandbox.url.rpartition(":")[2])
    assert (result.status, result.out) == (2, "")
    assert f"cannot listen on {host} port" in result.err
    assert "--port 0 takes one that is" in result.err


def test_all_addresses() -> None:
    """What listens everywhere is printed with an address that can be called, with and without IPv6."""
    for host, shown in (("0.0.0.0", "http://127.0.0.1:"), ("::1", "http://[::1]:")):
        with _listening("--host", host) as (_, url):
            assert url.startswith(shown)
            assert _post(url, body_of(NEW)) == 200


def test_a_reader_who_left() -> None:
    """When whoever read the output has gone, the command ends, as others in a pipe do."""
    with _listening() as (process, url):
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        _post(url, body_of(NEW))
        assert process.wait(timeout=20) == 141


def test_help() -> None:
    """`callbacks` alone says what it can do."""
    assert "listen" in run("callbacks", "--help").out
