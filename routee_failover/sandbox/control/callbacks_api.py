"""The callbacks of the sandbox's flows and what came of every attempt, for tests in any language."""

from itertools import islice
from typing import Any

from aiohttp import web

from ..callbacks.records import CallbackRecord
from ..life.book import AcceptedFlow
from ..routee.failover_answers import moment
from ..routee.refusals import FAILOVER
from ..service import Service, answer
from .near import refuse_strangers

_ENTITY = "Callbacks"


class CallbacksApi:
    """`/sandbox/callbacks`, for callers on this machine, or for everybody where `anyone` says so."""

    def __init__(self, service: Service, *, anyone: bool) -> None:
        self._service = service
        self._anyone = anyone

    def routes(self) -> list[web.RouteDef]:
        """The addresses and their handlers."""
        return [web.get("/sandbox/callbacks", self.list_callbacks, allow_head=False)]

    async def list_callbacks(self, request: web.Request) -> web.Response:
        """The newest callbacks, of one flow or of all."""
        refuse_strangers(request, self._anyone)
        query = self._service.query(request, "listSandboxCallbacks", FAILOVER, _ENTITY)
        log = self._service.callbacks.log
        found = reversed(log.of(query["flow"])) if "flow" in query else log.newest_first()
        views = [
            callback_view(flow, record)
            for record in islice(found, query["limit"])
            if (flow := self._service.book.find(record.flow_id)) is not None
        ]
        return answer({"callbacks": views})


def callback_view(flow: AcceptedFlow, record: CallbackRecord) -> dict[str, Any]:
    """A callback of this flow as the sandbox's own API shows it."""
    return {
        "id": record.id,
        "flowId": record.flow_id,
        "kind": record.kind,
        "url": record.url,
        "body": record.body,
        "dueAt": moment(flow.at, record.due_at),
        "state": record.state,
        "attempts": [
            {
                "at": moment(flow.at, attempt.at),
                "took": attempt.took,
                "status": attempt.status,
                "error": attempt.error,
            }
            for attempt in record.attempts
        ],
        "nextAt": None if record.next_at is None else moment(flow.at, record.next_at),
    }
