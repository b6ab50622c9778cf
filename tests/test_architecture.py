"""Architecture rules: import layers, public names, docstrings, module size, optional and lazy imports."""

import ast
import inspect
import json
import re
import subprocess
import sys
from collections import Counter
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
MAX_LINES = 450


def _name(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def _imported(path: Path) -> Iterator[str]:
    """Yield what a module imports at run time, without what only type checkers import."""
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


def test_import_contracts_are_kept() -> None:
    """Every contract of import-linter in pyproject.toml is kept."""
    pytest.importorskip("importlinter")
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True, no_logo=True))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert " 0 broken" in run.stdout


def test_root_all_lists_each_public_name_once() -> None:
    """`__all__` of the root lists every name that type checkers are shown, once, and each of them exists."""
    tree = ast.parse(Path(routee_failover.__file__).read_text("utf-8"))
    (shown,) = (node for node in tree.body if isinstance(node, ast.If))
    names = [alias.name for node in shown.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert sorted(names) == sorted(routee_failover.__all__)
    assert len(set(names)) == len(names)
    assert all(hasattr(routee_failover, name) for name in names)
    assert set(names) <= set(dir(routee_failover))


def test_unknown_public_name_raises_attribute_error() -> None:
    """A misspelt name raises AttributeError, as in any module."""
    with pytest.raises(AttributeError, match="no attribute 'RuteeClient'"):
        routee_failover.RuteeClient  # noqa: B018


def _all_of(path: Path) -> list[str]:
    """Return the names of `__all__` of a module, as they are written; none if it has no `__all__`."""
    return next(
        (
            ast.literal_eval(node.value)
            for node in _tree(path).body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        ),
        [],
    )


@pytest.mark.parametrize("package", sorted({path.parent for path in MODULES} - {PACKAGE}), ids=_name)
def test_package_all_is_sorted_and_without_duplicates(package: Path) -> None:
    """`__all__` of each package is sorted and names everything once."""
    listed = _all_of(package / "__init__.py")
    assert listed == sorted(set(listed))


def test_no_class_name_is_used_twice() -> None:
    """A class name exists once in the package, so that a search for it finds one thing."""
    defined = Counter(node.name for path in MODULES for node in ast.walk(_tree(path)) if isinstance(node, ast.ClassDef))
    assert [name for name, times in defined.items() if times > 1] == []


def _public(node: ast.Module | ast.ClassDef, within: str = "") -> Iterator[tuple[str, ast.AST]]:
    for child in node.body:
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not child.name.startswith("_"):
            overloaded = any("overload" in ast.unparse(decorator) for decorator in child.decorator_list)
            if not overloaded:
                yield f"{within}{child.name}", child
            if isinstance(child, ast.ClassDef):
                yield from _public(child, f"{child.name}.")


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_module_and_its_public_names_have_docstrings(path: Path) -> None:
    """Every module, and every public class, function and method, has a docstring."""
    tree = _tree(path)
    assert ast.get_docstring(tree), f"{_name(path)} has no docstring"
    undocumented = [name for name, node in _public(tree) if not ast.get_docstring(node)]  # type: ignore[arg-type]
    assert undocumented == []


def test_help_shows_a_docstring_for_each_public_name() -> None:
    """help() on each public class and function, and on each of its methods, shows a docstring of its own."""
    undocumented: list[str] = []
    for name in routee_failover.__all__:
        value = getattr(routee_failover, name)
        if not inspect.isclass(value) and not inspect.isfunction(value):
            continue
        if not inspect.getdoc(value) or (inspect.isclass(value) and "__doc__" not in vars(value)):
            undocumented.append(name)
        if inspect.isclass(value) and not issubclass(value, Enum):
            undocumented += [
                f"{name}.{method}"
                for method, part in inspect.getmembers(value, inspect.isfunction)
                if not method.startswith("_") and not inspect.getdoc(part)
            ]
    assert undocumented == []


@pytest.mark.parametrize("path", [*MODULES, *sorted((ROOT / "tests").rglob("*.py"))], ids=str)
def test_module_has_at_most_450_lines(path: Path) -> None:
    """No module, tests included, has more than 450 lines."""
    assert len(path.read_text("utf-8").splitlines()) <= MAX_LINES


def test_package_import_loads_no_optional_dependency() -> None:
    """`import routee_failover` needs none of the extras, and does not load those that are installed."""
    command_line, sandbox, testing = ["typer", "rich", "click"], ["jsonschema_rs"], ["aioresponses"]
    optional = [*command_line, *sandbox, *testing, "uvloop", "psycopg", "procrastinate", "opentelemetry"]
    own = ["cli", "sandbox", "testing"]
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


def test_importing_an_error_does_not_load_the_client() -> None:
    """A public name is loaded on first access, so a module that only catches errors does not import aiohttp."""
    code = "import sys; from routee_failover import RouteeError; print('aiohttp' in sys.modules)"
    run = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


def test_package_import_has_no_side_effects() -> None:
    """Importing starts no event loop and no thread, adds no log handler and emits no warning."""
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
    ("library", "module"), [("backoff", "_transport/retry_policy.py"), ("orjson", "_wire/json_codec.py")]
)
def test_replaceable_library_is_imported_in_one_module(library: str, module: str) -> None:
    """Each of backoff and orjson is imported in one module, so that it can be replaced."""
    assert _importers(library) == [module]


def test_cattrs_is_imported_only_where_json_is_converted() -> None:
    """Only _wire imports cattrs, and the one module that reads the sandbox's store."""
    elsewhere = [name for name in _importers("cattrs") if not name.startswith("_wire/")]
    assert elsewhere == ["sandbox/store/serialization.py"]


def test_aiohttp_client_is_imported_only_in_the_transport() -> None:
    """Only the transport and the mock use aiohttp's client; the sandbox, the CLI and one receiver use its server."""
    packages = {name.partition("/")[0] for name in _importers("aiohttp") if name != "webhooks/aiohttp_app.py"}
    assert packages <= {"_transport", "sandbox", "cli", "testing.py", "_aioresponses.py"}


def test_aioresponses_is_imported_in_one_module() -> None:
    """`testing` can be imported without aioresponses, so that its absence is one clear error."""
    assert _importers("aioresponses") == ["_aioresponses.py"]


@pytest.mark.parametrize("library", ["typer", "rich", "jsonschema_rs", "uvloop"])
def test_optional_library_is_imported_only_in_sandbox_and_cli(library: str) -> None:
    """Optional dependencies are imported only in the sandbox and the command line."""
    assert {name.partition("/")[0] for name in _importers(library)} <= {"sandbox", "cli"}


def test_package_contains_py_typed() -> None:
    """py.typed is in the package, so that type checkers read its annotations."""
    assert files("routee_failover").joinpath("py.typed").is_file()


def test_core_requires_five_libraries() -> None:
    """Without an extra, exactly five libraries are required."""
    needed = {
        re.split(r"[\s;<>=\[]", line, maxsplit=1)[0]
        for line in requires("routee-failover") or []
        if "extra" not in line
    }
    assert needed == {"aiohttp", "attrs", "backoff", "cattrs", "orjson"}
