"""Callback server of a run: signed URLs, delivery reports, and errors of --listen."""

import csv
import io
import json
import socket

from routee_failover.sandbox import Sandbox

from ..conftest import Cli
from .campaign import Campaign

KEY = "a key that nobody else could ever guess"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_callbacks_during_a_run_record_the_delivery_reports(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """Messages that become final during the run get their delivery report from a callback, without a request."""
    address = f"127.0.0.1:{_free_port()}"
    more = ("--callbacks", f"http://{address}/routee", "--listen", address, "--rate", "15")
    result = cli(*campaign.write(30).run(*more), at=sandbox, ROUTEE_CALLBACK_KEY=KEY)
    assert result.exit_code == 0, result
    listed = csv.DictReader(io.StringIO(cli("bulk", "export", str(campaign.ledger)).out))
    assert [row["status"] for row in listed].count("Succeeded") > 10
    status = json.loads(cli("bulk", "status", str(campaign.ledger), "--json").out)
    assert status["deliveries"]["delivered"] > 10
    for file in campaign.folder.iterdir():
        assert KEY.encode() not in file.read_bytes()


def test_port_in_use_exits_with_2_before_sending(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """If the port is in use, nothing is sent, and the error names the option."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        more = ("--callbacks", f"http://{address}/routee", "--listen", address)
        result = cli(*campaign.write(3).run(*more), at=sandbox, ROUTEE_CALLBACK_KEY=KEY)
    assert (result.exit_code, result.out, sandbox.accepted) == (2, "", [])
    assert f"cannot listen on {address.replace(':', ' port ')}" in result.err
    assert "Choose another port with --listen HOST:PORT" in result.err
    assert "--port" not in result.err


def test_invalid_listen_exits_with_2_without_a_ledger(campaign: Campaign, sandbox: Sandbox, cli: Cli) -> None:
    """An invalid --listen is reported before a ledger is created."""
    more = ("--callbacks", "http://127.0.0.1:1/routee", "--listen", "here:now")
    result = cli(*campaign.write(3).run(*more), at=sandbox, ROUTEE_CALLBACK_KEY=KEY)
    assert result.exit_code == 2
    assert "--listen takes HOST:PORT" in result.err
    assert not campaign.ledger.exists()
