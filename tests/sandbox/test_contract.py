"""The contract as a document, and its validators."""

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


def test_every_reference_resolves_and_every_schema_is_used() -> None:
    """Every reference resolves, and every schema is referenced."""
    document = load_contract().document
    defined = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    used = {schema["$ref"] for schema in _schemas(document) if "$ref" in schema}
    assert used == defined


def test_every_operation_has_summary_security_and_described_responses() -> None:
    """Every operation has a summary, its security, and described responses with a schema."""
    document = load_contract().document
    assert document["openapi"].startswith("3.1")
    for methods in document["paths"].values():
        for method in {"get", "post", "delete"} & set(methods):
            operation = methods[method]
            assert operation["summary"]
            assert "security" in operation
            assert "200" in operation["responses"]
            for response in operation["responses"].values():
                assert response["description"]
                (content,) = response["content"].values()
                assert "$ref" in content["schema"]


def test_every_one_of_has_a_discriminator() -> None:
    """Every oneOf has a discriminator over exactly its alternatives: errors follow it."""
    for schema in _schemas(load_contract().document):
        if "oneOf" in schema:
            alternatives = [{"$ref": reference} for reference in schema["discriminator"]["mapping"].values()]
            assert schema["oneOf"] == alternatives


def test_contract_is_loaded_once() -> None:
    """The contract is loaded and compiled once per process."""
    assert load_contract() is load_contract()


@pytest.mark.parametrize("operation", BODIES)
def test_documented_bodies_are_valid(operation: str) -> None:
    """The bodies that Routee's pages show are valid."""
    assert load_contract().check_body(operation, BODIES[operation]) == []


def test_undocumented_status_is_a_violation() -> None:
    """A response with a status that the operation does not document is a violation."""
    (violation,) = load_contract().check_response("getBalance", 418, {})
    assert "418" in violation.reason


def test_response_of_another_shape_is_a_violation() -> None:
    """A response of another shape is a violation."""
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
def test_reason_of_each_keyword(schema: dict[str, Any], instance: object, violation: Violation | None) -> None:
    """Reasons name the rule and its limit, in the document's words where it has any."""
    responses = {"200": {"content": {"application/json": {"schema": schema}}}}
    paths = {"/": {"get": {"operationId": "it", "responses": responses}, "summary": "x"}}
    violations = Contract({"paths": paths, "components": {}}).check_response("it", 200, instance)
    assert violations == ([] if violation is None else [violation])


def test_search_dates_are_valid_calendar_days() -> None:
    """A search accepts every valid date from the year 1000 on, and no other, as Python parses it."""
    month = [(m, d) for m in range(14) for d in range(33)]
    for year in (999, 1000, 1900, 2000, 2023, 2024, 2100, 9996, 9999):
        for text in (f"{year:04}-{m:02}-{d:02}T15:00Z" for m, d in month):
            _, violations = load_contract().read_query("searchFailovers", {"dateStart": text})
            assert (not violations) == (year >= 1000 and _is_valid_time(text)), text
    for clock in ("00:00", "23:59:59", "23:59:59.9", "23:59:59.999999"):
        for zone in ("Z", "+23:59", "-00:30"):
            text = f"2024-02-29T{clock}{zone}"
            assert load_contract().read_query("searchFailovers", {"dateEnd": text})[1] == []
            assert datetime.fromisoformat(text).utcoffset() is not None


def _is_valid_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def test_location_is_written_like_routees_own() -> None:
    """A location is written as Routee writes it."""
    assert Violation(("flow", 1, "message", "body"), "x").location == "flow[1].message.body"
