"""Errors that end a command: output and exit code."""

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


def _exit_code(error: BaseException, context: ErrorContext | None = None) -> int:
    with pytest.raises(typer.Exit) as caught, handle_errors(context or ErrorContext()):
        raise error
    assert caught.value.__cause__ is None
    return caught.value.exit_code


@pytest.mark.parametrize(
    ("error", "exit_code", "message"),
    [
        (InvalidConfig("api_url must be https"), 2, "api_url must be https"),
        (TokenUnavailable("refused", status=403), 2, "refused"),
        (TokenUnavailable("busy", status=500), 3, "It is safe to try again."),
        (TokenUnavailable("no connection", status=None), 3, "ROUTEE_AUTH_URL"),
        (ClientClosed("closed"), 3, "It is safe to try again."),
        (NoResponse("no answer came; ask again", reason="no answer came"), 3, "ask again"),
        (BadRequest("Routee rejected it with 400", status=400), 1, "with 400"),
        (RateLimited("too many", status=429, retry_after=7.0), 1, "asks to wait 7 seconds"),
        (RateLimited("too many", status=429), 1, "too many"),
        (DeliveryUnknown("lost", reason="lost"), 4, "lost"),
        (DeliveryUnknown("lost", reason="lost", correlation={"label": "l", "seq": "5"}), 4, "label l, seq 5"),
        (RouteeError("of a kind that is new"), 3, "of a kind that is new"),
    ],
)
def test_library_error_has_its_exit_code_and_advice(
    error: RouteeError, exit_code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every error of the library has its documented exit code, its own message, and advice."""
    assert _exit_code(error) == exit_code
    captured = capsys.readouterr()
    assert message in captured.err
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
def test_unexpected_exception_reports_what_was_sent(
    error: BaseException, before: int, during: int, after: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Any other exception reports what is known about the message at that time, and quotes no value."""
    context = ErrorContext()
    assert _exit_code(error, context) == before
    assert "nothing was sent" in capsys.readouterr().err
    context.mark_sending()
    assert _exit_code(error, context) == during
    assert "do not send it again until you know" in capsys.readouterr().err
    context.mark_accepted("routee-failover track ID")
    assert _exit_code(error, context) == after
    captured = capsys.readouterr().err
    assert "accepted; track it with: routee-failover track ID" in captured
    assert PIN not in captured


def test_bug_is_reported_by_type_and_location(capsys: pytest.CaptureFixture[str]) -> None:
    """A bug is reported by its type and location, in one line."""
    assert _exit_code(ZeroDivisionError()) == ExitCode.NOT_SENT
    assert "ZeroDivisionError at cli/test_error_output.py:" in capsys.readouterr().err


def test_control_codes_of_a_response_are_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Control codes, markup and long texts in a response do not reach the terminal."""
    _exit_code(BadRequest("[red]\x1b]0;hi\x07\n" + "x" * 5000, status=400))
    printed = capsys.readouterr().err
    assert "[red] ]0;hi" in printed
    assert len(printed.splitlines()) == 1
    assert len(printed) < 1100


def test_help_lists_the_exit_codes_of_each_command(cli: Cli) -> None:
    """Every exit code is in the help of the program, and each command's help has its own list."""
    for exit_code in ExitCode:
        assert str(exit_code.value) in PROGRAM_EXIT_CODES
        assert str(exit_code.value) in BULK_RUN_EXIT_CODES
    kinds: dict[str, list[tuple[str, ...]]] = {
        "unknown: may have been accepted, do not send": [(), ("send",)],
        "Routee responded, whatever the status": [("search",), ("track",)],
        "not final within --timeout": [("track",)],
        "stopped normally, also by Ctrl-C": [("sandbox",), ("demo",), ("callbacks", "listen")],
        "some rows are not sent yet": [("bulk", name) for name in ("run", "resume", "status", "reconcile")],
        "wrong usage, ledger or file": [("bulk", "export"), ("bulk", "report")],
    }
    for command in {command for commands in kinds.values() for command in commands}:
        result = cli(*command, "--help")
        assert result.exit_code == 0
        printed = " ".join(result.out.split())
        assert "Exit codes" in printed
        assert [kind for kind in kinds if kind in printed] == [kind for kind in kinds if command in kinds[kind]]
    for outcome in Outcome:
        assert outcome.name


@pytest.fixture
def closing_server() -> Iterator[str]:
    """A server that reads a request and closes the connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)

        thread = threading.Thread(target=hang_up)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def test_closed_connection_exits_with_4_and_the_correlation(
    cli: Cli, write: Callable[[Any], str], sandbox: Any, closing_server: str
) -> None:
    """A server that closes the connection during a send leaves exit code 4, a warning and the correlation."""
    result = cli("send", write(FILES["otp"]), at=sandbox, ROUTEE_API_URL=closing_server)
    assert result.exit_code == 4
    assert "must not be sent again" in result.err
    assert "Look it up by endpoint otp, to +3069****0300" in result.err
