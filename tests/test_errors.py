"""Errors: the tree is as drawn, each says what it proves, and each can be passed to another process."""

import copy
import inspect
import pickle
import re
from typing import Any

import pytest

import routee_failover
from routee_failover import errors
from routee_failover.errors import (
    BadRequest,
    CircuitOpen,
    ClientClosed,
    ConnectFailed,
    DeadlinePassed,
    DeliveryUnknown,
    FlowFailed,
    Forbidden,
    InsufficientBalance,
    InvalidCallback,
    InvalidConfig,
    InvalidFlow,
    InvalidSearch,
    InvalidSource,
    LedgerError,
    NoResponse,
    NotFound,
    NotSent,
    Outcome,
    PoolTimeout,
    Problem,
    RateLimited,
    Rejected,
    RouteeError,
    TokenUnavailable,
    Unauthorized,
    Unprocessable,
    WaitTimeout,
    Withdrawn,
)

NOT_SENT, REJECTED, UNKNOWN = Outcome.NOT_SENT, Outcome.REJECTED, Outcome.UNKNOWN
TREE: dict[type[RouteeError], tuple[type[RouteeError], Outcome]] = {
    InvalidConfig: (RouteeError, NOT_SENT),
    InvalidFlow: (RouteeError, NOT_SENT),
    InvalidCallback: (RouteeError, NOT_SENT),
    InvalidSearch: (RouteeError, NOT_SENT),
    InvalidSource: (RouteeError, NOT_SENT),
    LedgerError: (RouteeError, NOT_SENT),
    NotSent: (RouteeError, NOT_SENT),
    WaitTimeout: (RouteeError, Outcome.ACCEPTED),
    ConnectFailed: (NotSent, NOT_SENT),
    PoolTimeout: (NotSent, NOT_SENT),
    DeadlinePassed: (NotSent, NOT_SENT),
    Withdrawn: (NotSent, NOT_SENT),
    CircuitOpen: (NotSent, NOT_SENT),
    TokenUnavailable: (NotSent, NOT_SENT),
    ClientClosed: (NotSent, NOT_SENT),
    Rejected: (RouteeError, REJECTED),
    BadRequest: (Rejected, REJECTED),
    InsufficientBalance: (Rejected, REJECTED),
    Unauthorized: (Rejected, REJECTED),
    Forbidden: (Rejected, REJECTED),
    NotFound: (Rejected, REJECTED),
    Unprocessable: (Rejected, REJECTED),
    RateLimited: (Rejected, REJECTED),
    FlowFailed: (Rejected, REJECTED),
    DeliveryUnknown: (RouteeError, UNKNOWN),
    NoResponse: (RouteeError, UNKNOWN),
}
by_class = pytest.mark.parametrize("cls", TREE, ids=lambda cls: cls.__name__)


def _subclasses(cls: type[RouteeError]) -> set[type[RouteeError]]:
    return {sub for direct in cls.__subclasses__() for sub in (direct, *_subclasses(direct))}


def _drawn_tree() -> dict[str, str]:
    """The tree of the module's docstring: each name with its parent."""
    parents: dict[str, str] = {}
    ancestors: list[tuple[int, str]] = []
    for line in inspect.getdoc(errors).splitlines():  # type: ignore[union-attr]  # it has one
        match = re.match(r"^([ │]*[├└]── |    )(\w+(?: · \w+)*)", line)
        if match is None:
            continue
        depth, names = len(match[1]) if match[1].strip() else 0, match[2].split(" · ")
        while ancestors and ancestors[-1][0] >= depth:
            ancestors.pop()
        parents.update(dict.fromkeys(names, ancestors[-1][1] if ancestors else ""))
        ancestors.append((depth, names[-1]))
    return parents


def test_drawn_tree_matches_the_classes() -> None:
    """The tree in the docstring, the classes of the module and the table of this test are the same."""
    defined = {cls for cls in _subclasses(RouteeError) if cls.__module__ == errors.__name__}
    assert defined == set(TREE)
    drawn = _drawn_tree()
    assert drawn.pop("RouteeError") == ""
    assert drawn == {cls.__name__: parent.__name__ for cls, (parent, _) in TREE.items()}


@by_class
def test_error_class_has_its_parent_outcome_and_docstring(cls: type[RouteeError]) -> None:
    """Each error has the parent, the outcome and the docstring that the tree gives it, and is a public name."""
    parent, outcome = TREE[cls]
    assert cls.__bases__[0] is parent
    assert cls.outcome is outcome
    assert cls.__doc__
    assert getattr(routee_failover, cls.__name__) is cls


def test_invalid_input_errors_are_value_errors() -> None:
    """An error about an argument is a ValueError too, for callers that do not know this library."""
    assert [cls for cls in TREE if issubclass(cls, ValueError)] == [
        InvalidConfig,
        InvalidFlow,
        InvalidCallback,
        InvalidSearch,
        InvalidSource,
    ]


