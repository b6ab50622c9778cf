"""Search filters: conditions in Routee's terms, validated before any request is sent.

Fields, operators and values are those of
https://docs.routee.net/reference/track-multiple-failovers-with-filters-for-a-specific-time-range
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

import attrs

from .._value_object import ValueObject
from ..errors import InvalidSearch, Problem
from ..records import Channel, FlowKind, FlowRecord, FlowStatus
from ..records.statuses import OpenEnum
from ..secret import mask_phone


class FilterField(StrEnum):
    """Field of a flow that a filter compares."""

    TYPE = "type"
    """The channels of its steps."""
    TO = "to"
    """The recipient."""
    STATUS = "status"
    TERMINATION_CHANNEL = "terminationChannel"
    """The channel on which it ended."""
    FLOW_KIND = "flowKind"
    """The endpoint it was sent to. Routee's guide to the endpoints names this filter, its reference does not."""


class SearchOperator(StrEnum):
    """Comparison of a filter. Letter case does not matter; the last three are for `to` only."""

    IS = "is"
    IS_NOT = "is_not"
    CONTAINS = "contains"
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"


_COMMON_OPERATORS = (SearchOperator.IS, SearchOperator.IS_NOT)
_ENUMS: Mapping[FilterField, type[OpenEnum]] = {
    FilterField.TYPE: Channel,
    FilterField.STATUS: FlowStatus,
    FilterField.TERMINATION_CHANNEL: Channel,
    FilterField.FLOW_KIND: FlowKind,
}


def _field(value: Any) -> Any:
    """Return the field of a name, in Routee's spelling or in ours; return other values unchanged, for validation."""
    name = value.replace("_", "").lower() if isinstance(value, str) else None
    return next((field for field in FilterField if field.lower() == name), value)


def _operator(value: Any) -> Any:
    name = value.lower() if isinstance(value, str) else None
    return next((operator for operator in SearchOperator if operator == name), value)


def _masked_term(term: object) -> str:
    """Return the `repr` of a search term; one with digits is masked, since it may be a phone number."""
    return mask_phone(term) if not isinstance(term, str) or any(map(str.isdigit, term)) else repr(term)


@attrs.frozen(slots=False, eq=False, repr=False)
class Filter(ValueObject):
    """One condition of a search: `Filter("to", "starts_with", "+3069")`, `Filter("status", "is_not", "Succeeded")`.

    Raises `InvalidSearch` for a field or an operator that Routee does not document, for an operator that the field does
    not have, and for a term that is not a value of the field. A value that Routee has added since is accepted as a
    member of its enum: `Filter("status", "is", FlowStatus("Paused"))`.
    """

    field_name: FilterField = attrs.field(converter=_field)
    search_operator: SearchOperator = attrs.field(converter=_operator)
    search_term: str = attrs.field(repr=_masked_term)

    def __attrs_post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise InvalidSearch("Filter", problems)
        enum = _ENUMS.get(self.field_name)
        # Converted to plain text, because it is sent as JSON.
        object.__setattr__(self, "search_term", self.search_term if enum is None else enum(self.search_term).value)

    def _problems(self) -> Iterator[Problem]:
        field, operator, term = self.field_name, self.search_operator, self.search_term
        if not isinstance(field, FilterField):
            yield Problem(("field_name",), f"must be one of {', '.join(FilterField)}")
        if not isinstance(operator, SearchOperator):
            yield Problem(("search_operator",), f"must be one of {', '.join(SearchOperator)}")
        elif isinstance(field, FilterField) and field is not FilterField.TO and operator not in _COMMON_OPERATORS:
            yield Problem(("search_operator",), f"must be is or is_not: {operator} is for to only")
        reason = text_problem(term)
        if reason is not None:
            yield Problem(("search_term",), reason)
        elif isinstance(field, FilterField) and field in _ENUMS:
            reason = enum_problem(_ENUMS[field], term)
            if reason is not None:
                yield Problem(("search_term",), reason)

    def to_json(self) -> dict[str, str]:
        """Return the filter as it is sent."""
        return {
            "fieldName": self.field_name.value,
            "searchOperator": self.search_operator.value,
            "searchTerm": self.search_term,
        }

    def contradicted_by(self, record: FlowRecord) -> bool:
        """Return whether a record proves that its flow does not match.

        It cannot prove that for channels and recipients: a record shows only the steps that were attempted.
        """
        value = {
            FilterField.STATUS: record.status,
            FilterField.TERMINATION_CHANNEL: record.termination_channel,
            FilterField.FLOW_KIND: record.flow_kind,
        }.get(self.field_name)
        if value is None:
            return False
        return (value.lower() == self.search_term.lower()) is (self.search_operator is SearchOperator.IS_NOT)

    def conflicts_with(self, other: "Filter") -> bool:
        """Return whether no flow can match both filters, because they compare a field of which a flow has one value."""
        if self.field_name is not other.field_name or self.field_name in _FIELDS_OF_STEPS:
            return False
        same = self.search_term.lower() == other.search_term.lower()
        operators = {self.search_operator, other.search_operator}
        return (operators == {SearchOperator.IS} and not same) or (operators == set(_COMMON_OPERATORS) and same)


_FIELDS_OF_STEPS = frozenset({FilterField.TYPE, FilterField.TO})


def text_problem(value: object) -> str | None:
    """Return why a value is not a valid search term, None if it is. Nothing of it is quoted."""
    if not isinstance(value, str):
        return f"must be text, not {type(value).__name__}"
    if not value.strip():
        return "must not be empty"
    try:
        value.encode()
    except UnicodeEncodeError:
        return "must be text that can be sent as UTF-8: it holds half of a surrogate pair"
    return None


def enum_problem(enum: type[OpenEnum], value: str) -> str | None:
    """Return why a text is not a value of one of Routee's enums, None if it is. A member of the enum always is."""
    if isinstance(value, enum) or enum(value).known:
        return None
    return f"must be one of {', '.join(enum)}; pass a new one as {enum.__name__}(...)"
