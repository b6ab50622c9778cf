"""Fixtures of the bulk tests: a campaign in an empty folder, and a sandbox in its own thread."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from routee_failover.sandbox import Sandbox

from .campaign import Campaign


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    """An empty campaign."""
    return Campaign(tmp_path)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox whose flows are final at once."""
    with Sandbox(speed=20_000) as here:
        yield here
