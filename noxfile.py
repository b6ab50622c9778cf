"""Automation: `python -m nox` runs lint, types and tests, which every change has to pass; `python -m nox -l` lists all.

`python -m nox` tests on the Python that it runs on. `python -m nox -s tests` tests on each Python that is found, of
those that pyproject.toml names; `-p 3.12 3.13` selects some of them.
"""

import os
import shutil
import sys
from pathlib import Path

import nox

PROJECT = nox.project.load_toml("pyproject.toml")
CURRENT = f"{sys.version_info.major}.{sys.version_info.minor}"
PYTHONS = list(dict.fromkeys([*nox.project.python_versions(PROJECT), CURRENT]))

nox.needs_version = ">=2026.8.10"  # the first version that finds the running Python, whatever is on the PATH
nox.options.sessions = ["lint", "types", f"tests-{CURRENT}"]
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = False  # the default, except where CI is set
nox.options.download_python = "never"

HERE = Path(__file__).parent

# pyenv puts only the selected Pythons on the PATH, and uv only those that were requested by name.
OTHERS = [
    *Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/3.*/bin"),
    *Path.home().glob(".local/share/uv/python/cpython-3.*/bin"),
]
os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), *map(str, sorted(OTHERS))])


BROWSERS = ("chromium", "chromium-browser", "google-chrome")  # as tests/browser/conftest.py looks for them


def browser(session: nox.Session) -> None:
    """Have a browser for the tests of the inbox page: the system's, or else one that playwright downloads."""
    if not any(map(shutil.which, BROWSERS)):
        session.run("playwright", "install", "chromium")


def group(name: str) -> tuple[str, ...]:
    """Return the packages of a dependency group in pyproject.toml."""
    return nox.project.dependency_groups(PROJECT, name)


@nox.session
def lint(session: nox.Session) -> None:
    """Lint rules and format; the import layers are checked by a test."""
    session.install(*group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Types, by mypy and pyright, and type completeness of every public name."""
    session.install(".[cli,sandbox,bulk,parquet]", *group("types"))
    session.run("mypy")
    session.run("pyright")
    session.run("pyright", "--verifytypes", "routee_failover", "--ignoreexternal")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The tests against the built wheel, in parallel, in random order, with a gate on branch coverage."""
    session.install(".[cli,sandbox,bulk,parquet]", *group("tests"))
    # The tests run from a copy that has no package beside it, so that what is imported is what would be installed.
    # It is not a parent of the folders that tests make, or pytest in one of them would use our settings.
    alone = Path(session.create_tmp()) / "alone"
    shutil.rmtree(alone, ignore_errors=True)
    shutil.copytree(HERE / "tests", alone / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(HERE / name, alone / name)
    shutil.copytree(HERE / "docs", alone / "docs")
    session.chdir(alone)
    browser(session)
    narrowed = bool(session.posargs)
    coverage = [] if narrowed else ["--cov=routee_failover", "--cov-branch", "--cov-report=term"]
    # loadgroup: the tests that need a browser run in one worker, so that there is one browser.
    session.run("pytest", "--numprocesses=auto", "--dist=loadgroup", *coverage, *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Generate the reference from the docstrings into site/reference."""
    session.install(".[cli,sandbox,bulk,parquet]", *group("docs"))
    session.run("pdoc", "--output-directory", "site/reference", "routee_failover")


@nox.session
def picture(session: nox.Session) -> None:
    """Take the screenshots of the documentation: the inbox page along its guide, and the report of a run."""
    session.install(".[cli,sandbox,bulk,parquet]", *group("tests"))
    browser(session)
    wanted = HERE / "docs/images/inbox.png"
    session.run("pytest", "tests/browser/test_sandbox_guide.py", env={"INBOX_PICTURE": str(wanted)})
    wanted = HERE / "docs/images/report.png"
    session.run(*("pytest", "tests/browser/test_report.py", "-k", "screenshot"), env={"REPORT_PICTURE": str(wanted)})


@nox.session
def thorough(session: nox.Session) -> None:
    """Run the property tests with thousands of examples each; takes minutes."""
    session.install(".[cli,sandbox,bulk,parquet]", *group("tests"))
    session.run("pytest", "--numprocesses=auto", *(session.posargs or ["tests/wire", "tests/contract"]),
                env={"HYPOTHESIS_PROFILE": "thorough"})  # fmt: skip


@nox.session
def fuzz(session: nox.Session) -> None:
    """Fuzz each parser with a million hostile inputs; takes an hour. `nox -s fuzz -- --own` is quicker."""
    session.install(".[bulk]", *group("tests"), *group("fuzz"))
    session.run("python", "-m", "tests.fuzz", *(session.posargs or ["--executions", "1000000"]))


@nox.session
def chaos(session: nox.Session) -> None:
    """Run the chaos tests on real sockets, with a hundred times the messages of an ordinary run; takes an hour."""
    session.install(".", *group("tests"))
    scale = os.environ.get("CHAOS_SCALE", "100")
    session.run("pytest", *(session.posargs or ["tests/chaos"]), env={"CHAOS_SCALE": scale})


@nox.session
@nox.parametrize("version", ["lowest", "newest"])
def aiohttp(session: nox.Session, version: str) -> None:
    """Test transport and chaos on the lowest and the newest aiohttp that pyproject.toml allows; takes five minutes."""
    session.install(".[bulk]", *group("tests"))
    (allowed,) = (name for name in PROJECT["project"]["dependencies"] if name.startswith("aiohttp>="))
    lowest = allowed.partition(">=")[2].partition(",")[0]
    session.install("--upgrade", f"aiohttp=={lowest}" if version == "lowest" else allowed)
    session.run("python", "-c", "import aiohttp; print('aiohttp', aiohttp.__version__)")
    session.run("pytest", "--numprocesses=auto", *(session.posargs or ["tests/transport", "tests/chaos"]))


@nox.session
def soak(session: nox.Session) -> None:
    """Mix all faults for a given time: `nox -s soak -- --minutes 60`; prints a line a minute."""
    session.install(".", *group("tests"))
    session.run("python", "-m", "tests.chaos.soak", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Run the benchmarks, as ratios to a reference in the same run; needs nginx. `nox -s bench -- send` runs one."""
    session.install(".[cli,sandbox,bulk,parquet,fast]", *group("bench"))
    for name in session.posargs or [
        "imports",
        "flow_encoding",
        "send_breakdown",
        "send",
        "send_all_memory",
        "sandbox",
        "callbacks",
        "ledger",
        "bulk",
    ]:
        session.run("python", f"benchmarks/{name}.py")
