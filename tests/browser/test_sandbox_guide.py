"""The guide docs/sandbox.md, step by step: every command is taken from the page, so that both stay consistent."""

import asyncio
import contextlib
import os
import re
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, Page, expect

from .inbox_page import IN_BROWSER, TIMEOUT_MS, WIDE

pytestmark = IN_BROWSER

PAGE = Path(__file__).parents[2] / "docs/sandbox.md"


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


@asynccontextmanager
async def _run_program(*command: str, cwd: Path | None = None) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a program until the end of the block."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def _line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await asyncio.wait_for(process.stdout.readline(), TIMEOUT_MS / 1000)).decode().rstrip("\n")


class _Shell:
    """The reader's shell; it keeps the token, as theirs does."""

    def __init__(self, **addresses: str) -> None:
        self._addresses = addresses
        self._token = ""

    async def run(self, commands: str) -> str:
        """Run the commands and return their output; URLs of the page are replaced by those of this test."""
        for documented, actual in self._addresses.items():
            commands = commands.replace(documented, actual)
        if commands.startswith("token="):
            self._token = commands.split("\n\n")[0] + "\n"
        else:
            commands = self._token + commands
        shell = shutil.which("bash")
        assert shell, "the guide needs bash"
        assert shutil.which("curl"), "the guide sends with curl: install it (apt-get install curl)"
        process = await asyncio.create_subprocess_exec(shell, "-euc", commands, stdout=asyncio.subprocess.PIPE)
        output, _ = await process.communicate()
        assert process.returncode == 0, commands
        return output.decode()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def _run_sandbox(start: str) -> AsyncIterator[str]:
    """Start the sandbox as the page does, but on a free port, and yield its URL."""
    program, *arguments = start.replace("--port 8089", "--port 0").split()
    assert program == "routee-failover"
    async with _run_program(sys.executable, "-m", "routee_failover.cli", *arguments) as process:
        lines = [await _line(process) for _ in range(4)]
        (url,) = (line.partition("=")[2] for line in lines if line.startswith("export ROUTEE_API_URL="))
        yield url


async def _select(page: Page, number: str) -> None:
    await page.locator("#rows").get_by_role("option").filter(has_text=number).click()
    await expect(page.locator("#flow").get_by_role("heading", level=2)).to_have_text(number)


async def test_every_step_of_the_guide_works(browser: Browser, tmp_path: Path) -> None:
    """Start, send with curl, watch, fail over, receive a callback: each step has the documented result."""
    _install, start, send, serve, send_with_callback, pin, advance, reset = _blocks("console")
    (server,) = _blocks("python")
    port = _free_port()
    async with _run_sandbox(start) as url:
        shell = _Shell(**{"http://127.0.0.1:8089": url, "http://127.0.0.1:9000": f"http://127.0.0.1:{port}"})
        page = await browser.new_page(viewport=WIDE)
        page.set_default_timeout(TIMEOUT_MS)
        await page.goto(url)
        await expect(page.locator("#empty-state")).to_be_visible()

        # Send with curl
        assert '"status": "InProgress"' in await shell.run(send)

        # Watch it
        await _select(page, "+306900000300")
        viber, sms = (page.locator(f"[data-key=step-{position}]") for position in range(2))
        await expect(viber.locator(".status")).to_have_text("Queued")
        await expect(viber.get_by_label("PIN")).to_have_text("847291")

        # Let it fail over
        advance_buttons = page.locator(".advance")
        await advance_buttons.get_by_text("+1 min", exact=True).click()
        await expect(viber.locator(".status")).to_have_text("Expired")
        await expect(sms.locator(".status")).to_have_text("Queued")
        await advance_buttons.get_by_text("+10 min", exact=True).click()
        await expect(sms.locator(".status")).to_have_text("Delivered")
        await expect(page.locator(".status.large")).to_have_text("Succeeded by SMS")
        await _take_picture(page)

        # Receive a callback
        assert serve.split() == ["python", "callback.py"]
        (tmp_path / "callback.py").write_text(server.replace("9000", str(port)), "utf-8")
        async with _run_program(sys.executable, "callback.py", cwd=tmp_path) as receiver:
            await _wait_for_listener(port)
            assert '"status": "InProgress"' in await shell.run(send_with_callback)
            await _select(page, "+306911111111")
            await page.get_by_role("button", name="Deliver", exact=True).click()
            payload = await _line(receiver)
            while '"Succeeded"' not in payload:
                payload = await _line(receiver)
            delivered_callback = (
                page.locator(".callbacks > li").filter(has_text="Succeeded").filter(has_text="HTTP 200")
            )
            await expect(delivered_callback).to_be_visible()
            await delivered_callback.get_by_role("button", name="Redeliver").click()
            assert await _line(receiver) == payload
            await expect(delivered_callback.locator(".attempts > li")).to_have_count(2)
        await delivered_callback.get_by_role("button", name="Redeliver").click()
        await expect(delivered_callback).to_contain_text("next attempt")

        # From a test, in any language
        assert '"604418"' in await shell.run(pin)
        assert '"now"' in await shell.run(advance)
        await shell.run(reset)
        await expect(page.locator("#empty-state")).to_be_visible()
        await page.context.close()


async def _wait_for_listener(port: int) -> None:
    """Wait until the port accepts connections."""
    async with asyncio.timeout(TIMEOUT_MS / 1000):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                await writer.wait_closed()
                return


async def _take_picture(page: Page) -> None:
    """Update the picture of the guide if requested: `python -m nox -s picture`."""
    path = os.environ.get("INBOX_PICTURE")
    if path:
        await page.screenshot(path=path, animations="disabled")


async def test_commands_of_the_empty_page_work(browser: Browser) -> None:
    """The commands on the empty page work when copied, and their flow fails over."""
    _install, start, *_ = _blocks("console")
    async with _run_sandbox(start) as url:
        page = await browser.new_page(viewport=WIDE)
        page.set_default_timeout(TIMEOUT_MS)
        await page.goto(url)
        commands = await page.locator("#empty-state [data-copy]").get_attribute("data-copy")
        assert '"status": "InProgress"' in await _Shell().run(commands or "")
        await _select(page, "+306900000100")
        await page.locator(".advance").get_by_text("+1 min", exact=True).click()
        await expect(page.locator(".status.large")).to_have_text("Succeeded by SMS")
        await page.context.close()
