"""No value that differs between processes or over time is created when a test module is imported.

Such a value is as old as the collection of the tests when a test uses it, differs between the workers of a parallel
run, and is kept for as long as the process lives.
"""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted(path for folder in ("tests", "benchmarks") for path in (ROOT / folder).rglob("*.py"))

# Calls that return a time, a random value, a port, a process id or a file, by the full name of their owner.
CLOCKS = "time time_ns monotonic monotonic_ns perf_counter perf_counter_ns process_time localtime gmtime ctime strftime"
VARYING = {
    "time": set(CLOCKS.split()),
    "datetime.datetime": {"now", "utcnow", "today"},
    "datetime.date": {"today"},
    "uuid": {"uuid1", "uuid4", "uuid6", "uuid7", "getnode"},
    "os": {"getpid", "getppid", "urandom", "getrandom", "times"},
    "socket": {"socket", "create_server", "create_connection", "socketpair"},
    "trustme": {"CA"},
    "trustme.CA": set(),
    "secrets": None,  # all of it
    "tempfile": None,
    "random": None,
}


def _run_on_import(node: ast.AST) -> Iterator[ast.Call]:
    """Calls that an import executes: not those in the body of a function, but those in its decorators and defaults."""
    parts = ast.iter_child_nodes(node)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        parts = iter([*node.args.defaults, *filter(None, node.args.kw_defaults), *getattr(node, "decorator_list", [])])
    elif isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'":
        parts = iter(node.orelse)
    elif isinstance(node, ast.Call):
        yield node
    for part in parts:
        yield from _run_on_import(part)


def _full_names(tree: ast.Module) -> dict[str, str]:
    """The full name of each import of a module, by its local name."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {(alias.asname or alias.name): alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {(alias.asname or alias.name): f"{node.module}.{alias.name}" for alias in node.names}
    return names


def varying_calls(source: str) -> list[str]:
    """The calls in a module's source that return another value at each import, with their lines."""
    tree = ast.parse(source)
    names = _full_names(tree)
    found: list[str] = []
    for call in _run_on_import(tree):
        first, dot, rest = ast.unparse(call.func).partition(".")
        owner, _, name = (names.get(first, first) + dot + rest).rpartition(".")
        seeded = (owner, name) == ("random", "Random") and bool(call.args)
        varying = VARYING.get(owner, set())
        if not seeded and (varying is None or name in varying):
            found.append(f"line {call.lineno}: {ast.unparse(call)}")
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_test_modules_call_nothing_varying_on_import(path: Path) -> None:
    """No time, random value, port, process id or file is requested at import, in a decorator or in a default."""
    assert varying_calls(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "import time\nSTARTED = time.time()",
        "import time as clock\nclass Run:\n    started = clock.monotonic()",
        "from time import perf_counter as now\ndef run(started=now()): ...",
        "from datetime import UTC, datetime\n@parametrize('at', [datetime.now(UTC)])\ndef test(at): ...",
        "import datetime as dt\nDAYS = [dt.date.today() for _ in range(2)]",
        "import datetime\nNOON = datetime.datetime.now().replace(hour=12)",
        "from datetime import date\nrun = lambda day=date.today(): day",
        "import uuid\nasync def run(*, name=f'run-{uuid.uuid4().hex}'): ...",
        "from secrets import token_hex\nKEY = token_hex()",
        "import secrets\nKEY = secrets.token_bytes(32)",
        "import random\nSEED = random.randint(0, 9)",
        "import random\nCHANCE = random.Random()",
        "import os\nNAME = f'run-{os.getpid()}'",
        "import socket\nPORT = socket.create_server(('', 0)).getsockname()[1]",
        "import tempfile\nwith tempfile.TemporaryDirectory() as folder: ...",
        "import trustme\nCA = trustme.CA()",
        "try:\n    from uuid import uuid4\nfinally:\n    NAME = uuid4()",
    ],
)
def test_varying_call_in_source_is_found(source: str) -> None:
    """The call is found whichever way it was imported and wherever it is."""
    assert len(varying_calls(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "import time\ndef run():\n    return time.time()",
        "import time\nrun = lambda: time.time()",
        "import time\ndef run(clock=time.time): ...",
        "import random\nCHANCE = random.Random(7)",
        "from datetime import UTC, datetime\nDAY = datetime(2026, 1, 1, tzinfo=UTC)",
        "import time\nif __name__ == '__main__':\n    print(time.time())",
        "time = object()\ntime.sleep()",
    ],
)
def test_constant_or_deferred_call_is_not_found(source: str) -> None:
    """A call inside a test, a clock that is passed on, a seeded generator and a fixed time are allowed."""
    assert varying_calls(source) == []


# Imports every test module while the sources of varying values are watched. A call counts if the module being imported
# is a test module; calls that a library makes during its own import do not count.
_IMPORT_ALL = """
import datetime, importlib, json, os, pathlib, random, secrets, socket, sys, tempfile, time, uuid

import hypothesis, pytest  # before anything is watched: their own calls do not count

found = []

def record(name):
    frame, inner = sys._getframe(2), ""
    while frame is not None and frame.f_code.co_name != "<module>":
        frame = frame.f_back
    if frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "tests":
        found.append(f"{frame.f_globals['__name__']} line {frame.f_lineno}: {name}")

def watch(owner, *names):
    for name in names:
        real = getattr(owner, name, None)
        if real is not None:
            setattr(owner, name, watched(real, f"{owner.__name__}.{name}"))

def watched(real, name):
    def call(*args, **kwargs):
        record(name)
        return real(*args, **kwargs)
    return call

class Datetime(datetime.datetime):
    pass

class Date(datetime.date):
    pass

class Random(random.Random):
    def __init__(self, *seed):
        if not seed:
            record("random.Random")
        super().__init__(*seed)

watch(Datetime, "now", "utcnow", "today")
watch(Date, "today")
datetime.datetime, datetime.date, random.Random = Datetime, Date, Random
watch(time, "time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "localtime", "gmtime", "strftime")
watch(os, "getpid", "urandom", "getrandom")
watch(uuid, "uuid1", "uuid4")
watch(secrets, "token_bytes", "token_hex", "token_urlsafe", "randbelow", "choice")
watch(random, "random", "randint", "randrange", "choice", "choices", "sample", "shuffle", "getrandbits", "randbytes")
watch(tempfile, "mkdtemp", "mkstemp", "TemporaryDirectory", "NamedTemporaryFile", "TemporaryFile")
watch(socket.socket, "bind", "connect")

for path in sorted(pathlib.Path("tests").rglob("*.py")):
    if path.name != "__main__.py":
        importlib.import_module(".".join(path.with_suffix("").parts).removesuffix(".__init__"))
print(json.dumps(found))
"""


def test_importing_all_test_modules_calls_nothing_varying() -> None:
    """Nor does code that a test module calls during its import."""
    code = [sys.executable, "-W", "ignore", "-c", _IMPORT_ALL]
    run = subprocess.run(code, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout.splitlines()[-1]) == []
