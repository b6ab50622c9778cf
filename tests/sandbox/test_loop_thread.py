"""A sandbox in a thread of its own: asked, scripted and put forward from other threads and loops."""

import asyncio
import gc
import socket
import threading
import urllib.request
from datetime import timedelta
from typing import Any

import pytest

from routee_failover import OtpFlow, OtpSmsStep, RouteeClient
from routee_failover.sandbox import Sandbox, SandboxError
from routee_failover.sandbox.loop_thread import LoopThread

NUMBER = "+306912345678"


def otp(pin: str = "847291") -> OtpFlow:
    """A flow with a PIN."""
    return OtpFlow(steps=[OtpSmsStep(to=NUMBER, message=f"Your code is {pin}", ttl=timedelta(hours=1))])


def send(sandbox: Sandbox, flow: OtpFlow) -> None:
    """Send it, from a loop that ends."""

    async def sent() -> None:
        async with RouteeClient(sandbox.config()) as routee:
            await routee.send(flow)

    asyncio.run(sent())


def test_a_program_that_is_not_async_has_a_sandbox() -> None:
    """`with` gives the sandbox a thread of its own, which ends with it; its port is free again."""
    before = threading.active_count()
    with Sandbox() as sandbox:
        with urllib.request.urlopen(f"{sandbox.url}/failover-otp/health") as answer:
            assert answer.status == 200
        port = int(sandbox.url.rpartition(":")[2])
    assert threading.active_count() == before
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", port))


def test_everything_can_be_asked_from_another_thread() -> None:
    """What a test does with a sandbox in its own loop, it can do with one in another thread."""
    with Sandbox(speed=0) as sandbox:
        rule = sandbox.script(to=NUMBER, sms="undelivered", times=1)
        send(sandbox, otp())
        asyncio.run(sandbox.advance(timedelta(seconds=10)))
        (flow,) = sandbox.accepted
        assert sandbox.inbox.detail(flow)["status"] == "Failed"
        assert sandbox.inbox.flows_to(NUMBER) == [flow]
        assert [one["id"] for one in sandbox.rules] == [rule]
        sandbox.forget()
        assert sandbox.rules == []
        sandbox.search_lag = timedelta(seconds=3)
        assert sandbox.search_lag == timedelta(seconds=3)
        assert (sandbox.counts.accepted, sandbox.store_failure) == (1, None)
        sandbox.revoke_tokens()
        with pytest.raises(SandboxError, match="negative"):
            sandbox.search_lag = timedelta(seconds=-1)
        with pytest.raises(SandboxError, match="never back"):
            asyncio.run(sandbox.advance(timedelta(seconds=-1)))


def test_many_threads_ask_at_once() -> None:
    """Threads that send, script and wait at the same time each get their own."""
    with Sandbox(speed=0) as sandbox:
        got: list[str] = []

        def one(index: int) -> None:
            number = f"+3069123456{index:02}"
            flow = OtpFlow(steps=[OtpSmsStep(to=number, message=f"Code {1000 + index}", ttl=timedelta(hours=1))])
            sandbox.script(to=number, sms="undelivered" if index % 2 else "delivered")
            send(sandbox, flow)
            got.append(asyncio.run(sandbox.inbox.pin_for(number)))

        threads = [threading.Thread(target=one, args=(index,)) for index in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(got) == [str(1000 + index) for index in range(10)]
        assert len(sandbox.rules) == 10


def test_what_a_deed_raises_is_raised_where_it_was_asked() -> None:
    """An error of the sandbox's own thread reaches the caller, and the sandbox goes on."""
    with Sandbox() as sandbox:
        with pytest.raises(SandboxError):
            sandbox.redeliver("nothing")
        assert sandbox.accepted == []


def test_a_sandbox_that_cannot_start_leaves_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that is taken ends in the same error as without a thread, and the thread has ended."""
    before = threading.active_count()
    with Sandbox() as sandbox:
        port = int(sandbox.url.rpartition(":")[2])
        other = Sandbox(port=port)
        with pytest.raises(SandboxError, match="cannot listen"):
            other.__enter__()
        with pytest.raises(SandboxError, match="running already"):
            sandbox.__enter__()
        assert sandbox.accepted == []
    assert threading.active_count() == before

    def broken(*_: Any) -> Any:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(asyncio.events, "new_event_loop", broken)
    home = LoopThread()
    with pytest.raises(SandboxError, match="Too many open files"):
        home.start()
    home.stop()

    def wrong(*_: Any) -> Any:
        raise RuntimeError("no event loops today")

    monkeypatch.setattr(asyncio.events, "new_event_loop", wrong)
    with pytest.raises(SandboxError, match="no event loops today"):
        LoopThread().start()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_loop_that_breaks_later_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong in a thread that had started is told as it is in any thread: it is no failure to start."""
    told: list[BaseException | None] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: told.append(args.exc_value))
    close = asyncio.Runner.close

    def broken(runner: asyncio.Runner) -> None:
        close(runner)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(asyncio.Runner, "close", broken)
    home = LoopThread()
    home.start()
    home.stop()
    assert [getattr(error, "strerror", error) for error in told] == ["Input/output error"]


def test_a_sandbox_may_be_entered_again() -> None:
    """Once left, a sandbox can be entered again, with a thread or without one."""
    sandbox = Sandbox()
    for _ in range(2):
        with sandbox:
            send(sandbox, otp())
    assert len(sandbox.accepted) == 2

    async def here() -> None:
        async with sandbox:
            assert len(sandbox.accepted) == 2

    asyncio.run(here())


async def test_an_async_test_may_have_one_too() -> None:
    """A test in a loop waits for a sandbox in a thread without holding the loop up, and can give up waiting."""
    with Sandbox(speed=0) as sandbox:
        async with RouteeClient(sandbox.config()) as routee:
            waiting = asyncio.create_task(sandbox.inbox.pin_for(NUMBER))
            await routee.send(otp("1234"))
            assert await waiting == "1234"
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await sandbox.inbox.next_flow("+306900000000")
            await sandbox.advance(timedelta(seconds=5))
            assert await sandbox.inbox.texts_to(NUMBER) == ["Your code is 1234"]


def test_waiting_ends_with_the_sandbox() -> None:
    """Whoever waits for a flow while the sandbox is left is told at once that none came."""
    sandbox = Sandbox(speed=0)
    ended: list[BaseException] = []

    def wait() -> None:
        try:
            asyncio.run(sandbox.inbox.next_flow(timeout=60))
        except SandboxError as error:
            ended.append(error)

    with sandbox:
        thread = threading.Thread(target=wait)
        thread.start()
        while not sandbox._event_bus._subscriptions:
            pass
    thread.join()
    assert "no new flow" in str(ended[0])
    gc.collect()
