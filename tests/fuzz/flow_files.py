"""Flow files and templates, in JSON and TOML: mutated documented flows, and mutated bytes."""

import json
import re
from collections.abc import Iterator
from typing import Any

from routee_failover import InvalidFlow, InvalidSource, dump_flow, load_flow
from routee_failover._wire.flow_document import read_json_object
from routee_failover.bulk.templates.row import Correlation
from routee_failover.bulk.templates.template import FlowTemplate
from tests.flows.sample_requests import SAMPLES

from .csv_files import write_input
from .inputs import Source, mutate_bytes, mutate_json, one_of

_FLOWS: list[dict[str, Any]] = [{"endpoint": endpoint, **sample} for endpoint, sample in SAMPLES.items()]
_CELLS = {"phone": "+306900000001", "name": "Ada", "pin": "472915", "n": "60"}
_TEXTS = [
    "{phone}",
    "{name}",
    "Hi {name}",
    "{pin}",
    "{n}",
    "{{name}}",
    "{",
    "}",
    "{name",
    "{unknown}",
    "{name!r}",
    "{0}",
]


_LARGE = [
    "9" * 6_000,
    "[" * 5_000 + "]" * 5_000,
    "[" + "1," * 3_000 + "1]",
    '{"a":' * 2_000 + "1" + "}" * 2_000,
    "1e999",
]
"""Values that are expensive for a parser without limits."""


def _with_columns(source: Source, value: Any) -> Any:
    """Return the value with columns in some of its texts."""
    if isinstance(value, dict):
        return {key: _with_columns(source, item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_columns(source, item) for item in value]
    return one_of(source, _TEXTS) if not source.upto(6) else value


def _toml(value: Any, path: str = "") -> Iterator[str]:
    """Yield the value as TOML with inline tables; null, which TOML does not have, is an empty text."""
    if isinstance(value, dict):
        members = ", ".join(f"{json.dumps(str(key))} = {''.join(_toml(item))}" for key, item in value.items())
        yield f"{{{members}}}"
    elif isinstance(value, list):
        yield f"[{', '.join(''.join(_toml(item)) for item in value)}]"
    elif isinstance(value, str):
        yield json.dumps(value)
    else:
        yield json.dumps(value) if value is not None else '""'


def fuzz_flow_file(source: Source) -> None:
    """Assert that a flow file, or each row of a template, is loaded as what it contains, or is a documented error."""
    flow = mutate_json(source, _FLOWS)
    if source.upto(1):
        flow = _with_columns(source, flow)
    is_toml = not source.upto(2)
    if is_toml:
        text = "\n".join(f"{json.dumps(key)} = {''.join(_toml(value))}" for key, value in flow.items())
    else:
        text = json.dumps(flow, ensure_ascii=bool(source.upto(1)))
    if not source.upto(200):
        text = text.replace(
            one_of(source, ['"type"', '"to"', '"order"', '"body"', '"ttl"']), f'"x": {one_of(source, _LARGE)}, "y"'
        )
    data = text.encode("utf-8", "surrogatepass")
    check_flow_file(mutate_bytes(source, data) if not source.upto(2) else data, is_toml=is_toml)


def check_flow_file(data: bytes, *, is_toml: bool = False) -> None:
    """Assert the same for a file with these bytes."""
    path = write_input(data, "flow.toml" if is_toml else "flow.json")
    if not is_toml:
        _check_as_flow(str(path))
    try:
        template = FlowTemplate.read(path)
        rows = [*template.rows([_CELLS], key="name")]
    except (InvalidSource, InvalidFlow):
        return
    for row in rows:
        try:
            flow = row.build_flow(Correlation())
        except InvalidFlow:
            continue
        text = data.decode("utf-8-sig").encode("unicode_escape").decode()
        for number in _recipients(dump_flow(flow)):
            bare = number.removeprefix("+")
            assert number == _CELLS["phone"] or bare in text, f"{number} is not in {data!r}"


def _check_as_flow(path: str) -> None:
    try:
        value = read_json_object(path, "the flow")
        endpoint = value.pop("endpoint", "standard")
        flow = load_flow(endpoint, value)
    except (InvalidSource, InvalidFlow):
        return
    sent = dump_flow(flow)
    assert load_flow(endpoint, sent) == flow
    given_values = {*_leaves(value)}
    # A ttl is rounded to what the endpoint takes, and an omitted value has its default.
    assert {leaf for leaf in _leaves(sent) if isinstance(leaf, str)} <= given_values, (sent, value)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


def _recipients(value: Any, key: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _recipients(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from _recipients(item, key)
    elif key in {"to", "phone"} and isinstance(value, str) and re.fullmatch(r"\+?[0-9]+", value):
        yield value
