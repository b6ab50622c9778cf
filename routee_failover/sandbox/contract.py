"""Contract: Routee's documented API as an OpenAPI document, compiled once into one validator per operation.

It has two parts: `api/contract.json` is what Routee documents, `admin/contract.json` is the sandbox's admin API. The
first is written from Routee's pages alone and is independent of this library's own validation, so that each can reveal
mistakes of the other. No message quotes an invalid value: it may contain a PIN or a phone number.
"""

import functools
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from importlib import resources
from typing import TYPE_CHECKING, Any, cast

import attrs

from .errors import SandboxError

if TYPE_CHECKING:
    from jsonschema_rs import KeywordValidator, Validator

JSON_MEDIA = "application/json"

_Path = tuple[str | int, ...]


@attrs.frozen
class Violation:
    """Violation of the contract: where and why, without the value. `missing` marks an absent required member."""

    path: _Path
    reason: str
    missing: bool = False

    @property
    def location(self) -> str:
        """The path as text, such as `flow[1].message.body`."""
        return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.path).removeprefix(".")


class Contract:
    """Validators of an OpenAPI document, by operationId. Raises `SandboxError` when jsonschema-rs is not installed."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self._operations = {
            operation["operationId"]: operation
            for path in document["paths"].values()
            for method, operation in path.items()
            if method in {"get", "post", "delete"}
        }
        self._bodies = {
            name: self._compile(next(iter(operation["requestBody"]["content"].values()))["schema"])
            for name, operation in self._operations.items()
            if "requestBody" in operation
        }
        self._queries = {
            name: self._compile(_query_schema(operation))
            for name, operation in self._operations.items()
            if "parameters" in operation
        }
        self._responses: dict[tuple[str, int], _SchemaValidator] = {}

    def _compile(self, schema: Mapping[str, Any]) -> "_SchemaValidator":
        return _SchemaValidator({**schema, "components": self.document["components"]})

    def check_body(self, operation: str, body: object) -> list[Violation]:
        """Return the violations in a request body; an empty list when it is valid."""
        return self._bodies[operation](body)

    def read_query(self, operation: str, query: Mapping[str, str]) -> tuple[dict[str, Any], list[Violation]]:
        """Return the values of a query by name, with numbers parsed and defaults filled in, and their violations."""
        values: dict[str, Any] = {}
        for parameter in self._operations[operation]["parameters"]:
            name, schema = parameter["name"], parameter["schema"]
            if name in query:
                values[name] = _PARSERS.get(schema.get("type", ""), str)(query[name])
            elif "default" in schema:
                values[name] = schema["default"]
        return values, self._queries[operation](values)

    def check_response(self, operation: str, status: int, body: object) -> list[Violation]:
        """Return the violations in a response; a status that the operation does not document is one."""
        documented = self._operations[operation]["responses"]
        if str(status) not in documented:
            return [Violation((), f"{operation} documents no response {status}")]
        if (operation, status) not in self._responses:
            self._responses[operation, status] = self._compile(documented[str(status)]["content"][JSON_MEDIA]["schema"])
        return self._responses[operation, status](body)


@functools.cache
def load_contract() -> Contract:
    """Return the contract of this package, compiled at the first call and cached."""
    document, admin = _load_part("api"), _load_part("admin")
    document["paths"] |= admin["paths"]
    document["components"]["schemas"] |= admin["components"]["schemas"]
    return Contract(document)


def _load_part(package: str) -> dict[str, Any]:
    path = resources.files("routee_failover.sandbox").joinpath(package, "contract.json")
    part: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return part


def _query_schema(operation: Mapping[str, Any]) -> dict[str, Any]:
    named = {entry["name"]: entry for entry in operation["parameters"] if entry["in"] == "query"}
    return {
        "type": "object",
        "properties": {name: entry["schema"] for name, entry in named.items()},
        "required": [name for name, entry in named.items() if entry.get("required")],
    }


def _parse_integer(text: str) -> int | str:
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) <= _MAX_DIGITS else text


def _parse_number(text: str) -> float | str:
    number = float(text) if _DECIMAL_PATTERN.fullmatch(text) else math.inf
    return number if math.isfinite(number) else text


_PARSERS: dict[str, Callable[[str], object]] = {"integer": _parse_integer, "number": _parse_number}
_DECIMAL_PATTERN = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_MAX_DIGITS = 4000  # Python converts at most 4300 digits; no page limits a page number
_MAX_VIOLATIONS = 100  # so that a large invalid request does not cause an even larger response


class _MaxDigitsKeyword:
    """Keyword `x-max-digits`: a whole number longer than a JSON schema's `maximum` can bound exactly."""

    def __init__(self, parent_schema: object, value: int, schema_path: object) -> None:
        del parent_schema, schema_path
        self._limit = 10**value

    def validate(self, instance: object) -> None:
        if isinstance(instance, int) and instance >= self._limit:
            raise ValueError


