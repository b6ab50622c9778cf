"""Callbacks beside a run: they come to a signed address, and tell how the messages ended."""

import csv
import io
import json
import socket

from routee_failover.sandbox import Sandbox

from ..conftest import Cli
from .campaign import Campaign

KEY = "a key that nobody else could ever guess"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def test_ends_are_told(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """Messages that end while the run goes on are known to have ended, without a question."""
    where = f"127.0.0.1:{_free_port()}"
    more = ("--callbacks", f"http://{where}/routee", "--listen", where, "--rate", "15")
    result = cli(*campaign.write(30).run(*more), at=sandbox, ROUTEE_CALLBACK_KEY=KEY)
    assert result.exit_code == 0, result
    listed = csv.DictReader(io.StringIO(cli("bulk", "export", str(campaign.ledger)).out))
    assert [row["status"] for row in listed].count("Succeeded") > 10
    status = json.loads(cli("bulk", "status", str(campaign.ledger), "--json").out)
    assert status["deliveries"]["delivered"] > 10
    for file in campaign.folder.iterdir():
        assert KEY.encode() not in file.read_bytes()


def test_a_port_that_is_taken(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """Where it cannot listen, nothing is sent, and the option is named that helps."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        more = ("--callbacks", f"http://{where}/routee", "--listen", where)
        result = cli(*campaign.write(3).run(*more), at=sandbox, ROUTEE_CALLBACK_KEY=KEY)
    assert (result.exit_code, result.out, sandbox.accepted) == (2, "", [])
    assert f"cannot listen on {where.replace(':', ' port ')}" in result.err
    assert "Another port may be free: name it with --listen HOST:PORT" in result.err
    assert "--port" not in result.err


def test_no_place(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """A place to listen at that is none is refused before there is a ledger."""
    more = ("--callbacks", "http://127.0.0.1:1/routee", "--listen", "here:now")
    result = cli(*campaign.write(3).run(*more), at=sandbox, ROUTEE_CALLBACK_KEY=KEY)
    assert result.exit_code == 2
    assert "--listen takes HOST:PORT" in result.err
    assert not campaign.ledger.exists()
