"""The package exports its names without importing their modules."""

import subprocess
import sys

import pytest

from routee_failover import webhooks


def test_exported_names_exist_and_are_listed_by_dir() -> None:
    """Every name in `__all__` exists, and `dir` lists it."""
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
def test_only_the_aiohttp_receiver_imports_aiohttp(statement: str, loads: bool) -> None:
    """Only the receiver for aiohttp imports aiohttp; no name imports a framework."""
    code = f"{statement}\nimport sys; print('aiohttp' in sys.modules, {{'starlette', 'litestar'}} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == f"{loads} set()\n"
