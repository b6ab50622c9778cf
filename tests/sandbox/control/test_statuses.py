"""The statuses by which the list is filtered: told by the feed, looked up where nobody told, forgotten with flows."""

from datetime import UTC, datetime

from routee_failover.sandbox.life.agenda import Agenda
from routee_failover.sandbox.life.book import AcceptedFlow, FlowBook
from routee_failover.sandbox.life.clock import VirtualClock
from routee_failover.sandbox.life.feed import Feed
from routee_failover.sandbox.life.journeys import Journeys
from routee_failover.sandbox.life.statuses import Statuses
from tests.sandbox.callers import VIBER_OTP


def _journeys(keep: int) -> Journeys:
    clock = VirtualClock(0)
    return Journeys(clock, Agenda(clock), FlowBook(keep), Feed())


def _flow(number: int) -> AcceptedFlow:
    return AcceptedFlow(
        endpoint="viber-otp",
        id=f"f-{number}",
        at=datetime.now(UTC),
        number=number,
        body=VIBER_OTP,
        accepted_at=0.0,
        message_ids=(),
    )


def test_a_flow_that_nobody_told_of_is_looked_up() -> None:
    """The status of a flow that came into the book by another way is known as well."""
    journeys = _journeys(10)
    statuses = Statuses(journeys, journeys.feed)
    journeys.book.add(_flow(1))
    assert [statuses.of(flow) for flow in journeys.book] == ["InProgress"]


def test_statuses_of_forgotten_flows_are_forgotten() -> None:
    """However many flows pass, the statuses of few more are kept than the book keeps."""
    journeys = _journeys(10)
    statuses = Statuses(journeys, journeys.feed)
    for number in range(1, 3_000):
        journeys.start(_flow(number))
        assert len(statuses._known) < 1_100
    assert {statuses.of(flow) for flow in journeys.book} == {"InProgress"}
    journeys.clear()
    assert statuses._known == {}
