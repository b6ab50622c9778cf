"""Consistency checks: the outcomes that the client reports, compared with what the server counted."""

import pickle
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from routee_failover import AnyFlow, AttemptEnded, Event, Outcome, RouteeClient, RouteeError, errors
from tests.client.rendered_errors import shown

from .sample_flows import SECRETS, number_of


@attrs.frozen
class SendReport:
    """Outcome of one send as the client reports it."""

    number: str
    outcome: Outcome
    error: RouteeError | None = None


async def send_and_report(client: RouteeClient, flow: AnyFlow, **options: Any) -> SendReport:
    """Send a flow and return its outcome. Any other error than a `RouteeError` is raised: a send may not end in it."""
    send: Any = client.send
    try:
        await send(flow, **options)
    except RouteeError as error:
        return SendReport(number_of(flow), error.outcome, error)
    return SendReport(number_of(flow), Outcome.ACCEPTED)


async def send_all_and_report(client: RouteeClient, flows: Iterable[AnyFlow]) -> list[SendReport]:
    """Send flows through the client's own window and return the outcome of each."""
    return [SendReport(number_of(sent.flow), sent.outcome, sent.error) async for sent in client.send_all(flows)]


PROVEN: Mapping[Outcome, tuple[int, ...]] = {
    Outcome.ACCEPTED: (1,),
    Outcome.REJECTED: (0,),
    Outcome.NOT_SENT: (0,),
    Outcome.UNKNOWN: (0, 1),
}
"""How often the server can have accepted a message with this outcome."""


def contradictions(reports: Iterable[SendReport], accepted_counts: Mapping[str, int]) -> list[str]:
    """Return the contradictions between the client's reports and the server's count, in one line each."""
    problems = []
    for report in reports:
        count = accepted_counts.get(report.number, 0)
        if count not in PROVEN[report.outcome]:
            problems.append(f"{report.number} is {report.outcome} and was accepted {count} times: {report.error}")
        problems += error_problems(report)
    return problems


def error_problems(report: SendReport) -> list[str]:
    """Return what is wrong with the error of a send: a class outside the tree, another pickle, or a shown secret."""
    error = report.error
    if error is None:
        return []
    problems = []
    if getattr(errors, type(error).__name__, None) is not type(error):
        problems.append(f"{type(error)} is not in the tree of errors")
    unpickled = pickle.loads(pickle.dumps(error))
    if (type(unpickled), str(unpickled), vars(unpickled)) != (type(error), str(error), vars(error)):
        problems.append(f"{error!r} does not survive its pickle")
    rendered = shown(error)
    problems += [f"{error!r} shows {text}" for text in (*SECRETS, report.number) if text in rendered]
    return problems


def count_outcomes(reports: Iterable[SendReport]) -> Counter[str]:
    """Count the sends by outcome."""
    return Counter(str(report.outcome) for report in reports)


class AttemptRecorder:
    """Observer that records the attempts that ended, except for token requests."""

    def __init__(self) -> None:
        self.ended: list[AttemptEnded] = []

    def observe(self, event: Event, /) -> None:
        """Record the end of an attempt to send."""
        if isinstance(event, AttemptEnded) and "token" not in event.path:
            self.ended.append(event)

    @property
    def abandoned(self) -> Counter[Outcome]:
        """Outcomes of the sends whose callers were cancelled."""
        return Counter(event.outcome for event in self.ended if event.abandoned)

    @property
    def outcomes(self) -> Counter[Outcome]:
        """Outcomes of all attempts."""
        return Counter(event.outcome for event in self.ended)
