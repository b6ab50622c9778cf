"""A campaign in a folder of its own, and a sandbox in a thread of its own, which any thread may ask."""

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
    """A sandbox whose flows end at once."""
    with Sandbox(speed=20_000) as here:
        yield here
