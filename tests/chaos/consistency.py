"""What the client says became of a message, held against what the server counted."""

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
    """What became of one send, in the client's words."""

    number: str
    outcome: Outcome
    error: RouteeError | None = None


async def send_and_report(client: RouteeClient, flow: AnyFlow, **options: Any) -> SendReport:
    """Send a flow and say what became of it. Whatever is no `RouteeError` is raised: a send may not end in it."""
    send: Any = client.send
    try:
        await send(flow, **options)
    except RouteeError as error:
        return SendReport(number_of(flow), error.outcome, error)
    return SendReport(number_of(flow), Outcome.ACCEPTED)


async def send_all_and_report(client: RouteeClient, flows: Iterable[AnyFlow]) -> list[SendReport]:
    """Send flows through the client's own window and say what became of each."""
    return [SendReport(number_of(sent.flow), sent.outcome, sent.error) async for sent in client.send_all(flows)]


PROVEN: Mapping[Outcome, tuple[int, ...]] = {
    Outcome.ACCEPTED: (1,),
    Outcome.REJECTED: (0,),
    Outcome.NOT_SENT: (0,),
    Outcome.UNKNOWN: (0, 1),
}
"""How often the server can have taken a message of which the client says this."""


def contradictions(all_told: Iterable[SendReport], taken: Mapping[str, int]) -> list[str]:
    """Where the client's words and the server's count do not go together, in one line each."""
    found = []
    for each in all_told:
        times = taken.get(each.number, 0)
        if times not in PROVEN[each.outcome]:
            found.append(f"{each.number} is {each.outcome} and was taken {times} times: {each.error}")
        found += error_problems(each)
    return found


def error_problems(each: SendReport) -> list[str]:
    """What is wrong with the error of a send: a kind that is not in the tree, a pickle that differs, a secret shown."""
    error = each.error
    if error is None:
        return []
    found = []
    if getattr(errors, type(error).__name__, None) is not type(error):
        found.append(f"{type(error)} is not in the tree of errors")
    again = pickle.loads(pickle.dumps(error))
    if (type(again), str(again), vars(again)) != (type(error), str(error), vars(error)):
        found.append(f"{error!r} does not survive its pickle")
    printed = shown(error)
    found += [f"{error!r} shows {text}" for text in (*SECRETS, each.number) if text in printed]
    return found


def count_outcomes(all_told: Iterable[SendReport]) -> Counter[str]:
    """How many sends ended in which outcome."""
    return Counter(str(each.outcome) for each in all_told)


class AttemptRecorder:
    """Notes the attempts that ended, but for those that asked for a token."""

    def __init__(self) -> None:
        self.ended: list[AttemptEnded] = []

    def observe(self, event: Event, /) -> None:
        """Take note of the end of an attempt to send."""
        if isinstance(event, AttemptEnded) and "token" not in event.path:
            self.ended.append(event)

    @property
    def abandoned(self) -> Counter[Outcome]:
        """What became of the sends whose callers had left."""
        return Counter(event.outcome for event in self.ended if event.abandoned)

    @property
    def outcomes(self) -> Counter[Outcome]:
        """What became of all."""
        return Counter(event.outcome for event in self.ended)
