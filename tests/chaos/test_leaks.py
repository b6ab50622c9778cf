"""Leak test: after any number of storms no file descriptors, tasks or memory have grown, without warnings."""

import subprocess
import sys
from pathlib import Path

import pytest

from .scale import SCALE
from .soak import ResourceUsage

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(sys.platform != "linux", reason="descriptors and memory are counted in /proc")
def test_soak_leaks_nothing() -> None:
    """Rounds of all faults in a process of their own: nothing grows, and there is no ResourceWarning."""
    minutes = 0.025 * min(SCALE, 100)
    options = ("--minutes", str(minutes), "--every", str(minutes * 20))
    run = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error::ResourceWarning", "-m", "tests.chaos.soak", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, ""), run.stdout
    assert "duplicates 0  problems 0" in run.stdout


@pytest.mark.parametrize(
    ("after", "problems"),
    [
        (ResourceUsage(20, 2, 100 * 2**20), []),
        (ResourceUsage(24, 2, 150 * 2**20), []),
        (ResourceUsage(25, 2, 100 * 2**20), ["file descriptors grew from 20 to 25"]),
        (ResourceUsage(20, 3, 100 * 2**20), ["tasks grew from 2 to 3"]),
        (ResourceUsage(20, 2, 200 * 2**20), ["memory grew from 100 to 200 MiB"]),
    ],
)
def test_growth_beyond_the_margin_is_reported(after: ResourceUsage, problems: list[str]) -> None:
    """Each resource is reported when it has grown beyond its margin, and only then."""
    assert after.grown_from(ResourceUsage(20, 2, 100 * 2**20)) == problems
