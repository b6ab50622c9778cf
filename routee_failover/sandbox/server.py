"""`Sandbox`: Routee on this machine, as an async context manager around a server on one address."""

import asyncio
import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import attrs
from aiohttp import web

from ..config import Config
from .application import application
from .callbacks.records import CallbackRecord
from .callbacks.sender import Callbacks
from .contract import Contract, load_contract
from .failure import SandboxError
from .faults import Faults
from .life.agenda import Agenda
from .life.book import AcceptedFlow, FlowBook
from .life.clock import VirtualClock
from .life.feed import ClockSet, Event, Feed
from .life.journeys import CannotAct, Journeys
from .life.rules import Rules
from .life.scripts import Outcome
from .log import server_log
from .routee.tokens import ALL_ROLES, TokenService
from .scripting import Answer, CallbackPlay, FaultWord, Play, RuleEndpoint, add_rule, as_json
from .service import Counts, Service, Settings
from .store.clock import KeptClock
from .store.sqlite import SqliteStore
from .store.store import MemoryStore, Store

_SHUTDOWN_SECONDS = 0.5
_BACKLOG = 1024


class Sandbox:
    """Routee's documented API on this machine: tokens, sends, tracking; ttls pass `speed` times faster than real time.

    With `speed=0` time stands still and passes by `await sandbox.advance(...)` alone, so that a test of a ttl of a day
    takes milliseconds and goes the same each time. `POST /sandbox/clock` does the same for other languages; it takes
    callers on this machine only, unless `remote_control` lets everybody in. Callbacks are posted from this machine to
    whatever addresses the flows name, its own network included: mind who can send here when `host` is not loopback.

    `port=0` takes a free port. `token_life` is real time, not the virtual clock's. `roles` are those of the tokens,
    all by default. The newest `keep` flows are remembered.

    With `store`, a file, they are there again when a sandbox is started anew, with all that was done to them, and the
    clock goes on from where it was. No answer leaves before the file has what it tells of. When the disk takes no more,
    that is logged, `store_failure` says it, and the sandbox goes on in memory. One sandbox has the file to itself.

    What becomes of a message is scripted by its recipient: for `+306900000VSP` the digits V, S and P decide for Viber,
    SMS and Voice: 0 delivered, 1 undelivered or busy, 2 failed, 3 expired or not answered, 4 seen. Everything else is
    delivered. Viber senders whose id begins with `unknown` are unknown.

    Raises `SandboxError` for a setting that cannot work, and, on entering, for an address or a file that cannot be used
    or an extra that is not installed.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        speed: float = 1.0,
        application_id: str = "sandbox",
        application_secret: str = "sandbox-secret",  # noqa: S107  # a key to nothing
        token_life: timedelta = timedelta(hours=1),
        roles: Sequence[str] = ALL_ROLES,
        keep: int = 10_000,
        remote_control: bool = False,
        store: str | os.PathLike[str] | None = None,
    ) -> None:
        self._host, self._port = host, port
        self._application_id, self._application_secret = application_id, application_secret
        try:
            self._book = FlowBook(keep)
            self._clock = VirtualClock(speed)
            self._tokens = TokenService(
                application_id=application_id, application_secret=application_secret, life=token_life, roles=roles
            )
        except ValueError as error:
            raise SandboxError(str(error)) from None
        self._agenda, self._feed = Agenda(self._clock), Feed()
        self._journeys = Journeys(self._clock, self._agenda, self._book, self._feed)
        self._callbacks = Callbacks(self._journeys)
        self._rules, self._settings, self._faults = Rules(self._feed), Settings(), Faults()
        self._remote_control = remote_control
        self._counts = Counts()
        self._path = None if store is None else Path(store)
        self._store: Store = MemoryStore()
        self._feed.listen(self._keep_clock)
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
        self._store.start()
        self._agenda.start()
        return self

    def _open_store(self) -> None:
        if self._path is None:
            return
        clock = KeptClock(self._clock, self._agenda)
        self._store = SqliteStore(self._path, clock)
        self._agenda.clear()
        done = clock.restore(self._store)
        self._book.keep_in(self._store)
        self._journeys.resume(done)

    def _keep_clock(self, event: Event) -> None:
        if isinstance(event, ClockSet):
            self._store.touch()

    async def _serve(self, contract: Contract) -> None:
        service = Service(
            contract=contract,
            clock=self._clock,
            book=self._book,
            tokens=self._tokens,
            agenda=self._agenda,
            feed=self._feed,
            journeys=self._journeys,
            callbacks=self._callbacks,
            rules=self._rules,
            settings=self._settings,
            counts=self._counts,
            store=self._store,
        )
        runner = web.AppRunner(
            application(service, self._faults, remote_control=self._remote_control),
            access_log=None,  # nothing here writes requests down
            logger=server_log(),
            shutdown_timeout=_SHUTDOWN_SECONDS,
            auto_decompress=False,  # no page of Routee's speaks of compressed requests: they are no JSON
        )
        await runner.setup()
        try:
            self._server = await self._listen(runner)
        except (OSError, OverflowError, UnicodeError) as error:
            await runner.cleanup()
            why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
            raise SandboxError(f"cannot listen on {self._host} port {self._port}: {why}") from None
        self._runner = runner
        host, port = self._server.sockets[0].getsockname()[:2]
        self._url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def _listen(self, runner: web.AppRunner) -> asyncio.Server:
        make_protocol = runner.server
        assert make_protocol is not None  # noqa: S101  # setup() made it

        def counted() -> asyncio.Protocol:
            self._counts.connections += 1
            return make_protocol()

        loop = asyncio.get_running_loop()
        return await loop.create_server(counted, self._host, self._port, backlog=_BACKLOG)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        server, runner = self._server, self._runner
        self._server = self._runner = None
        if server is not None:
            server.close()
            await self._agenda.stop()
            self._faults.stop()
            self._feed.close()
            await self._callbacks.close()
        if runner is not None:
            await runner.cleanup()
            self._store.close()

    @property
    def url(self) -> str:
        """The address that serves both the API and tokens. Raises `SandboxError` before the sandbox has started."""
        if self._url is None:
            raise SandboxError("the sandbox has no address yet: enter it first (async with Sandbox() as sandbox: ...)")
        return self._url

    def config(self, **changes: Any) -> Config:
        """A client's settings for this sandbox; `changes` set the rest."""
        settings: dict[str, Any] = {
            "application_id": self._application_id,
            "application_secret": self._application_secret,
            "api_url": self.url,
            "auth_url": self.url,
        }
        return Config(**(settings | changes))

    @property
    def accepted(self) -> list[AcceptedFlow]:
        """The flows that were accepted, oldest first; the newest `keep` of them."""
        return list(self._book)

    @property
    def counts(self) -> Counts:
        """What the sandbox has seen up to now; a copy, which does not go on counting."""
        return attrs.evolve(self._counts)

    @property
    def store_failure(self) -> str | None:
        """Why nothing is kept in the store's file any more; None while all is well, or where there is no store."""
        return self._store.failure

    def callbacks(self) -> list[CallbackRecord]:
        """What was posted to the callback and inbound addresses of the accepted flows, or is to be; oldest first."""
        return list(self._callbacks.log)

    def redeliver(self, callback_id: str) -> CallbackRecord:
        """Post a callback again now, whatever came of it; if it is not answered, the retries start anew.

        Raises `SandboxError` when there is no such callback.
        """
        try:
            return self._callbacks.redeliver(callback_id)
        except CannotAct as error:
            raise SandboxError(str(error)) from None

    def reply(self, flow_id: str, text: str, *, position: int | None = None) -> CallbackRecord:
        """Have the person who got a Viber message write back: the `inboundUrl` of its step is told.

        `position` is the step's among those of the flow in the order of trying, counted from 0; without it, the message
        that was sent last is answered. Raises `SandboxError` when there is no such flow, when the message was not
        delivered, or when its step has no `inboundUrl`.
        """
        flow = self._book.find(flow_id)
        if flow is None:
            raise SandboxError("there is no such flow")
        try:
            return self._callbacks.reply(flow, text, position=position)
        except CannotAct as error:
            raise SandboxError(str(error)) from None

    async def advance(self, by: timedelta) -> None:
        """Let so much virtual time pass at once: what is due in it happens in order, callbacks among it, to its end.

        Raises `SandboxError` for what would put the clock back.
        """
        try:
            await self._agenda.advance(by.total_seconds())
        except ValueError as error:
            raise SandboxError(str(error)) from None
        self._feed.publish(ClockSet())

    def script(
        self,
        *,
        to: str | None = None,
        endpoint: RuleEndpoint | None = None,
        viber: Outcome | Play | None = None,
        sms: Outcome | Play | None = None,
        voice: Outcome | Play | None = None,
        answer: Answer | int | None = None,
        fault: FaultWord | None = None,
        callbacks: CallbackPlay | None = None,
        rate: float | None = None,
        seed: int | None = None,
        times: int | None = None,
    ) -> str:
        """Make a rule for the flows that come from now on, and give its id; of all rules the newest that matches wins.

        It is about the flows to `to` (a number, or the beginning of one and a `*`) and to `endpoint`; both default to
        all. `viber`, `sms` and `voice` say what becomes of their messages, `callbacks` of the callbacks. `answer` is
        given in the place of taking the flow, a number as an HTTP status. `fault` lets the flow be taken and its answer
        not arrive. A rule with a `rate` applies to that share, the same one for the same `seed`; one with `times` so
        often and then no more. `POST /sandbox/rules` takes the same words.

        Raises `SandboxError` for a rule that cannot be.
        """
        said = as_json(
            to=to,
            endpoint=endpoint,
            viber=viber,
            sms=sms,
            voice=voice,
            answer=Answer(answer) if isinstance(answer, int) else answer,
            fault=fault,
            callbacks=callbacks,
            rate=rate,
            seed=seed,
            times=times,
        )
        return add_rule(self._rules, said)

    def forget(self, rule: str | None = None) -> None:
        """Forget the rule of this id, or all rules. Flows on their way go on as it said."""
        if rule is None:
            self._rules.clear()
        else:
            self._rules.remove(rule)

    @property
    def rules(self) -> list[dict[str, Any]]:
        """The rules in JSON, newest first, each with its id and how often it has applied."""
        return [rule.as_json() for rule in self._rules]

    @property
    def search_lag(self) -> timedelta:
        """The virtual time after which searches and lists find a flow; by its id it is found at once."""
        return timedelta(seconds=self._settings.search_lag)

    @search_lag.setter
    def search_lag(self, lag: timedelta) -> None:
        """Set it. Raises `SandboxError` for a time that is negative."""
        if lag < timedelta(0):
            raise SandboxError("search_lag must not be negative")
        self._settings.search_lag = lag.total_seconds()

    def revoke_tokens(self) -> None:
        """End every token that was handed out, as the portal can: the next request with one is answered 401."""
        self._tokens.revoke_all()
