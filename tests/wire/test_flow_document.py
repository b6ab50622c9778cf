"""Size limits of flow files: a file larger than any flow is an error at once, which names the limit."""

import json
from pathlib import Path
from typing import Any

import pytest

from routee_failover import InvalidFlow, InvalidSource
from routee_failover._wire.flow_document import read_json_object, reject_duplicate_keys
from routee_failover.bulk.templates.template import FlowTemplate
from routee_failover.flows.size_limits import MAX_SIZE

STEP = {"type": "Sms", "order": 1, "from": "Demo", "to": "{phone}", "message": {"body": "Dear {name}"}}
JSON = json.dumps({"endpoint": "standard", "flow": [STEP]})
TOML = """
endpoint = "standard"
[[flow]]
type = "Sms"
order = 1
from = "Demo"
to = "{phone}"
message = { body = "Dear {name}" }
"""
MANY_DIGITS = "contains a number of more than 400 digits"


def read_template(path: Path, text: str) -> FlowTemplate:
    """Return the template in a file with this text."""
    path.write_text(text, "utf-8")
    return FlowTemplate.read(path)


def flow_json_with(value: str) -> str:
    """Return the flow with another value added, as JSON."""
    return f'{JSON[:-1]}, "more": {value}}}'


def flow(**changes: Any) -> dict[str, Any]:
    """Return the flow as a mapping."""
    return {"endpoint": "standard", "flow": [STEP], **changes}


@pytest.mark.parametrize(
    ("text", "violation"),
    [
        (flow_json_with("9" * 6_000), MANY_DIGITS),
        (flow_json_with("-" + "9" * 400), MANY_DIGITS),
        (flow_json_with("9" * 4_000), MANY_DIGITS),
        (flow_json_with("1e999"), "contains a number beyond the range of a double"),
        (flow_json_with("Infinity"), "Infinity is not a JSON number"),
        (flow_json_with("[" * 100_000), "is nested too deeply"),
        (flow_json_with("[" * 200 + "]" * 200), "is nested too deeply"),
        (flow_json_with('{"a": ' * 60 + "1" + "}" * 60), "is nested too deeply"),
        (flow_json_with("[" + "1," * 200 + "1]"), "contains a list of more than 200 entries"),
        (json.dumps(flow(flow=[{**STEP, "order": order} for order in range(1, 20_001)])), "list of more than 200"),
        (json.dumps(flow(**{f"k{index}": 1 for index in range(20_000)})), "contains more than 20,000 values"),
        (flow_json_with('"' + "x" * 131_073 + '"'), "contains a text of more than 131,072 characters"),
        (
            flow_json_with('{"' + '": 1, "'.join(f"k{index}" for index in range(50_000)) + '": 1, "k7": 2}'),
            "the key k7 occurs",
        ),
        (" " * (MAX_SIZE + 1), "more than 4 MiB"),
    ],
)
def test_json_file_beyond_a_limit_is_an_invalid_source(tmp_path: Path, text: str, violation: str) -> None:
    """The error names the file and the limit, is short, and says that nothing was sent."""
    with pytest.raises(InvalidSource, match=violation) as excinfo:
        read_template(tmp_path / "flow.json", text)
    assert str(excinfo.value).startswith(str(tmp_path))
    assert str(excinfo.value).endswith("nothing was sent")
    assert len(str(excinfo.value)) < 300


@pytest.mark.parametrize(
    ("more", "violation"),
    [
        ("9" * 6_000, MANY_DIGITS),
        ("9" * 4_000, MANY_DIGITS),
        ("0x" + "f" * 60_000, MANY_DIGITS),
        ("[" * 5_000, "is nested too deeply"),
        ("[" * 60 + "]" * 60, "is nested too deeply"),
        ("[" + "1," * 300 + "]", "contains a list of more than 200 entries"),
        ('"' + "x" * 131_073 + '"', "contains a text of more than 131,072 characters"),
        ("1 2", "is not TOML"),
    ],
)
def test_toml_file_beyond_a_limit_is_an_invalid_source(tmp_path: Path, more: str, violation: str) -> None:
    """TOML has the same limits as JSON."""
    with pytest.raises(InvalidSource, match=violation) as excinfo:
        read_template(tmp_path / "flow.toml", f"more = {more}\n{TOML}")
    assert str(excinfo.value).endswith("nothing was sent")


def test_flow_file_of_usual_size_is_read_as_json_and_toml(tmp_path: Path) -> None:
    """A large but realistic flow is far below every limit."""
    steps = [{**STEP, "order": order} for order in range(1, 21)]
    assert read_template(tmp_path / "flow.json", json.dumps(flow(flow=steps))).columns == {"phone", "name"}
    assert read_template(tmp_path / "flow.toml", TOML).columns == {"phone", "name"}


def test_mapping_beyond_a_limit_is_an_invalid_flow() -> None:
    """A template from a mapping has the same limits, even if the mapping contains itself."""
    self_containing: dict[str, Any] = {}
    self_containing["self_containing"] = self_containing
    for changes, violation in (
        ({"more": 10**500}, MANY_DIGITS),
        ({"more": tuple(range(300))}, "contains a list"),
        ({"more": self_containing}, "is nested too deeply"),
        ({"flow": [STEP] * 20_000}, "contains a list"),
    ):
        with pytest.raises(InvalidFlow, match=violation):
            FlowTemplate.from_mapping(flow(**changes))


def test_json_object_is_read_with_its_numbers(tmp_path: Path) -> None:
    """What `send` reads has the same limits, and ordinary numbers are read as int and float."""
    path = tmp_path / "flow.json"
    path.write_text('{"a": 1, "b": 2.5}', "utf-8")
    assert read_json_object(str(path), "flow") == {"a": 1, "b": 2.5}
    assert reject_duplicate_keys([("a", 1), ("b", 2)]) == {"a": 1, "b": 2}
