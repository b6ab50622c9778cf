"""The contract as a document."""

from datetime import datetime
from typing import Any

import pytest

from routee_failover.sandbox.contract import Contract, Violation, load_contract

from .raw_http import BODIES


def _schemas(node: Any) -> list[dict[str, Any]]:
    if isinstance(node, list):
        return [schema for part in node for schema in _schemas(part)]
    if isinstance(node, dict):
        return [node, *(schema for part in node.values() for schema in _schemas(part))]
    return []


def test_references_resolve() -> None:
    """Every reference leads somewhere, and every schema is referred to."""
    document = load_contract().document
    named = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    used = {schema["$ref"] for schema in _schemas(document) if "$ref" in schema}
    assert used == named


def test_every_operation_is_described() -> None:
    """Every operation has its name, a summary, described answers with a schema, and says who may call it."""
    document = load_contract().document
    assert document["openapi"].startswith("3.1")
    for methods in document["paths"].values():
        for method in {"get", "post", "delete"} & set(methods):
            operation = methods[method]
            assert operation["summary"]
            assert "security" in operation
            assert "200" in operation["responses"]
            for answer in operation["responses"].values():
                assert answer["description"]
                (content,) = answer["content"].values()
                assert "$ref" in content["schema"]


def test_every_choice_names_its_member() -> None:
    """Every oneOf has a discriminator over exactly its alternatives: refusals follow it."""
    for schema in _schemas(load_contract().document):
        if "oneOf" in schema:
            named = [{"$ref": reference} for reference in schema["discriminator"]["mapping"].values()]
            assert schema["oneOf"] == named


def test_compiled_once() -> None:
    """The contract is loaded and compiled once in a process."""
    assert load_contract() is load_contract()


@pytest.mark.parametrize("operation", BODIES)
def test_documented_shapes(operation: str) -> None:
    """The shapes that Routee's pages show are within the contract."""
    assert load_contract().check_body(operation, BODIES[operation]) == []


def test_undocumented_answer() -> None:
    """An answer with a status that the operation does not document is wrong by itself."""
    (violation,) = load_contract().check_response("getBalance", 418, {})
    assert "418" in violation.reason


def test_wrong_answer() -> None:
    """An answer of another shape is found out."""
    assert load_contract().check_response("getOtpHealth", 200, {"status": "ill"}) == [
        Violation(("status",), "is not as documented")
    ]


@pytest.mark.parametrize(
    ("schema", "instance", "violation"),
    [
        ({"x-max-digits": 2}, 100, Violation((), "is not as documented")),
        ({"x-max-digits": 2}, 99, None),
        ({"x-max-digits": 2}, "100", None),
        ({"x-distinct": "order"}, [{"order": 1}, {"order": 1.0}], Violation((), "order must differ from step to step")),
        ({"x-distinct": "order"}, [{"order": 1}, {"order": 2}, {}, {}, 5, {"order": []}, {"order": []}], None),
        ({"x-distinct": "order"}, "text", None),
        ({"minimum": 3}, 2, Violation((), "must be at least 3")),
        ({"exclusiveMinimum": 3}, 3, Violation((), "must be more than 3")),
        ({"maximum": 3}, 4, Violation((), "must be at most 3")),
        ({"maxLength": 3}, "long", Violation((), "must have at most 3 characters")),
        ({"type": ["string", "null"]}, 4, Violation((), "must be string, null")),
        ({"x-error-message": "no", "maximum": 3}, 4, Violation((), "no")),
        ({"required": ["a"]}, {}, Violation(("a",), "is required", missing=True)),
    ],
)
def test_reasons(schema: dict[str, Any], instance: object, violation: Violation | None) -> None:
    """Reasons say the rule and its limit, in the document's words where it has any."""
    answers = {"200": {"content": {"application/json": {"schema": schema}}}}
    paths = {"/": {"get": {"operationId": "it", "responses": answers}, "summary": "x"}}
    found = Contract({"paths": paths, "components": {}}).check_response("it", 200, instance)
    assert found == ([] if violation is None else [violation])


def test_search_moments() -> None:
    """A search may name each day that the calendar has from the year 1000 on, and no other, as Python reads it."""
    month = [(m, d) for m in range(14) for d in range(33)]
    for year in (999, 1000, 1900, 2000, 2023, 2024, 2100, 9996, 9999):
        for named in (f"{year:04}-{m:02}-{d:02}T15:00Z" for m, d in month):
            _, wrong = load_contract().read_query("searchFailovers", {"dateStart": named})
            assert (not wrong) == (year >= 1000 and _is_a_day(named)), named
    for clock in ("00:00", "23:59:59", "23:59:59.9", "23:59:59.999999"):
        for zone in ("Z", "+23:59", "-00:30"):
            named = f"2024-02-29T{clock}{zone}"
            assert load_contract().read_query("searchFailovers", {"dateEnd": named})[1] == []
            assert datetime.fromisoformat(named).utcoffset() is not None


def _is_a_day(moment: str) -> bool:
    try:
        datetime.fromisoformat(moment)
    except ValueError:
        return False
    return True


def test_place() -> None:
    """A place is written as in Routee's own words."""
    assert Violation(("flow", 1, "message", "body"), "x").location == "flow[1].message.body"
