"""The status of every flow as it was last told, so that ten thousand flows are filtered without playing them all."""

from .book import AcceptedFlow
from .engine import FlowStatus
from .feed import Cleared, Event, Feed, FlowAccepted, FlowChanged
from .journeys import Journeys

_SPARE = 1_000


class Statuses:
    """Hears of every change; what nobody told, as of a flow that was loaded from a file, it looks up once."""

    def __init__(self, journeys: Journeys, feed: Feed) -> None:
        self._journeys = journeys
        self._known: dict[str, FlowStatus] = {}
        feed.listen(self._hear)

    def of(self, flow: AcceptedFlow) -> FlowStatus:
        """The flow's status."""
        known = self._known.get(flow.id)
        if known is None:
            known = self._known[flow.id] = self._journeys.standing(flow).state.status
        return known

    def _hear(self, event: Event) -> None:
        match event:
            case FlowAccepted() | FlowChanged():
                self._known[event.flow.id] = event.state.status
                self._forget_the_forgotten()
            case Cleared():
                self._known.clear()
            case _:
                pass

    def _forget_the_forgotten(self) -> None:
        book = self._journeys.book
        if len(self._known) > 2 * len(book) + _SPARE:
            self._known = {flow.id: self._known[flow.id] for flow in book if flow.id in self._known}
