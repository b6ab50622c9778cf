"""Routee's words for states: the documented ones in any letter case, and whatever it adds tomorrow."""

import copy
import json
import pickle

import pytest

from routee_failover.records import Channel, FlowKind, FlowStatus, MessageStatus
from routee_failover.records.statuses import OpenEnum

KINDS: list[type[OpenEnum]] = [FlowStatus, MessageStatus, Channel, FlowKind]
MEMBERS = [member for kind in KINDS for member in kind]


@pytest.mark.parametrize("member", MEMBERS, ids=repr)
@pytest.mark.parametrize("spelled", [str.upper, str.lower, str.title, str.swapcase])
def test_documented_words_are_known_in_any_letter_case(member: OpenEnum, spelled: object) -> None:
    """Routee writes EXPIRED, Expired and expired: all of them are the one member."""
    assert callable(spelled)
    assert type(member)(spelled(member.value)) is member
    assert member.known


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("word", ["Paused", "ÄNDERUNG", "in progress", "", "_x", "🙂"])
def test_unknown_words_are_kept(kind: type[OpenEnum], word: str) -> None:
    """A word that Routee adds is a member of its own: kept to the letter, comparable as text, and not known."""
    status = kind(word)
    assert isinstance(status, kind)
    assert not status.known
    assert (status, str(status), f"{status}", status.value) == (word, word, word, word)
    assert status == kind(word)
    assert hash(status) == hash(kind(word)) == hash(word)
    assert json.dumps([status]) == json.dumps([word])
    assert word in repr(status)
    assert status not in list(kind)


@pytest.mark.parametrize("status", [*MEMBERS, FlowStatus("Paused"), MessageStatus("OnHold")], ids=repr)
def test_statuses_pickle_and_copy_as_themselves(status: OpenEnum) -> None:
    """Known and unknown words survive pickling, copying and deep copying."""
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(status, protocol))
        assert (again, type(again), again.known) == (status, type(status), status.known)
    for again in (copy.copy(status), copy.deepcopy(status)):
        assert (again, type(again), again.known) == (status, type(status), status.known)


@pytest.mark.parametrize("status", [FlowStatus.SUCCEEDED, FlowStatus.FAILED, FlowStatus("FAILED")])
def test_two_words_end_a_flow(status: FlowStatus) -> None:
    """Succeeded and Failed are the ends of a flow."""
    assert status.final


@pytest.mark.parametrize("status", [FlowStatus.QUEUED, FlowStatus.IN_PROGRESS, FlowStatus("Cancelled")])
def test_no_other_word_ends_a_flow(status: FlowStatus) -> None:
    """An unknown status never counts as an end."""
    assert not status.final


@pytest.mark.parametrize("status", [FlowStatus("IN_PROGRESS"), MessageStatus("NO_ANSWER")])
def test_a_word_like_a_members_name_is_not_known(status: OpenEnum) -> None:
    """Routee documents InProgress and not IN_PROGRESS: the two are not the same, and the second is not known."""
    assert not status.known


def test_what_is_no_text_becomes_its_text() -> None:
    """A number where a word should be is kept as well."""
    assert FlowStatus(5) == "5"  # type: ignore[arg-type]  # what no type checker lets through
