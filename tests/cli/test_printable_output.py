"""What Routee or a file says reaches a terminal in printable characters alone: none that moves, hides or turns text."""

import io
import json
import re
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from rich.table import Table
from rich.text import Text

from routee_failover import ReceiveResult, parse_callback
from routee_failover.cli import callbacks as callbacks_command
from routee_failover.cli.record_formats import format_json
from routee_failover.cli.terminal import Terminal, print_error
from routee_failover.cli.utf8_stdout import DataOutput
from tests.webhooks.payloads import body_of, flow

from .bulk.campaign import SMS as SMS_TEMPLATE
from .bulk.campaign import Campaign
from .bulk.conftest import campaign as campaign  # noqa: PLC0414  # a fixture
from .conftest import Cli
from .shell import FILES

BAD = "\u202e\u2066\u2028\u2029\u200b\u200e\u061c\ufeff\x1b\x9b\x85\x00\x7f\U000e0041\U0001d173"
"""Marks of direction, line separators, invisible characters, control codes, tags."""
EVIL = f"Fa{BAD}iled"
NUMBER = "+306912345678"


def _is_printable(text: str) -> bool:
    return all(line.isprintable() for line in text.split("\n"))


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_json_of_every_character_is_printable_and_equal(ascii_only: bool, indent: int | None) -> None:
    """JSON output with any Unicode character in it is printable, and is the same after parsing."""
    every = "".join(map(chr, range(0xD800))) + "".join(map(chr, range(0xE000, sys.maxunicode + 1)))
    data = {"text": every, every[:5000]: [every[5000:9000]]}
    text = format_json(data, ascii_only=ascii_only, indent=indent)
    assert _is_printable(text)
    assert json.loads(text) == data
    if not ascii_only:
        assert "Ελένη, 日本, 🙂" in format_json({"a": "Ελένη, 日本, 🙂"}, ascii_only=False)


def test_json_of_half_a_surrogate_pair_is_printable() -> None:
    """Half of a surrogate pair is escaped too."""
    text = format_json({"text": "\ud83d"}, ascii_only=False)
    assert text == '{"text": "\\ud83d"}'


class _TerminalStream(io.StringIO):
    """A terminal with colours."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("terminal", [True, False])
def test_console_prints_no_unprintable_character(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is printed by a console (lines, texts, tables) is printable, without help of its caller."""
    stream = _TerminalStream() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    console = Terminal()
    table = Table(EVIL, title=EVIL)
    table.add_row(EVIL)
    console.print_line(f"\n{EVIL}", (EVIL, "red"))
    for item in (EVIL, Text(EVIL, "bold"), table):
        console.print(item)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())
    assert _is_printable(plain)
    assert (plain.count("Fa"), plain.count("iled")) == (7, 5)  # the table is as narrow as its cells are without marks
    assert plain.startswith("\nFa")


def test_error_is_printed_on_printable_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line of an error is one line on stderr."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    print_error([f"Routee says {EVIL}", EVIL])
    assert _is_printable(stream.getvalue())
    assert stream.getvalue().count("\n") == 2


