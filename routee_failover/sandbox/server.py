"""`Sandbox`: a local server that speaks Routee's API, as a context manager."""

import asyncio
import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from .._tasks import run_to_end
from ..config import Config
from .api.tokens import ALL_ROLES, TokenService
from .app import create_app
from .callbacks.dispatcher import CallbackDispatcher
from .connection_faults import FaultInjector
from .context import SandboxContext, SandboxCounters
from .contract import Contract, load_contract
from .errors import SandboxError
from .inbox import Inbox
from .loop_thread import LoopThread
from .python_api import SandboxControls
from .server_logging import server_logger
from .simulation.event_bus import ClockChanged, EventBus, SandboxEvent
from .simulation.flow_store import FlowStore
from .simulation.lifecycle import FlowLifecycle
from .simulation.rules import Rules
from .simulation.runtime_settings import SimulationSettings
from .simulation.scheduler import Scheduler
from .simulation.virtual_clock import VirtualClock
from .store.base import MemoryStore, Store
from .store.persistent_clock import PersistentClock
from .store.sqlite import SqliteStore

_SHUTDOWN_SECONDS = 0.5
_BACKLOG = 1024


class Sandbox(SandboxControls):
    """Routee's documented API on this machine: tokens, sends, tracking, callbacks, with simulated outcomes.

    Virtual time passes `speed` times as fast as real time. With `speed=0` the clock is stopped and moves only by
    `await sandbox.advance(...)`, so that a test of a ttl of a day takes milliseconds and has the same result each time.
    `POST /sandbox/clock` does the same for other languages. The admin API accepts callers on this machine only, unless
    `allow_remote_admin` is set. Callbacks are posted from this machine to the URLs that flows name, its own network
    included: consider who can send here when `host` is not loopback.

    `port=0` takes a free port. `token_lifetime` is in real time, not in that of the virtual clock. `roles` are those of
    the tokens, all by default. The newest `max_flows` flows are kept.

    With `store`, a file, flows, callbacks, rules and settings survive a restart, and the clock continues from where it
    was. No response is sent before the changes that it reports are in the file. When a write fails, that is logged,
    `store_failure` holds the reason, and the sandbox continues in memory. Only one sandbox can open the file at a time.

    The outcome of a message is scripted by its recipient: in `+306900000VSP` the digits V, S and P select it for Viber,
    SMS and Voice: 0 delivered, 1 undelivered or busy, 2 failed, 3 expired or not answered, 4 seen, 5 unsent because the
    balance is insufficient, 6 cut off for that reason, 7 a server error, 8 unknown for some time. All other messages
    are delivered, unless a rule (`script`) says otherwise. Viber senders whose id begins with `unknown` do not exist.

    `async with` runs it in the current event loop; plain `with` runs it in its own thread, for programs and tests that
    are not async, and then any thread and event loop may use it.

    Raises `SandboxError` for an invalid setting, and, on entering, for an address or a file that cannot be used
    or an extra that is not installed.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        speed: float = 1.0,
        application_id: str = "sandbox",
        application_secret: str = "sandbox-secret",  # noqa: S107  # protects nothing
        token_lifetime: timedelta = timedelta(hours=1),
        roles: Sequence[str] = ALL_ROLES,
        max_flows: int = 10_000,
        allow_remote_admin: bool = False,
        store: str | os.PathLike[str] | None = None,
    ) -> None:
        self._host, self._port = host, port
        self._application_id, self._application_secret = application_id, application_secret
        try:
            self._flow_store = FlowStore(max_flows)
            self._clock = VirtualClock(speed)
            self._tokens = TokenService(
                application_id=application_id,
                application_secret=application_secret,
                lifetime=token_lifetime,
                roles=roles,
            )
        except ValueError as error:
            raise SandboxError(str(error)) from None
        self._scheduler, self._event_bus = Scheduler(self._clock), EventBus()
        self._lifecycle = FlowLifecycle(self._clock, self._scheduler, self._flow_store, self._event_bus)
        self._callback_dispatcher = CallbackDispatcher(self._lifecycle)
        self._flow_store.on_evicted(lambda flow: self._scheduler.cancel(flow.id))
        self._rules, self._settings, self._fault_injector = (
            Rules(self._event_bus),
            SimulationSettings(),
            FaultInjector(),
        )
        self._allow_remote_admin = allow_remote_admin
        self._counters, self._loop_thread = SandboxCounters(), LoopThread()
        self.inbox: Inbox = Inbox(self._lifecycle, self._callback_dispatcher, self._counters, self._loop_thread)
        self._store_path = None if store is None else Path(store)
        self._store: Store = MemoryStore()
        self._event_bus.add_listener(self._save_clock)
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None
        self._url: str | None = None

    async def __aenter__(self) -> Self:
        if self._runner is not None:
            raise SandboxError("this sandbox is running already; make another one")
        contract = load_contract()
        try:
            self._open_store()
            await self._serve(contract)
        except BaseException:
            self._store.close()
            raise
        self._fault_injector.start()
        self._scheduler.start()
        return self

    def _open_store(self) -> None:
        if self._store_path is None:
            return
        # 1. Open the file, and set the clock to its last reading.
        clock = PersistentClock(self._clock, self._scheduler)
        self._store = SqliteStore(self._store_path, clock)
        self._scheduler.clear()
        published_until = clock.restore(self._store)
        # 2. Load the state, and save all changes from now on.
        self._flow_store.attach_store(self._store)
        self._rules.attach_store(self._store)
        self._settings.attach_store(self._store)
        # 3. Schedule what is still to come, and start writing.
        self._lifecycle.restore(published_until)
        self._callback_dispatcher.attach_store(self._store)
        self._store.start()

    def _save_clock(self, event: SandboxEvent) -> None:
        if isinstance(event, ClockChanged):
            self._store.save_clock()

    async def _serve(self, contract: Contract) -> None:
        context = SandboxContext(
            contract=contract,
            clock=self._clock,
            flow_store=self._flow_store,
            tokens=self._tokens,
            scheduler=self._scheduler,
            event_bus=self._event_bus,
            lifecycle=self._lifecycle,
            callback_dispatcher=self._callback_dispatcher,
            rules=self._rules,
            settings=self._settings,
            counters=self._counters,
            store=self._store,
        )
        runner = web.AppRunner(
            create_app(context, self._fault_injector, allow_remote_admin=self._allow_remote_admin),
            access_log=None,  # requests are not logged
            logger=server_logger(),
            shutdown_timeout=_SHUTDOWN_SECONDS,
            auto_decompress=False,  # no page of Routee's mentions compressed requests: they are invalid JSON
        )
        await runner.setup()
        try:
            self._server = await self._listen(runner)
        except (OSError, OverflowError, UnicodeError) as error:
            await runner.cleanup()
            reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
            raise SandboxError(f"cannot listen on {self._host} port {self._port}: {reason}") from None
        self._runner = runner
        host, port = self._server.sockets[0].getsockname()[:2]
        self._url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def _listen(self, runner: web.AppRunner) -> asyncio.Server:
        make_protocol = runner.server
        assert make_protocol is not None  # noqa: S101  # setup() made it

        def counting_protocol() -> asyncio.Protocol:
            self._counters.connections += 1
            return make_protocol()

        loop = asyncio.get_running_loop()
        return await loop.create_server(counting_protocol, self._host, self._port, backlog=_BACKLOG)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        server, runner = self._server, self._runner
        self._server = self._runner = None
        # However often this is cancelled: then the port and the file are free.
        await run_to_end(self._close(server, runner))

    async def _close(self, server: asyncio.Server | None, runner: web.AppRunner | None) -> None:
        # 1. Accept no more connections, and stop everything that runs by itself or keeps a connection open.
        if server is not None:
            server.close()
            await self._scheduler.stop()
            self._fault_injector.stop()
            self._event_bus.close()
            await self._callback_dispatcher.close()
        if runner is not None:
            # 2. Finish the requests in progress, then write what is pending.
            await runner.cleanup()
            self._store.close()

    def __enter__(self) -> Self:
        self._loop_thread.start()
        try:
            return self._loop_thread.run_blocking(self.__aenter__)
        except BaseException:
            self._loop_thread.stop()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._loop_thread.run_blocking(lambda: self.__aexit__(kind, error, trace))
        finally:
            self._loop_thread.stop()

    @property
    def url(self) -> str:
        """The URL of the API and of the token service. Raises `SandboxError` before the sandbox has started."""
        if self._url is None:
            raise SandboxError("the sandbox has no URL yet: enter it first (async with Sandbox() as sandbox: ...)")
        return self._url

    @property
    def environ(self) -> dict[str, str]:
        """Environment variables with which `RouteeClient.from_env` connects to this sandbox."""
        return {
            "ROUTEE_APPLICATION_ID": self._application_id,
            "ROUTEE_APPLICATION_SECRET": self._application_secret,
            "ROUTEE_API_URL": self.url,
            "ROUTEE_AUTH_URL": self.url,
        }

    def config(self, **changes: Any) -> Config:
        """Return the configuration of a client for this sandbox; `changes` are further settings."""
        settings: dict[str, Any] = {
            "application_id": self._application_id,
            "application_secret": self._application_secret,
            "api_url": self.url,
            "auth_url": self.url,
        }
        return Config(**(settings | changes))
