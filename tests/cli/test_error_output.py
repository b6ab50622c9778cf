"""What ends a command early: its lines and its exit status."""

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import typer

from routee_failover import (
    BadRequest,
    ClientClosed,
    DeliveryUnknown,
    InvalidConfig,
    NoResponse,
    Outcome,
    RateLimited,
    RouteeError,
    TokenUnavailable,
)
from routee_failover.cli.error_output import ErrorContext, handle_errors
from routee_failover.cli.exit_codes import BULK_RUN_EXIT_CODES, PROGRAM_EXIT_CODES, ExitCode
from routee_failover.cli.terminal import OutputClosed

from .conftest import Cli
from .shell import FILES, PIN


def _ended(error: BaseException, so_far: ErrorContext | None = None) -> int:
    with pytest.raises(typer.Exit) as caught, handle_errors(so_far or ErrorContext()):
        raise error
    assert caught.value.__cause__ is None
    return caught.value.exit_code


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (InvalidConfig("api_url must be https"), 2, "api_url must be https"),
        (TokenUnavailable("refused", status=403), 2, "refused"),
        (TokenUnavailable("busy", status=500), 3, "Trying again is safe."),
        (TokenUnavailable("no connection", status=None), 3, "ROUTEE_AUTH_URL"),
        (ClientClosed("closed"), 3, "Trying again is safe."),
        (NoResponse("no answer came; ask again", reason="no answer came"), 3, "ask again"),
        (BadRequest("Routee rejected it with 400", status=400), 1, "with 400"),
        (RateLimited("too many", status=429, retry_after=7.0), 1, "a pause of 7 seconds"),
        (RateLimited("too many", status=429), 1, "too many"),
        (DeliveryUnknown("lost", reason="lost"), 4, "lost"),
        (DeliveryUnknown("lost", reason="lost", correlation={"label": "l", "seq": "5"}), 4, "label l, seq 5"),
        (RouteeError("of a kind that is new"), 3, "of a kind that is new"),
    ],
)
def test_errors(error: RouteeError, status: int, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every error of the library has its documented status, its own words, and what to do."""
    assert _ended(error) == status
    captured = capsys.readouterr()
    assert words in captured.err
    assert captured.out == ""


@pytest.mark.parametrize(
    ("error", "before", "during", "after"),
    [
        (KeyboardInterrupt(), 130, 130, 130),
        (OutputClosed(), 141, 141, 0),
        (BrokenPipeError(), 141, 141, 0),
        (OSError(28, "No space left"), 3, 4, 0),
        (ZeroDivisionError(PIN), 3, 4, 0),
    ],
)
def test_sudden_ends(
    error: BaseException, before: int, during: int, after: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever else ends a command, it says what is known of the message at that moment and quotes no value."""
    so_far = ErrorContext()
    assert _ended(error, so_far) == before
    assert "nothing was sent" in capsys.readouterr().err
    so_far.mark_sending()
    assert _ended(error, so_far) == during
    assert "do not send it again before you know" in capsys.readouterr().err
    so_far.mark_accepted("routee-failover track ID")
    assert _ended(error, so_far) == after
    said = capsys.readouterr().err
    assert "accepted; follow it with: routee-failover track ID" in said
    assert PIN not in said


def test_place_of_a_bug(capsys: pytest.CaptureFixture[str]) -> None:
    """A bug is told by its kind and place, in a line that can be reported."""
    assert _ended(ZeroDivisionError()) == ExitCode.NOT_SENT
    assert "ZeroDivisionError at cli/test_failures.py:" in capsys.readouterr().err


def test_what_routee_says_is_no_order(capsys: pytest.CaptureFixture[str]) -> None:
    """Control codes, markup and endless words in an answer do not reach the terminal."""
    _ended(BadRequest("[red]\x1b]0;hi\x07\n" + "x" * 5000, status=400))
    said = capsys.readouterr().err
    assert "[red] ]0;hi" in said
    assert len(said.splitlines()) == 1
    assert len(said) < 1100


def test_statuses_are_documented(cli: Cli) -> None:
    """Every status stands in the help of the program, and each command's help has its own and no other's."""
    for status in ExitCode:
        assert str(status.value) in PROGRAM_EXIT_CODES
        assert str(status.value) in BULK_RUN_EXIT_CODES
    kinds: dict[str, list[tuple[str, ...]]] = {
        "unknown: it may have been accepted, do not send": [(), ("send",)],
        "answered, however the messages fared": [("search",), ("track",)],
        "it has not ended within --timeout": [("track",)],
        "fine, also when Ctrl-C": [("sandbox",), ("demo",), ("callbacks", "listen")],
        "some are not sent yet": [("bulk", name) for name in ("run", "resume", "status", "reconcile")],
        "wrong usage, ledger or file": [("bulk", "export"), ("bulk", "report")],
    }
    for command in {command for commands in kinds.values() for command in commands}:
        result = cli(*command, "--help")
        assert result.status == 0
        shown = " ".join(result.out.split())
        assert "Exit status" in shown
        assert [kind for kind in kinds if kind in shown] == [kind for kind in kinds if command in kinds[kind]]
    for outcome in Outcome:
        assert outcome.name


@pytest.fixture
def mute_api() -> Iterator[str]:
    """A server that reads a request and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)

        thread = threading.Thread(target=hang_up)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def test_unknown(cli: Cli, write: Callable[[Any], str], sandbox: Any, mute_api: str) -> None:
    """A server that hangs up on a message leaves status 4, the warning, and what to look it up by."""
    result = cli("send", write(FILES["otp"]), at=sandbox, ROUTEE_API_URL=mute_api)
    assert result.status == 4
    assert "must not be sent again" in result.err
    assert "Look it up by endpoint otp, to +3069****0300" in result.err
