"""Everything with `async with`: leaving it ends whatever cancels it, and leaves nothing open."""

import asyncio
from pathlib import Path
from typing import Any

import anyio
import pytest

from routee_failover import CallbackInbox, RouteeClient
from routee_failover.bulk import BulkSender, BulkSettings, FlowTemplate
from routee_failover.events import CallbackDropped, Event
from routee_failover.ledger import EntryState, SqliteLedger
from routee_failover.sandbox import Sandbox
from tests.client.fake_routee import until
from tests.transport.raw_server import PausableHandler, RawServer
from tests.webhooks.payloads import flow

SMS = {"type": "Sms", "order": 1, "from": "Demo", "to": "{phone}", "message": {"body": "Hi"}}


async def test_ledger_is_free_after_a_cancelled_exit(tmp_path: Path) -> None:
    """After a cancel scope around it the ledger's file is closed: the next run opens it at once."""
    for _ in range(10):
        with anyio.CancelScope() as scope:
            async with SqliteLedger(tmp_path / "run.sqlite"):
                scope.cancel()
        with anyio.CancelScope() as scope:
            async with SqliteLedger.read(tmp_path / "run.sqlite") as ledger:
                await ledger.counts()
                scope.cancel()
    async with SqliteLedger(tmp_path / "run.sqlite") as ledger:
        assert (await ledger.counts()).total == 0


async def test_sandbox_is_closed_after_a_cancelled_exit(tmp_path: Path) -> None:
    """After a cancel scope around it the port and the file of a sandbox are free."""
    port = 0
    for _ in range(3):
        with anyio.CancelScope() as scope:
            async with Sandbox(port=port, store=tmp_path / "sandbox.sqlite") as sandbox:
                port = int(sandbox.url.rpartition(":")[2])
                scope.cancel()
        with pytest.raises(OSError, match="onnect"):
            await asyncio.open_connection("127.0.0.1", port)


def held_handler(inbox: CallbackInbox) -> tuple[asyncio.Event, list[str]]:
    """Register a handler that waits for an event; return that event, and the ids of the flows that it has handled."""
    resume, handled = asyncio.Event(), list[str]()

    @inbox.on_flow
    async def handle(event: Any) -> None:
        await resume.wait()
        handled.append(event.tracking_id)

    return resume, handled


async def test_inbox_handles_what_is_pending_after_a_cancelled_exit() -> None:
    """A cancel scope around an inbox does not cancel handlers: they get the shutdown timeout, nothing is dropped."""
    events = list[Event]()

    class Recorder:
        def observe(self, event: Event, /) -> None:
            events.append(event)

    inbox = CallbackInbox(concurrency=1, observers=[Recorder()])
    resume, handled = held_handler(inbox)
    with anyio.CancelScope() as scope:
        async with inbox:
            for number in range(3):
                inbox.receive(flow(tracking_id=str(number)))
            await asyncio.sleep(0)
            scope.cancel()
    resume.set()
    await until(lambda: len(handled) == 3)
    assert [event for event in events if isinstance(event, CallbackDropped)] == []


async def test_inbox_that_is_opened_again_while_it_closes_drops_nothing() -> None:
    """`async with` on an inbox that is still closing opens it: what is pending is handled, and nothing is dropped."""
    inbox = CallbackInbox(concurrency=1)
    resume, handled = held_handler(inbox)
    with anyio.CancelScope() as scope:
        async with inbox:
            inbox.receive(flow(tracking_id="1"))
            await asyncio.sleep(0)
            scope.cancel()
    async with inbox:
        inbox.receive(flow(tracking_id="2"))
        resume.set()
        await until(lambda: len(handled) == 2)


async def test_cancelled_bulk_run_leaves_every_message_in_a_final_or_unknown_state(tmp_path: Path) -> None:
    """A cancel scope around a run: what may have been sent is UNKNOWN, and nothing stays SENDING."""
    handler = PausableHandler(paused=True)
    template = FlowTemplate.from_mapping({"endpoint": "standard", "flow": [SMS]})
    rows = template.rows([{"phone": f"+3069000000{number:02}"} for number in range(20)])
    async with RawServer(handler) as server:
        with anyio.CancelScope() as scope:
            async with (
                RouteeClient(server.config(pool_size=5)) as client,
                SqliteLedger(tmp_path / "run.sqlite") as ledger,
            ):
                sender = BulkSender(client, ledger, BulkSettings(concurrency=10))
                async with anyio.create_task_group() as group:
                    group.start_soon(sender.run, rows)
                    await until(lambda: len(handler.seen) == 5)
                    scope.cancel()
        handler.resumed.set()
        async with SqliteLedger.read(tmp_path / "run.sqlite") as ledger:
            states = [entry.state async for entry in ledger.entries()]
    assert states.count(EntryState.UNKNOWN) >= 5
    assert set(states) <= {EntryState.UNKNOWN, EntryState.NEW}
