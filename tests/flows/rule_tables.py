"""How a table of documented rules is written and asked: each rule once, through the constructors and through JSON."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any, NamedTuple

import pytest

from routee_failover._wire import dump_flow, load_flow
from routee_failover.errors import InvalidFlow, Problem

from .sample_requests import SAMPLES, Place, at, build, changed


class Bad(NamedTuple):
    """A value that a rule refuses, a telling part of the reason, and where below the field it is found."""

    value: object
    reason: str
    below: Place = ()


class Rule(NamedTuple):
    """What one field takes, at its limits, and what it refuses just past them; values as JSON has them."""

    owner: type
    place: Place
    """Where the owner stands in the sample of the endpoint."""
    field: str
    api: str
    good: tuple[object, ...]
    bad: tuple[Bad, ...]
    python: Callable[[Any], object] = lambda value: value
    """What the constructor takes for a value of JSON."""


def minutes(value: Any) -> object:
    """A time to live of an endpoint that counts minutes."""
    return timedelta(minutes=value)


def seconds(value: Any) -> object:
    """A time to live of an endpoint that counts seconds."""
    return timedelta(seconds=value)


def _word(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 40 else f"{type(value).__name__} of {len(value) if hasattr(value, '__len__') else 1}"


def good_cases(tables: Mapping[str, Iterable[Rule]]) -> list[Any]:
    """A parameter for each accepted value of each endpoint."""
    return [
        pytest.param(endpoint, rule, value, id=f"{endpoint} {rule.owner.__name__}.{rule.field}={_word(value)}")
        for endpoint, rules in tables.items()
        for rule in rules
        for value in rule.good
    ]


def bad_cases(tables: Mapping[str, Iterable[Rule]]) -> list[Any]:
    """A parameter for each refused value of each endpoint."""
    return [
        pytest.param(
            endpoint,
            rule,
            bad,
            id=f"{endpoint} {rule.owner.__name__}.{rule.field}={_word(bad.value)}{'.'.join(map(str, bad.below))}",
        )
        for endpoint, rules in tables.items()
        for rule in rules
        for bad in rule.bad
    ]


def accept_built(rule: Rule, value: object) -> None:
    """The constructor takes a value."""
    assert build(rule.owner, **{rule.field: rule.python(value)}) is not None


def accept_loaded(endpoint: str, rule: Rule, value: object) -> None:
    """JSON with the value is loaded, and dumped as it was."""
    sample = changed(SAMPLES[endpoint], (*rule.place, rule.api), value)
    assert at(dump_flow(load_flow(endpoint, sample)), (*rule.place, rule.api)) == value


def the_problem(refused: pytest.ExceptionInfo[InvalidFlow]) -> Problem:
    """The one problem of a refusal."""
    (problem,) = refused.value.problems
    assert str(problem) in str(refused.value)
    return problem


def refuse_built(rule: Rule, bad: Bad) -> None:
    """The constructor refuses a value, and says where and why."""
    with pytest.raises(InvalidFlow) as refused:
        build(rule.owner, **{rule.field: rule.python(bad.value)})
    problem = the_problem(refused)
    assert problem.path == (rule.field, *bad.below)
    assert bad.reason in problem.reason
    assert str(refused.value).startswith(rule.owner.__name__ + ": ")


def refuse_loaded(endpoint: str, rule: Rule, bad: Bad) -> None:
    """JSON with the value is refused, with the path in Routee's names."""
    with pytest.raises(InvalidFlow) as refused:
        load_flow(endpoint, changed(SAMPLES[endpoint], (*rule.place, rule.api), bad.value))
    problem = the_problem(refused)
    assert problem.path == (*rule.place, rule.api, *bad.below)
    assert bad.reason in problem.reason


def judged(act: Callable[..., Any], *args: Any, **given: Any) -> Any:
    """What an action gives, or the refusal that it ends in; any other error is a bug and goes through."""
    try:
        return act(*args, **given)
    except InvalidFlow as refused:
        return refused


def problems_of(endpoint: str, mapping: Any, **how: Any) -> Iterator[str]:
    """Every problem of some JSON, as text."""
    with pytest.raises(InvalidFlow) as refused:
        load_flow(endpoint, mapping, **how)
    return iter([str(problem) for problem in refused.value.problems])
