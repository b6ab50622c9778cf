"""Open enumerations of Routee's words: the documented ones in any letter case, and those that it may add later."""

import copy
import json
import pickle

import pytest

from routee_failover.records import Channel, FlowKind, FlowStatus, MessageStatus
from routee_failover.records.statuses import OpenEnum

ENUMS: list[type[OpenEnum]] = [FlowStatus, MessageStatus, Channel, FlowKind]
MEMBERS = [member for enum in ENUMS for member in enum]


@pytest.mark.parametrize("member", MEMBERS, ids=repr)
@pytest.mark.parametrize("change_case", [str.upper, str.lower, str.title, str.swapcase])
def test_documented_word_is_known_in_any_letter_case(member: OpenEnum, change_case: object) -> None:
    """Routee writes EXPIRED, Expired and expired: all of them are the same member."""
    assert callable(change_case)
    assert type(member)(change_case(member.value)) is member
    assert member.known


@pytest.mark.parametrize("enum", ENUMS)
@pytest.mark.parametrize("word", ["Paused", "ÄNDERUNG", "in progress", "", "_x", "🙂"])
def test_unknown_word_is_kept_as_text(enum: type[OpenEnum], word: str) -> None:
    """A word that Routee adds is a member of its own: unchanged, comparable as text, and not known."""
    status = enum(word)
    assert isinstance(status, enum)
    assert not status.known
    assert (status, str(status), f"{status}", status.value) == (word, word, word, word)
    assert status == enum(word)
    assert hash(status) == hash(enum(word)) == hash(word)
    assert json.dumps([status]) == json.dumps([word])
    assert word in repr(status)
    assert status not in list(enum)


@pytest.mark.parametrize("status", [*MEMBERS, FlowStatus("Paused"), MessageStatus("OnHold")], ids=repr)
def test_status_survives_pickling_and_copying(status: OpenEnum) -> None:
    """Known and unknown words survive pickling, copying and deep copying."""
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(status, protocol))
        assert (again, type(again), again.known) == (status, type(status), status.known)
    for again in (copy.copy(status), copy.deepcopy(status)):
        assert (again, type(again), again.known) == (status, type(status), status.known)


@pytest.mark.parametrize("status", [FlowStatus.SUCCEEDED, FlowStatus.FAILED, FlowStatus("FAILED")])
def test_succeeded_and_failed_are_final(status: FlowStatus) -> None:
    """Succeeded and Failed are the final statuses of a flow."""
    assert status.final


@pytest.mark.parametrize("status", [FlowStatus.QUEUED, FlowStatus.IN_PROGRESS, FlowStatus("Cancelled")])
def test_other_flow_statuses_are_not_final(status: FlowStatus) -> None:
    """An unknown status is not final."""
    assert not status.final


@pytest.mark.parametrize("status", [FlowStatus("IN_PROGRESS"), MessageStatus("NO_ANSWER")])
def test_member_name_is_not_a_known_word(status: OpenEnum) -> None:
    """Routee documents InProgress and not IN_PROGRESS: the two are not the same, and the second is not known."""
    assert not status.known


def test_number_in_place_of_a_word_is_kept_as_text() -> None:
    """A number in place of a word is kept as well."""
    assert FlowStatus(5) == "5"  # type: ignore[arg-type]  # a type checker rejects it
