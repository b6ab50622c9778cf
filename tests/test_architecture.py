"""The house keeps its own rules: import directions, public names, docstrings, small rooms, light imports."""

import ast
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from enum import Enum
from importlib.metadata import requires
from importlib.resources import files
from pathlib import Path

import pytest

import routee_failover

ROOT = Path(__file__).parents[1]
PACKAGE = Path(routee_failover.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 350


def _name(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def _imported(path: Path) -> Iterator[str]:
    """What a module imports when it runs; what only type checkers import costs nobody anything."""
    tree = _tree(path)
    tree.body = [
        node for node in tree.body if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""


def _importers(library: str) -> list[str]:
    return [_name(path) for path in MODULES if any(name.split(".")[0] == library for name in _imported(path))]


def test_imports_run_one_way_through_the_house() -> None:
    """Every contract of import-linter in pyproject.toml is kept."""
    pytest.importorskip("importlinter")
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True, no_logo=True))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert " 0 broken" in run.stdout


def test_all_names_what_is_public() -> None:
    """`__all__` lists every name that type checkers are shown, once, and each of them exists."""
    tree = ast.parse(Path(routee_failover.__file__).read_text("utf-8"))
    (shown,) = (node for node in tree.body if isinstance(node, ast.If))
    names = [alias.name for node in shown.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert sorted(names) == sorted(routee_failover.__all__)
    assert len(set(names)) == len(names)
    assert all(hasattr(routee_failover, name) for name in names)
    assert set(names) <= set(dir(routee_failover))


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    """A misspelt name ends as it would in any module."""
    with pytest.raises(AttributeError, match="no attribute 'RuteeClient'"):
        routee_failover.RuteeClient  # noqa: B018


@pytest.mark.parametrize("room", sorted({path.parent for path in MODULES} - {PACKAGE}), ids=_name)
def test_what_a_room_offers_exists(room: Path) -> None:
    """A room that lists its names lists existing ones, sorted and once."""
    listed: list[str] = next(
        (
            ast.literal_eval(node.value)
            for node in _tree(room / "__init__.py").body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        ),
        [],
    )
    assert listed == sorted(set(listed))


def _public(node: ast.Module | ast.ClassDef, within: str = "") -> Iterator[tuple[str, ast.AST]]:
    for child in node.body:
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not child.name.startswith("_"):
            overloaded = any("overload" in ast.unparse(decorator) for decorator in child.decorator_list)
            if not overloaded:
                yield f"{within}{child.name}", child
            if isinstance(child, ast.ClassDef):
                yield from _public(child, f"{child.name}.")


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_everything_public_says_what_it_promises(path: Path) -> None:
    """Every module, and every public class, function and method, has a docstring."""
    tree = _tree(path)
    assert ast.get_docstring(tree), f"{_name(path)} has no docstring"
    silent = [name for name, node in _public(tree) if not ast.get_docstring(node)]  # type: ignore[arg-type]
    assert silent == []


def test_public_names_say_what_they_promise_at_run_time() -> None:
    """help() on each public class and function, and on each of its methods, shows words of its own."""
    silent: list[str] = []
    for name in routee_failover.__all__:
        value = getattr(routee_failover, name)
        if not inspect.isclass(value) and not inspect.isfunction(value):
            continue
        if not inspect.getdoc(value) or (inspect.isclass(value) and "__doc__" not in vars(value)):
            silent.append(name)
        if inspect.isclass(value) and not issubclass(value, Enum):
            silent += [
                f"{name}.{method}"
                for method, part in inspect.getmembers(value, inspect.isfunction)
                if not method.startswith("_") and not inspect.getdoc(part)
            ]
    assert silent == []


@pytest.mark.parametrize("path", [*MODULES, *sorted((ROOT / "tests").rglob("*.py"))], ids=str)
def test_no_room_is_too_large_to_read(path: Path) -> None:
    """No module, tests included, has more than 350 lines."""
    assert len(path.read_text("utf-8").splitlines()) <= LONGEST


def test_importing_the_package_imports_nothing_optional() -> None:
    """`import routee_failover` needs none of the extras, and does not load them where they are installed."""
    optional = ["typer", "rich", "click", "jsonschema_rs", "uvloop", "psycopg", "procrastinate", "opentelemetry"]
    own = ["cli", "sandbox"]
    code = (
        "import json, sys; from routee_failover import *;"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules}"
        " | {name.split('.')[1] for name in sys.modules if name.startswith('routee_failover.')})))"
    )
    run = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(run.stdout))
    assert loaded.isdisjoint(optional)
    assert loaded.isdisjoint(own)
    assert {"aiohttp", "attrs", "orjson"} <= loaded


def test_catching_an_error_does_not_load_the_client() -> None:
    """Each public name is loaded when it is first asked for: a module that only catches errors stays light."""
    code = "import sys; from routee_failover import RouteeError; print('aiohttp' in sys.modules)"
    run = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


def test_importing_the_package_leaves_the_process_as_it_was() -> None:
    """Importing starts no event loop, no thread, no handler of logs and no warning."""
    code = (
        "import logging, threading, warnings; warnings.simplefilter('error');"
        "import routee_failover;"
        "assert threading.active_count() == 1; assert not logging.getLogger().handlers;"
        "print(logging.getLogger('routee_failover').handlers)"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", code], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "[]\n", "")


@pytest.mark.parametrize(
    ("library", "module"), [("backoff", "_transport/retry_delays.py"), ("orjson", "_wire/json.py")]
)
def test_a_library_is_imported_in_one_module(library: str, module: str) -> None:
    """Each of backoff and orjson has one module that knows it, so that it can be exchanged."""
    assert _importers(library) == [module]


def test_cattrs_stays_where_json_is_read() -> None:
    """Only the room that turns JSON into flows knows cattrs, and the one module that reads the sandbox's store."""
    elsewhere = [name for name in _importers("cattrs") if not name.startswith("wire/")]
    assert elsewhere == ["sandbox/store/serialization.py"]


def test_the_client_side_of_aiohttp_stays_in_the_transport() -> None:
    """Only the transport speaks aiohttp; the sandbox, the command line and one receiver may serve with it."""
    rooms = {name.partition("/")[0] for name in _importers("aiohttp") if name != "webhooks/aiohttp_app.py"}
    assert rooms <= {"transport", "sandbox", "cli"}


@pytest.mark.parametrize("library", ["typer", "rich", "jsonschema_rs", "uvloop"])
def test_what_is_optional_is_imported_where_it_may_be(library: str) -> None:
    """Optional dependencies are imported only in the sandbox and the command line."""
    assert {name.partition("/")[0] for name in _importers(library)} <= {"sandbox", "cli"}


def test_the_package_says_that_it_is_typed() -> None:
    """py.typed is in the package, so that type checkers read its annotations."""
    assert files("routee_failover").joinpath("py.typed").is_file()


def test_the_core_needs_what_the_design_names() -> None:
    """Without an extra, five libraries are installed and no more."""
    needed = {
        re.split(r"[\s;<>=\[]", line, maxsplit=1)[0]
        for line in requires("routee-failover") or []
        if "extra" not in line
    }
    assert needed == {"aiohttp", "attrs", "backoff", "cattrs", "orjson"}
