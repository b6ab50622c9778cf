"""`/sandbox/callbacks`: the callbacks of the flows, with the result of every attempt."""

from itertools import islice
from typing import Any

from aiohttp import web

from ..api.errors import FAILOVER_ERRORS
from ..api.failover_responses import format_timestamp
from ..callbacks.records import CallbackRecord
from ..context import SandboxContext, json_response
from ..simulation.flow_store import AcceptedFlow
from .local_only import require_local_caller

_ENTITY = "Callbacks"


class CallbacksApi:
    """Handlers of `/sandbox/callbacks`, for local callers, or for all with `allow_remote`."""

    def __init__(self, context: SandboxContext, *, allow_remote: bool) -> None:
        self._context = context
        self._allow_remote = allow_remote

    def routes(self) -> list[web.RouteDef]:
        """Return the routes and their handlers."""
        return [web.get("/sandbox/callbacks", self.list_callbacks, allow_head=False)]

    async def list_callbacks(self, request: web.Request) -> web.Response:
        """Return the newest callbacks, of one flow or of all."""
        require_local_caller(request, self._allow_remote)
        query = self._context.read_query(request, "listSandboxCallbacks", FAILOVER_ERRORS, _ENTITY)
        log = self._context.callback_dispatcher.log
        found = reversed(log.for_flow(query["flow"])) if "flow" in query else log.newest_first()
        views = [
            callback_view(flow, record)
            for record in islice(found, query["limit"])
            if (flow := self._context.flow_store.find(record.flow_id)) is not None
        ]
        return json_response({"callbacks": views})


def callback_view(flow: AcceptedFlow, record: CallbackRecord) -> dict[str, Any]:
    """Return a callback of this flow as the admin API shows it."""
    return {
        "id": record.id,
        "flowId": record.flow_id,
        "kind": record.kind,
        "url": record.url,
        "body": record.body,
        "dueAt": format_timestamp(flow.created_at, record.due_at),
        "state": record.state,
        "attempts": [
            {
                "at": format_timestamp(flow.created_at, attempt.at),
                "durationMs": attempt.duration_ms,
                "status": attempt.status,
                "error": attempt.error,
            }
            for attempt in record.attempts
        ],
        "nextAt": None if record.next_at is None else format_timestamp(flow.created_at, record.next_at),
    }
