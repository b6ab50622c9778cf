"""No traceback that shows local variables shows the texts of a template, of a flow file or of a row."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from routee_failover import InvalidFlow, InvalidSource
from routee_failover.bulk import FlowTemplate
from routee_failover.cli.flow_file import read_flow
from tests.flows.leak_detection import caught, reported

CODE = ["8x4y7z2q"]
"""A list, so that no frame of a test has the secret in a variable of its own."""
_STEP: dict[str, Any] = {"type": "Sms", "order": 1, "to": "{phone}", "ttl": 60}


def _mapping(**changes: Any) -> dict[str, Any]:
    step = _STEP | {"message": {"body": f"Your code is {CODE[0]} {{pin}}"}} | changes.pop("step", {})
    return {"endpoint": "otp", "flow": [step]} | changes


INVALID: dict[str, Callable[[], dict[str, Any]]] = {
    "endpoint": lambda: _mapping(endpoint="sms"),
    "no endpoint": lambda: _mapping(endpoint=None),
    "ttl": lambda: _mapping(step={"ttl": -1}),
    "unknown key": lambda: _mapping(step={"flash": CODE[0]}),
    "placeholder": lambda: _mapping(step={"message": {"body": f"{CODE[0]} {{"}}),
    "text too long": lambda: _mapping(step={"message": {"body": CODE[0] * 50_000}}),
    "too deep": lambda: _mapping(step={"message": _nested(CODE[0], 60)}),
    "type": lambda: _mapping(step={"type": "Fax"}),
    "label": lambda: _mapping(endpoint="standard", step={"label": CODE[0] * 50, "from": "Demo"}),
}


def _nested(value: Any, depth: int) -> Any:
    return {"a": _nested(value, depth - 1)} if depth else value


@pytest.mark.parametrize("case", INVALID)
def test_invalid_template_shows_no_text_in_a_traceback(case: str) -> None:
    """The error about a mapping that is no template has none of its texts in its frames."""
    error = caught(lambda: FlowTemplate.from_mapping(INVALID[case]()))
    assert isinstance(error, InvalidFlow)
    assert CODE[0] not in reported(error)


@pytest.mark.parametrize("read", [FlowTemplate.read, lambda path: read_flow(str(path), None, keep_unknown=False)])
@pytest.mark.parametrize("case", [*INVALID, "no JSON", "a list"])
def test_invalid_file_shows_no_text_in_a_traceback(case: str, read: Callable[[Path], Any], tmp_path: Path) -> None:
    """The error about a file that holds no template or no flow has none of its texts in its frames."""
    path = tmp_path / "flow.json"
    contents = {"no JSON": lambda: f'{{"pin": "{CODE[0]}", ', "a list": lambda: json.dumps([CODE[0]])}
    path.write_text(contents[case]() if case in contents else json.dumps(INVALID[case]()), encoding="utf-8")
    error = caught(lambda: read(path))
    assert isinstance(error, InvalidFlow | InvalidSource)
    assert CODE[0] not in reported(error)


def test_invalid_toml_shows_no_text_in_a_traceback(tmp_path: Path) -> None:
    """The same for a template in TOML."""
    path = tmp_path / "flow.toml"
    path.write_text(f'endpoint = "otp"\npin = "{CODE[0]}"\nflow = [', encoding="utf-8")
    error = caught(lambda: FlowTemplate.read(path))
    assert isinstance(error, InvalidSource)
    assert CODE[0] not in reported(error)


def _rows() -> Iterator[dict[str, str]]:
    yield {"phone": "+306912345678", "pin": CODE[0]}
    raise RuntimeError("the source broke")


async def _async_rows() -> AsyncIterator[dict[str, str]]:
    for row in _rows():
        yield row


def test_broken_source_shows_no_row_in_a_traceback() -> None:
    """If an iterable of rows raises, the frames of this package hold no earlier row."""
    template = FlowTemplate.from_mapping(_mapping())
    error = caught(lambda: list(template.rows(_rows())))
    assert isinstance(error, RuntimeError)
    assert "+306912345678" not in reported(error)


async def test_broken_async_source_shows_no_row_in_a_traceback() -> None:
    """The same for an async iterable."""
    template = FlowTemplate.from_mapping(_mapping())
    with pytest.raises(RuntimeError) as raised:
        _ = [row async for row in template.rows(_async_rows())]
    assert "+306912345678" not in reported(raised.value)