_REJECTED: dict[str, Any] = {
    "status": 400,
    "code": "400000000",
    "developer_message": "Validation Error!",
    "problems": {"to": "Invalid mobile number"},
    "retry_after": 1.5,
}
EXAMPLES: list[RouteeError] = [
    RouteeError("it"),
    InvalidConfig("it"),
    InvalidCallback("it"),
    InvalidFlow("It", [Problem(("flow", 0, "to"), "is wrong")]),
    InvalidFlow("It", [Problem(("flow", 0), "is wrong"), Problem((), "is wrong too")]),
    WaitTimeout("it", record={"status": "InProgress"}),
    InvalidSource("it"),
    LedgerError("it"),
    InvalidSearch("search", [Problem(("since",), "is wrong")]),
    *(cls("it") for cls in (NotSent, ConnectFailed, PoolTimeout, DeadlinePassed, Withdrawn, CircuitOpen, ClientClosed)),
    TokenUnavailable("it"),
    TokenUnavailable("it", status=401),
    *(cls("it", **_REJECTED) for cls in TREE if issubclass(cls, Rejected) and cls is not FlowFailed),
    FlowFailed("it", reason="no next step", status_code=2, developer_message="no channel"),
    DeliveryUnknown("it", reason="the connection was lost", correlation={"label": "login"}),
    DeliveryUnknown("it", reason="the connection was lost"),
    NoResponse("it", reason="the connection was lost"),
]
by_example = pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)


def test_every_error_class_has_an_example() -> None:
    """There is an example of every error."""
    assert {type(error) for error in EXAMPLES} == {RouteeError, *TREE}


def _is_equal(one: RouteeError, other: RouteeError) -> bool:
    return (type(one), str(one), one.args, vars(one), one.outcome) == (
        type(other),
        str(other),
        other.args,
        vars(other),
        other.outcome,
    )


@by_example
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_unpickled_error_equals_the_original(error: RouteeError, protocol: int) -> None:
    """An unpickled error has its class, text, fields and outcome."""
    assert _is_equal(pickle.loads(pickle.dumps(error, protocol)), error)


@by_example
def test_copied_error_equals_the_original(error: RouteeError) -> None:
    """Copies, shallow and deep, have everything too."""
    assert _is_equal(copy.copy(error), error)
    assert _is_equal(copy.deepcopy(error), error)


def test_pickling_keeps_exception_notes() -> None:
    """A note that was added while the error propagated is pickled too."""
    error = NoResponse("it", reason="lost")
    error.add_note("while tracking")
    assert pickle.loads(pickle.dumps(error)).__notes__ == ["while tracking"]


def test_error_fields_are_readable() -> None:
    """Every field that an error was given can be read from it."""
    error = Unprocessable("it", **_REJECTED)
    assert {name: getattr(error, name) for name in _REJECTED} == _REJECTED
    assert Rejected("it", status=500).problems == {}
    failed = FlowFailed("it", reason="no next step", status_code=2, developer_message="no channel")
    assert (failed.status, failed.reason, failed.status_code, failed.developer_message) == (
        200,
        "no next step",
        2,
        "no channel",
    )
    unknown = DeliveryUnknown("it", reason="lost", correlation={"label": "login"})
    assert (unknown.reason, unknown.correlation) == ("lost", {"label": "login"})
    assert DeliveryUnknown("it", reason="lost").correlation == {}
    assert NoResponse("it", reason="lost").reason == "lost"
    assert TokenUnavailable("it", status=401).status == 401


def test_error_fields_are_copies() -> None:
    """The fields of an error do not change with the mapping that it was given."""
    problems = {"to": "wrong"}
    error = BadRequest("it", status=400, problems=problems)
    problems.clear()
    assert error.problems == {"to": "wrong"}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), "is wrong"),
        (("to",), "to: is wrong"),
        (("flow", 1, "message", "body"), "flow[1].message.body: is wrong"),
        ((0, "to"), "[0].to: is wrong"),
        (("a", 0, 1), "a[0][1]: is wrong"),
    ],
)
def test_problem_text_is_path_and_reason(path: tuple[str | int, ...], text: str) -> None:
    """The text of a problem is its path and its reason."""
    assert str(Problem(path, "is wrong")) == text


def test_one_problem_is_inline_and_several_are_listed() -> None:
    """One problem follows its subject on the same line; several follow on lines of their own."""
    first, second = Problem(("to",), "is wrong"), Problem((), "is wrong too")
    assert str(InvalidFlow("It", [first])) == "It: to: is wrong"
    several = InvalidFlow("It", iter([first, second]))
    assert str(several) == "It: 2 problems\n  to: is wrong\n  is wrong too"
    assert (several.subject, several.problems) == ("It", (first, second))


def test_outcome_values_are_their_names() -> None:
    """The four outcomes are their own names."""
    assert {str(outcome) for outcome in Outcome} == {"ACCEPTED", "REJECTED", "NOT_SENT", "UNKNOWN"}