@pytest.mark.parametrize("terminal", [True, False])
def test_data_for_a_terminal_is_printable_and_for_a_pipe_unchanged(
    terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CSV that goes to a terminal has blanks in place of what is not printable; a program gets what is there."""

    class Stream(io.TextIOWrapper):
        def isatty(self) -> bool:
            return terminal

    data = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", Stream(data, encoding="utf-8"))
    DataOutput().write(f'"{EVIL}"\n')
    written = data.getvalue().decode()
    assert _is_printable(written) is terminal
    assert written == f'"{EVIL}"\n' or terminal


# --- commands


def _evil_record() -> dict[str, Any]:
    message = {"status": {"status": EVIL}, "detailedStatus": EVIL, "to": NUMBER, "type": EVIL, EVIL: EVIL}
    return {
        "trackingId": f"t-{BAD}1",
        "flowId": f"f-{BAD}1",
        "status": "Succeeded",
        "flowKind": EVIL,
        "terminationChannel": EVIL,
        "messages": [message],
        "steps": [{"status": EVIL, "channel": EVIL, "phone_number": NUMBER, "detailed_status": EVIL, "role": EVIL}],
        "label": EVIL,
    }


class _EvilRoutee(BaseHTTPRequestHandler):
    """Answers every call with texts that are not printable, and rejects messages to one number."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, answer = 200, _evil_record()
        if self.path == "/oauth/token":
            answer = {"access_token": "token", "expires_in": 3600}
        elif self.path == "/failover" and b"+306900000300" in body:
            status, answer = 400, {"developerMessage": EVIL, "code": EVIL, "properties": {EVIL: EVIL}}
        elif self.path.startswith(("/failover/tracking?", "/failover-otp/otp/failover?")):
            record = _evil_record()
            answer = {"content": [record], "results": [record], "total": 1, "totalElements": 1, "totalPages": 1}
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = _answer  # noqa: N815  # the names of the base class

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name of the base class
        """Log nothing."""


@pytest.fixture
def evil() -> Iterator[dict[str, str]]:
    """The environment for a server whose every text is not printable."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _EvilRoutee)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    yield {
        "ROUTEE_APPLICATION_ID": "a",
        "ROUTEE_APPLICATION_SECRET": "b",
        "ROUTEE_API_URL": url,
        "ROUTEE_AUTH_URL": url,
    }
    server.shutdown()
    server.server_close()
    thread.join()


COMMANDS = {
    "table": ["search"],
    "JSON": ["search", "--json"],
    "CSV": ["search", "--csv"],
    "table of OTPs": ["search", "--endpoint", "otp"],
    "JSON of OTPs": ["search", "--endpoint", "otp", "--json"],
    "record": ["track", "t-1"],
    "JSON of a record": ["track", "t-1", "--json"],
    "changes": ["track", "t-1", "--follow"],
    "JSON of changes": ["track", "t-1", "--follow", "--json"],
    "receipt": ["send", "FLOW"],
    "refusal": ["send", "REFUSED"],
}


@pytest.mark.parametrize("case", COMMANDS)
def test_command_prints_only_printable_characters(case: str, cli: Cli, evil: dict[str, str], tmp_path: Path) -> None:
    """Every command prints what Routee says in printable characters, and its JSON is what Routee said."""
    arguments = COMMANDS[case]
    for name, to in (("FLOW", NUMBER), ("REFUSED", "+306900000300")):
        text = json.dumps(FILES["standard"]).replace("+306900000300", to)
        (tmp_path / name).write_text(text, encoding="utf-8")
    result = cli(*(str(tmp_path / word) if word.isupper() else word for word in arguments), **evil)
    assert _is_printable(result.out)
    assert _is_printable(result.err)
    assert ("Fa" in result.out + result.err) or "t-" in result.out
    if "--json" in arguments:
        assert json.loads(result.out) == _evil_record()


def test_callback_is_printed_in_printable_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    """`callbacks listen` prints a callback with unprintable texts as one printable line, as JSON too."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    record = parse_callback(body_of(flow("Succeeded") | {"label": EVIL}))
    callback = callbacks_command._ReceivedCallback(datetime.now(UTC), record, ReceiveResult.NEW)
    callbacks_command._JsonLinesPrinter(texts=True).print_callback(callback)
    callbacks_command._TablePrinter(texts=True).print_callback(callback)
    first, second = stream.getvalue().splitlines()
    assert _is_printable(stream.getvalue())
    assert json.loads(first)["record"]["label"] == EVIL
    assert second.count("t-") == 1


@pytest.mark.parametrize("more", [[], ["--json"]], ids=["text", "json"])
def test_dry_run_prints_texts_in_printable_characters(more: list[str], campaign: Campaign, cli: Cli) -> None:
    """A text with marks of direction is shown without them in the preview of a dry run, and is the same in JSON."""
    template = json.loads(json.dumps(SMS_TEMPLATE).replace("Hello", "He\\u202ello\\u2066"))
    campaign.write(1, flow=template)
    result = cli(*campaign.run("--dry-run", *more))
    assert _is_printable(result.out)
    if more:
        assert json.loads(result.out)["previews"][0]["flow"]["flow"][0]["message"]["body"].startswith("He")
    else:
        assert '"body": "He' in result.out
