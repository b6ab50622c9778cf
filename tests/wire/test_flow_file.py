"""A flow in a file is bounded: what is larger than any flow is refused early, with what is too much."""

import json
from pathlib import Path
from typing import Any

import pytest

from routee_failover import InvalidFlow, InvalidSource
from routee_failover._wire.flow_file import MAX_FILE_SIZE, read_json_object, reject_duplicate_keys
from routee_failover.bulk.templates.template import FlowTemplate

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


def read(path: Path, text: str) -> FlowTemplate:
    """The template in a file with this text."""
    path.write_text(text, "utf-8")
    return FlowTemplate.read(path)


def with_more(value: str) -> str:
    """The flow with another value in it, as JSON."""
    return f'{JSON[:-1]}, "more": {value}}}'


def flow(**changes: Any) -> dict[str, Any]:
    """The flow as a mapping."""
    return {"endpoint": "standard", "flow": [STEP], **changes}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (with_more("9" * 6_000), MANY_DIGITS),
        (with_more("-" + "9" * 400), MANY_DIGITS),
        (with_more("9" * 4_000), MANY_DIGITS),
        (with_more("1e999"), "contains a number beyond the range of a double"),
        (with_more("Infinity"), "Infinity is not a JSON number"),
        (with_more("[" * 100_000), "is nested too deeply"),
        (with_more("[" * 200 + "]" * 200), "is nested too deeply"),
        (with_more('{"a": ' * 60 + "1" + "}" * 60), "is nested too deeply"),
        (with_more("[" + "1," * 200 + "1]"), "contains a list of more than 200 entries"),
        (json.dumps(flow(flow=[{**STEP, "order": order} for order in range(1, 20_001)])), "list of more than 200"),
        (json.dumps(flow(**{f"k{place}": 1 for place in range(20_000)})), "contains more than 20,000 values"),
        (with_more('"' + "x" * 131_073 + '"'), "contains a text of more than 131,072 characters"),
        (
            with_more('{"' + '": 1, "'.join(f"k{place}" for place in range(50_000)) + '": 1, "k7": 2}'),
            "the key k7 occurs",
        ),
        (" " * (MAX_FILE_SIZE + 1), "more than 4 MiB"),
    ],
)
def test_json_that_is_larger_than_any_flow(tmp_path: Path, text: str, why: str) -> None:
    """It is refused at once by its name, and says that nothing was sent."""
    with pytest.raises(InvalidSource, match=why) as caught:
        read(tmp_path / "flow.json", text)
    assert str(caught.value).startswith(str(tmp_path))
    assert str(caught.value).endswith("nothing was sent")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("more", "why"),
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
def test_toml_that_is_larger_than_any_flow(tmp_path: Path, more: str, why: str) -> None:
    """TOML has the bounds of JSON."""
    with pytest.raises(InvalidSource, match=why) as caught:
        read(tmp_path / "flow.toml", f"more = {more}\n{TOML}")
    assert str(caught.value).endswith("nothing was sent")


def test_flow_of_a_usual_size_is_read_from_both(tmp_path: Path) -> None:
    """Nothing that a flow may have is near a bound."""
    steps = [{**STEP, "order": order} for order in range(1, 21)]
    assert read(tmp_path / "flow.json", json.dumps(flow(flow=steps))).columns == {"phone", "name"}
    assert read(tmp_path / "flow.toml", TOML).columns == {"phone", "name"}


def test_mapping_that_is_larger_than_any_flow() -> None:
    """A template of a mapping is held to the same, also where it holds itself."""
    around: dict[str, Any] = {}
    around["around"] = around
    for changes, why in (
        ({"more": 10**500}, MANY_DIGITS),
        ({"more": tuple(range(300))}, "contains a list"),
        ({"more": around}, "is nested too deeply"),
        ({"flow": [STEP] * 20_000}, "contains a list"),
    ):
        with pytest.raises(InvalidFlow, match=why):
            FlowTemplate.from_mapping(flow(**changes))


def test_object_on_its_own(tmp_path: Path) -> None:
    """What `send` reads is bounded by the same rules, and numbers of a usual size are whole numbers and fractions."""
    path = tmp_path / "flow.json"
    path.write_text('{"a": 1, "b": 2.5}', "utf-8")
    assert read_json_object(str(path), "flow") == {"a": 1, "b": 2.5}
    assert reject_duplicate_keys([("a", 1), ("b", 2)]) == {"a": 1, "b": 2}
