"""Tables of documented rules, and assertions that test each rule through the constructors and through JSON."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any, NamedTuple

import pytest

from routee_failover._wire import dump_flow, load_flow
from routee_failover.errors import InvalidFlow, Problem

from .sample_requests import SAMPLES, JsonPath, at, build, changed


class Bad(NamedTuple):
    """An invalid value, a part of the expected reason, and the path below the field at which the problem is found."""

    value: object
    reason: str
    subpath: JsonPath = ()


class Rule(NamedTuple):
    """Rule of one field: values that it accepts, at its limits, and invalid ones just past them, as JSON has them."""

    owner: type
    path: JsonPath
    """Path of the owner in the sample request of the endpoint."""
    field: str
    api: str
    good: tuple[object, ...]
    bad: tuple[Bad, ...]
    python: Callable[[Any], object] = lambda value: value
    """Convert a JSON value to what the constructor takes."""


def minutes(value: Any) -> object:
    """A time to live for an endpoint that counts minutes."""
    return timedelta(minutes=value)


def seconds(value: Any) -> object:
    """A time to live for an endpoint that counts seconds."""
    return timedelta(seconds=value)


def _case_id(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 40 else f"{type(value).__name__} of {len(value) if hasattr(value, '__len__') else 1}"


def good_cases(tables: Mapping[str, Iterable[Rule]]) -> list[Any]:
    """Return a parameter for each accepted value of each endpoint."""
    return [
        pytest.param(endpoint, rule, value, id=f"{endpoint} {rule.owner.__name__}.{rule.field}={_case_id(value)}")
        for endpoint, rules in tables.items()
        for rule in rules
        for value in rule.good
    ]


def bad_cases(tables: Mapping[str, Iterable[Rule]]) -> list[Any]:
    """Return a parameter for each invalid value of each endpoint."""
    return [
        pytest.param(
            endpoint,
            rule,
            bad,
            id=f"{endpoint} {rule.owner.__name__}.{rule.field}={_case_id(bad.value)}{'.'.join(map(str, bad.subpath))}",
        )
        for endpoint, rules in tables.items()
        for rule in rules
        for bad in rule.bad
    ]


def assert_buildable(rule: Rule, value: object) -> None:
    """Assert that the constructor accepts a value."""
    assert build(rule.owner, **{rule.field: rule.python(value)}) is not None


def assert_loadable(endpoint: str, rule: Rule, value: object) -> None:
    """Assert that JSON with the value is loaded, and dumped unchanged."""
    sample = changed(SAMPLES[endpoint], (*rule.path, rule.api), value)
    assert at(dump_flow(load_flow(endpoint, sample)), (*rule.path, rule.api)) == value


def only_problem(excinfo: pytest.ExceptionInfo[InvalidFlow]) -> Problem:
    """Return the only problem of an `InvalidFlow`."""
    (problem,) = excinfo.value.problems
    assert str(problem) in str(excinfo.value)
    return problem


def assert_build_fails(rule: Rule, bad: Bad) -> None:
    """Assert that the constructor raises `InvalidFlow` with the expected path and reason."""
    with pytest.raises(InvalidFlow) as excinfo:
        build(rule.owner, **{rule.field: rule.python(bad.value)})
    problem = only_problem(excinfo)
    assert problem.path == (rule.field, *bad.subpath)
    assert bad.reason in problem.reason
    assert str(excinfo.value).startswith(rule.owner.__name__ + ": ")


def assert_load_fails(endpoint: str, rule: Rule, bad: Bad) -> None:
    """Assert that loading JSON with the value raises `InvalidFlow` with the path in Routee's names."""
    with pytest.raises(InvalidFlow) as excinfo:
        load_flow(endpoint, changed(SAMPLES[endpoint], (*rule.path, rule.api), bad.value))
    problem = only_problem(excinfo)
    assert problem.path == (*rule.path, rule.api, *bad.subpath)
    assert bad.reason in problem.reason


def result_or_error(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Return the result of a call, or the `InvalidFlow` that it raises; any other error is a bug and propagates."""
    try:
        return function(*args, **kwargs)
    except InvalidFlow as error:
        return error


def problems_of(endpoint: str, mapping: Any, **options: Any) -> Iterator[str]:
    """Return every problem of some JSON, as text."""
    with pytest.raises(InvalidFlow) as excinfo:
        load_flow(endpoint, mapping, **options)
    return iter([str(problem) for problem in excinfo.value.problems])
