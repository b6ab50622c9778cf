"""What a change has to pass: `python -m nox` runs lint, types and tests; `python -m nox -l` lists the rest.

`python -m nox` tests on the Python that it runs on. `python -m nox -s tests` tests on each that is found, of those that
pyproject.toml names; `-p 3.12 3.13` chooses among them.
"""

import os
import shutil
import sys
from pathlib import Path

import nox

PROJECT = nox.project.load_toml("pyproject.toml")
CURRENT = f"{sys.version_info.major}.{sys.version_info.minor}"
PYTHONS = list(dict.fromkeys([*nox.project.python_versions(PROJECT), CURRENT]))

nox.needs_version = ">=2026.8.10"  # the first that finds the Python that it runs on, whatever is on the PATH
nox.options.sessions = ["lint", "types", f"tests-{CURRENT}"]
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = False  # which is the default, but where CI is set
nox.options.download_python = "never"

HERE = Path(__file__).parent

# pyenv puts only those of its Pythons on the PATH that are chosen, and uv none that was not asked for by name.
OTHERS = [
    *Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/3.*/bin"),
    *Path.home().glob(".local/share/uv/python/cpython-3.*/bin"),
]
os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), *map(str, sorted(OTHERS))])


BROWSERS = ("chromium", "chromium-browser", "google-chrome")  # as tests/browser/conftest.py looks for them


def browser(session: nox.Session) -> None:
    """The inbox page is tested in a real browser: the system's, or, where it has none, one that playwright fetches."""
    if not any(map(shutil.which, BROWSERS)):
        session.run("playwright", "install", "chromium")


def group(name: str) -> tuple[str, ...]:
    """The packages of a dependency group of pyproject.toml."""
    return nox.project.dependency_groups(PROJECT, name)


@nox.session
def lint(session: nox.Session) -> None:
    """Style; the directions of imports are a test."""
    session.install(*group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Types, by mypy and pyright, and that every public name has a known one."""
    session.install(".[cli,sandbox,bulk,parquet]", *group("types"))
    session.run("mypy")
    session.run("pyright")
    session.run("pyright", "--verifytypes", "routee_failover", "--ignoreexternal")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The tests against the built wheel, in parallel, in random order, with a gate on branch coverage."""
    session.install(".[cli,sandbox,bulk,parquet]", *group("tests"))
    # The tests run from a copy that has no package beside it, so that what is imported is what would be installed.
    # It is no parent of the folders that tests make, or pytest in one of them would go by our settings.
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
    # loadgroup: the tests that need a browser go to one worker, so that there is one browser.
    session.run("pytest", "--numprocesses=auto", "--dist=loadgroup", *coverage, *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """The reference, from the docstrings, into site/reference."""
    session.install(".[cli,sandbox,bulk,parquet]", *group("docs"))
    session.run("pdoc", "--output-directory", "site/reference", "routee_failover")


@nox.session
def picture(session: nox.Session) -> None:
    """The how-tos' pictures, taken anew: the inbox page on its how-to's journey, and the report of a run."""
    session.install(".[cli,sandbox,bulk,parquet]", *group("tests"))
    browser(session)
    wanted = HERE / "docs/images/inbox.png"
    session.run("pytest", "tests/browser/test_sandbox_guide.py", env={"INBOX_PICTURE": str(wanted)})
    wanted = HERE / "docs/images/report.png"
    session.run(*("pytest", "tests/browser/test_report.py", "-k", "screenshot"), env={"REPORT_PICTURE": str(wanted)})


@nox.session
def thorough(session: nox.Session) -> None:
    """The properties with thousands of examples each; minutes."""
    session.install(".[cli,sandbox,bulk,parquet]", *group("tests"))
    session.run("pytest", "--numprocesses=auto", *(session.posargs or ["tests/wire", "tests/contract"]),
                env={"HYPOTHESIS_PROFILE": "thorough"})  # fmt: skip


@nox.session
def fuzz(session: nox.Session) -> None:
    """A million hostile inputs for whatever reads what others wrote; an hour. `nox -s fuzz -- --own` is quicker."""
    session.install(".[bulk]", *group("tests"), *group("fuzz"))
    session.run("python", "-m", "tests.fuzz", *(session.posargs or ["--executions", "1000000"]))


@nox.session
def chaos(session: nox.Session) -> None:
    """Faults, storms and scripts against real sockets, a hundred times as many as in an ordinary run; an hour."""
    session.install(".", *group("tests"))
    scale = os.environ.get("CHAOS_SCALE", "100")
    session.run("pytest", *(session.posargs or ["tests/chaos"]), env={"CHAOS_SCALE": scale})


@nox.session
def soak(session: nox.Session) -> None:
    """All faults mixed, for as long as one likes: `nox -s soak -- --minutes 60`; a line a minute."""
    session.install(".", *group("tests"))
    session.run("python", "-m", "tests.chaos.soak", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """What it costs, as ratios to something that stands still; needs nginx. `nox -s bench -- flows` runs one."""
    session.install(".[cli,sandbox,bulk,parquet,fast]", *group("bench"))
    for name in session.posargs or [
        "imports",
        "flow_encoding",
        "send_breakdown",
        "send",
        "memory",
        "sandbox",
        "callbacks",
        "ledger",
        "bulk",
    ]:
        session.run("python", f"benchmarks/{name}.py")