class _DistinctKeyword:
    """Keyword `x-distinct`: no two elements of a list share the named value."""

    def __init__(self, parent_schema: object, value: str, schema_path: object) -> None:
        del parent_schema, schema_path
        self._name = value

    def validate(self, instance: object) -> None:
        steps = cast("list[object]", instance) if isinstance(instance, list) else []
        found = [cast("dict[str, Any]", step).get(self._name) for step in steps if isinstance(step, dict)]
        numbers = [value for value in found if isinstance(value, int | float)]
        if len(set(numbers)) < len(numbers):
            raise ValueError


class _SchemaValidator:
    """Validator of one schema."""

    def __init__(self, schema: dict[str, Any]) -> None:
        try:
            import jsonschema_rs  # noqa: PLC0415  # optional: part of the extra
        except ImportError:
            raise SandboxError(
                "the sandbox validates requests with jsonschema-rs, which is not installed: "
                'python -m pip install "routee-failover[sandbox]"'
            ) from None
        self._schema = schema
        keywords: dict[str, type[KeywordValidator]] = {
            "x-max-digits": _MaxDigitsKeyword,
            "x-distinct": _DistinctKeyword,
        }
        self._validator: Validator = jsonschema_rs.Draft202012Validator(schema, mask="*", keywords=keywords)

    def __call__(self, instance: object) -> list[Violation]:
        if self._validator.is_valid(instance):
            return []
        found: dict[_Path, Violation] = {}
        for error in self._validator.iter_errors(instance):
            for violation in self._explain(error):
                found.setdefault(violation.path, violation)
            if len(found) >= _MAX_VIOLATIONS:
                break
        return list(found.values())

    def _explain(self, error: Any) -> Iterator[Violation]:
        path = tuple(error.instance_path)
        keyword = error.schema_path[-1]
        schema = self._lookup(error.schema_path[:-1])
        if keyword == "required":
            yield Violation((*path, error.kind.property), "is required", missing=True)
        elif keyword == "additionalProperties":
            yield from (Violation((*path, name), "is not known here") for name in error.kind.unexpected)
        elif keyword == "oneOf":
            yield from self._explain_choice(error, path, schema)
        else:
            yield Violation(path, schema.get("x-error-message") or _reason(keyword, schema.get(keyword)))

    def _explain_choice(self, error: Any, path: _Path, schema: Mapping[str, Any]) -> Iterator[Violation]:
        """Yield the violations of the alternative that the discriminator selects, not those of all alternatives."""
        name, mapping = schema["discriminator"]["propertyName"], schema["discriminator"]["mapping"]
        instance: Any = error.instance
        chosen = instance.get(name) if isinstance(instance, Mapping) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        if not isinstance(instance, Mapping):
            yield Violation(path, _reason("type", "object"))
        elif name not in instance:
            yield Violation((*path, name), "is required", missing=True)
        elif not isinstance(chosen, str) or chosen not in mapping:
            yield Violation((*path, name), _reason("enum", list(mapping)))
        else:
            position = schema["oneOf"].index({"$ref": mapping[chosen]})
            for inner in error.kind.context[position]:
                yield from self._explain(inner)

    def _lookup(self, path: list[str | int]) -> Mapping[str, Any]:
        found: Any = self._schema
        for part in path:
            found = found[part]
        return cast("Mapping[str, Any]", found)


_REASONS = {
    "type": "must be {}",
    "enum": "must be one of {}",
    "minLength": "must have at least {} characters",
    "maxLength": "must have at most {} characters",
    "minItems": "must have at least {} element",
    "minProperties": "must have at least {} member",
    "minimum": "must be at least {}",
    "exclusiveMinimum": "must be more than {}",
    "maximum": "must be at most {}",
    "x-distinct": "{} must differ from step to step",
}


def _reason(keyword: object, limit: object) -> str:
    limit_text = ", ".join(map(str, cast("list[object]", limit))) if isinstance(limit, list) else str(limit)
    return _REASONS.get(str(keyword), "is not as documented").format(limit_text)
