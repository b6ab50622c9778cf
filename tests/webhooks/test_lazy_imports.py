"""The room offers its names without loading what is behind them."""

import subprocess
import sys

import pytest

from routee_failover import webhooks


def test_names() -> None:
    """Every name that the room lists exists, and is told of by `dir`."""
    for name in webhooks.__all__:
        assert getattr(webhooks, name) is not None
        assert name in dir(webhooks)
    with pytest.raises(AttributeError, match="no attribute 'flask_receiver'"):
        webhooks.flask_receiver  # noqa: B018


@pytest.mark.parametrize(
    ("statement", "loads"),
    [
        ("from routee_failover.webhooks import parse_callback", False),
        ("from routee_failover.webhooks import CallbackInbox, CallbackSigner", False),
        ("from routee_failover.webhooks import AsgiReceiver", False),
        ("from routee_failover import parse_callback, CallbackInbox, CallbackSigner, InboundMessage", False),
        ("from routee_failover.webhooks import aiohttp_receiver", True),
    ],
)
def test_what_is_loaded(statement: str, loads: bool) -> None:
    """Only the receiver for aiohttp loads aiohttp; nothing loads a framework."""
    code = f"{statement}\nimport sys; print('aiohttp' in sys.modules, {{'starlette', 'litestar'}} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == f"{loads} set()\n"
