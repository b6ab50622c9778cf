"""One condition of a search, in Routee's words; what cannot work is refused before anybody is asked.

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
    """What of a flow is compared."""

    TYPE = "type"
    """The channels of its steps."""
    TO = "to"
    """The recipient."""
    STATUS = "status"
    TERMINATION_CHANNEL = "terminationChannel"
    """The channel that it ended on."""
    FLOW_KIND = "flowKind"
    """The endpoint that it came through. Routee's guide to the endpoints names this filter, its reference does not."""


class SearchOperator(StrEnum):
    """How it is compared. Letter case does not matter; the last three are for `to` only."""

    IS = "is"
    IS_NOT = "is_not"
    CONTAINS = "contains"
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"


_OF_EVERY_FIELD = (SearchOperator.IS, SearchOperator.IS_NOT)
_WORDS: Mapping[FilterField, type[OpenEnum]] = {
    FilterField.TYPE: Channel,
    FilterField.STATUS: FlowStatus,
    FilterField.TERMINATION_CHANNEL: Channel,
    FilterField.FLOW_KIND: FlowKind,
}


def _field(value: Any) -> Any:
    """The field of a name, in Routee's spelling or in ours; whatever is none is left for the check."""
    name = value.replace("_", "").lower() if isinstance(value, str) else None
    return next((field for field in FilterField if field.lower() == name), value)


def _operator(value: Any) -> Any:
    name = value.lower() if isinstance(value, str) else None
    return next((operator for operator in SearchOperator if operator == name), value)


def _shown(term: object) -> str:
    """The `repr` of a term: a word is shown, a number is masked."""
    return mask_phone(term) if not isinstance(term, str) or any(map(str.isdigit, term)) else repr(term)


@attrs.frozen(slots=False, eq=False, repr=False)
class Filter(ValueObject):
    """One condition of a search: `Filter("to", "starts_with", "+3069")`, `Filter("status", "is_not", "Succeeded")`.

    Raises `InvalidSearch` for a field or an operator that Routee does not document, for an operator that the field does
    not have, and for a word that is none of the field's. A word that Routee has added since is taken as a member of its
    list: `Filter("status", "is", FlowStatus("Paused"))`.
    """

    field_name: FilterField = attrs.field(converter=_field)
    search_operator: SearchOperator = attrs.field(converter=_operator)
    search_term: str = attrs.field(repr=_shown)

    def __attrs_post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise InvalidSearch("Filter", problems)
        words = _WORDS.get(self.field_name)
        # As text again: what is sent is JSON.
        object.__setattr__(self, "search_term", self.search_term if words is None else words(self.search_term).value)

    def _problems(self) -> Iterator[Problem]:
        field, operator, term = self.field_name, self.search_operator, self.search_term
        if not isinstance(field, FilterField):
            yield Problem(("field_name",), f"must be one of {', '.join(FilterField)}")
        if not isinstance(operator, SearchOperator):
            yield Problem(("search_operator",), f"must be one of {', '.join(SearchOperator)}")
        elif isinstance(field, FilterField) and field is not FilterField.TO and operator not in _OF_EVERY_FIELD:
            yield Problem(("search_operator",), f"must be is or is_not: {operator} is for to only")
        why = text_problem(term)
        if why is not None:
            yield Problem(("search_term",), why)
        elif isinstance(field, FilterField) and field in _WORDS:
            why = enum_problem(_WORDS[field], term)
            if why is not None:
                yield Problem(("search_term",), why)

    def to_json(self) -> dict[str, str]:
        """The condition as it is sent."""
        return {
            "fieldName": self.field_name.value,
            "searchOperator": self.search_operator.value,
            "searchTerm": self.search_term,
        }

    def contradicted_by(self, record: FlowRecord) -> bool:
        """Whether a flow says itself that it does not meet the condition.

        It cannot say so of its channels and recipients: it shows only the steps that were tried.
        """
        said = {
            FilterField.STATUS: record.status,
            FilterField.TERMINATION_CHANNEL: record.termination_channel,
            FilterField.FLOW_KIND: record.flow_kind,
        }.get(self.field_name)
        if said is None:
            return False
        return (said.lower() == self.search_term.lower()) is (self.search_operator is SearchOperator.IS_NOT)

    def conflicts_with(self, other: "Filter") -> bool:
        """Whether no flow can meet both conditions: they are about something that a flow has one of."""
        if self.field_name is not other.field_name or self.field_name in _OF_EVERY_STEP:
            return False
        same = self.search_term.lower() == other.search_term.lower()
        operators = {self.search_operator, other.search_operator}
        return (operators == {SearchOperator.IS} and not same) or (operators == set(_OF_EVERY_FIELD) and same)


_OF_EVERY_STEP = frozenset({FilterField.TYPE, FilterField.TO})


def text_problem(value: object) -> str | None:
    """Why a value cannot be searched for. Nothing of it is quoted."""
    if not isinstance(value, str):
        return f"must be text, not {type(value).__name__}"
    if not value.strip():
        return "must not be empty"
    try:
        value.encode()
    except UnicodeEncodeError:
        return "must be text that can be sent: half of a surrogate pair is none"
    return None


def enum_problem(enum: type[OpenEnum], value: str) -> str | None:
    """Why a text is none of Routee's words for something; one that is marked as such is believed."""
    if isinstance(value, enum) or enum(value).known:
        return None
    return f"must be one of {', '.join(enum)}; one that is new is {enum.__name__}(...)"
