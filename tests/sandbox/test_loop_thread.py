"""A sandbox in its own thread, used from other threads and loops."""

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
    """Return a flow with a PIN."""
    return OtpFlow(steps=[OtpSmsStep(to=NUMBER, message=f"Your code is {pin}", ttl=timedelta(hours=1))])


def send(sandbox: Sandbox, flow: OtpFlow) -> None:
    """Send a flow, in an event loop of its own."""

    async def send_flow() -> None:
        async with RouteeClient(sandbox.config()) as routee:
            await routee.send(flow)

    asyncio.run(send_flow())


def test_with_runs_the_sandbox_in_its_own_thread() -> None:
    """`with` gives the sandbox its own thread, which ends with it; its port is free again."""
    before = threading.active_count()
    with Sandbox() as sandbox:
        with urllib.request.urlopen(f"{sandbox.url}/failover-otp/health") as response:
            assert response.status == 200
        port = int(sandbox.url.rpartition(":")[2])
    assert threading.active_count() == before
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", port))


def test_whole_api_works_from_another_thread() -> None:
    """The whole Python API works from another thread as in the sandbox's own loop."""
    with Sandbox(speed=0) as sandbox:
        rule = sandbox.script(to=NUMBER, sms="undelivered", times=1)
        send(sandbox, otp())
        asyncio.run(sandbox.advance(timedelta(seconds=10)))
        (flow,) = sandbox.accepted
        assert sandbox.inbox.detail(flow)["status"] == "Failed"
        assert sandbox.inbox.flows_to(NUMBER) == [flow]
        assert [listed["id"] for listed in sandbox.rules] == [rule]
        sandbox.forget()
        assert sandbox.rules == []
        sandbox.search_lag = timedelta(seconds=3)
        assert sandbox.search_lag == timedelta(seconds=3)
        assert (sandbox.counts.accepted, sandbox.store_failure) == (1, None)
        sandbox.revoke_tokens()
        with pytest.raises(SandboxError, match="negative"):
            sandbox.search_lag = timedelta(seconds=-1)
        with pytest.raises(SandboxError, match="only be advanced"):
            asyncio.run(sandbox.advance(timedelta(seconds=-1)))


def test_concurrent_threads_get_their_own_results() -> None:
    """Threads that send, script and wait concurrently each get their own results."""
    with Sandbox(speed=0) as sandbox:
        pins: list[str] = []

        def use_sandbox(index: int) -> None:
            number = f"+3069123456{index:02}"
            flow = OtpFlow(steps=[OtpSmsStep(to=number, message=f"Code {1000 + index}", ttl=timedelta(hours=1))])
            sandbox.script(to=number, sms="undelivered" if index % 2 else "delivered")
            send(sandbox, flow)
            pins.append(asyncio.run(sandbox.inbox.pin_for(number)))

        threads = [threading.Thread(target=use_sandbox, args=(index,)) for index in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(pins) == [str(1000 + index) for index in range(10)]
        assert len(sandbox.rules) == 10


def test_exception_of_the_loop_thread_reaches_the_caller() -> None:
    """An exception in the sandbox's thread reaches the caller, and the sandbox continues."""
    with Sandbox() as sandbox:
        with pytest.raises(SandboxError):
            sandbox.redeliver("nothing")
        assert sandbox.accepted == []


def test_failed_start_raises_and_leaves_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port in use raises the same error as without a thread, and the thread has ended."""
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

    def fail_with_oserror(*_: Any) -> Any:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(asyncio.events, "new_event_loop", fail_with_oserror)
    loop_thread = LoopThread()
    with pytest.raises(SandboxError, match="Too many open files"):
        loop_thread.start()
    loop_thread.stop()

    def fail_with_runtime_error(*_: Any) -> Any:
        raise RuntimeError("no event loops today")

    monkeypatch.setattr(asyncio.events, "new_event_loop", fail_with_runtime_error)
    with pytest.raises(SandboxError, match="no event loops today"):
        LoopThread().start()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_exception_after_the_start_is_reported_by_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception in a thread that had started is reported as in any thread: it is no failure to start."""
    reported: list[BaseException | None] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: reported.append(args.exc_value))
    close = asyncio.Runner.close

    def close_and_fail(runner: asyncio.Runner) -> None:
        close(runner)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(asyncio.Runner, "close", close_and_fail)
    loop_thread = LoopThread()
    loop_thread.start()
    loop_thread.stop()
    assert [getattr(error, "strerror", error) for error in reported] == ["Input/output error"]


def test_sandbox_can_be_entered_again_with_and_without_thread() -> None:
    """A stopped sandbox can be entered again, with a thread or without one."""
    sandbox = Sandbox()
    for _ in range(2):
        with sandbox:
            send(sandbox, otp())
    assert len(sandbox.accepted) == 2

    async def enter() -> None:
        async with sandbox:
            assert len(sandbox.accepted) == 2

    asyncio.run(enter())


async def test_async_code_can_use_a_sandbox_in_a_thread() -> None:
    """Async code waits for a sandbox in a thread without blocking its loop, and can cancel the wait."""
    with Sandbox(speed=0) as sandbox:
        async with RouteeClient(sandbox.config()) as routee:
            pending = asyncio.create_task(sandbox.inbox.pin_for(NUMBER))
            await routee.send(otp("1234"))
            assert await pending == "1234"
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await sandbox.inbox.next_flow("+306900000000")
            await sandbox.advance(timedelta(seconds=5))
            assert await sandbox.inbox.texts_to(NUMBER) == ["Your code is 1234"]


def test_stop_ends_pending_waits() -> None:
    """A call that waits for a flow when the sandbox stops raises at once."""
    sandbox = Sandbox(speed=0)
    errors: list[BaseException] = []

    def wait() -> None:
        try:
            asyncio.run(sandbox.inbox.next_flow(timeout=60))
        except SandboxError as error:
            errors.append(error)

    with sandbox:
        thread = threading.Thread(target=wait)
        thread.start()
        while not sandbox._event_bus._subscriptions:
            pass
    thread.join()
    assert "no new flow" in str(errors[0])
    gc.collect()
