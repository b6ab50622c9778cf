"""`routee_failover.__version__`: the version of the installed package, read on first use."""

import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import assert_type

import routee_failover

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"


def test_version_is_that_of_the_installed_distribution() -> None:
    """`__version__` is text, equals the metadata of the distribution, and that is what the project declares."""
    assert assert_type(routee_failover.__version__, str) == version("routee-failover")
    assert routee_failover.__version__ == tomllib.loads(PYPROJECT.read_text("utf-8"))["project"]["version"]


def test_version_is_listed_by_dir_but_not_exported_by_star() -> None:
    """`dir()` shows `__version__`; `from routee_failover import *` does not import it."""
    assert "__version__" in dir(routee_failover)
    assert "__version__" not in routee_failover.__all__


def test_importing_the_package_does_not_read_the_version() -> None:
    """The metadata of the distribution is read on first use, so that importing the package stays cheap."""
    code = """
import sys
before = set(sys.modules)
import routee_failover
print("importlib.metadata" in set(sys.modules) - before, "__version__" in vars(routee_failover))
print(routee_failover.__version__, "__version__" in vars(routee_failover))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == ["False False", f"{routee_failover.__version__} True"]
