"""What the sandbox posts to the sender, and the person's replies, as the page shows and makes them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from playwright.async_api import Browser, expect

from ..sandbox.raw_http import STANDARD, changed
from .inbox_page import IN_BROWSER, TIMEOUT_MS, open_inbox

pytestmark = IN_BROWSER

NUMBER = "+306900000300"


class _Receiver:
    """A program of the sender's that takes callbacks."""

    def __init__(self) -> None:
        self.url = ""
        self.status = 200
        self._posted: asyncio.Queue[Any] = asyncio.Queue()

    async def take(self, request: web.Request) -> web.Response:
        self._posted.put_nowait((request.path, await request.json()))
        return web.Response(status=self.status)

    async def next(self) -> tuple[str, Any]:
        """The path and body of the next call."""
        path, body = await asyncio.wait_for(self._posted.get(), TIMEOUT_MS / 1000)
        return path, body

    def more(self) -> int:
        return self._posted.qsize()


@asynccontextmanager
async def _receiving() -> AsyncIterator[_Receiver]:
    receiver = _Receiver()
    application = web.Application()
    application.router.add_post("/{kind}", receiver.take)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    receiver.url = f"http://{host}:{port}"
    try:
        yield receiver
    finally:
        await runner.cleanup()


def _flow(receiver: _Receiver, strategy: str = "OnCompletion") -> dict[str, Any]:
    return changed(
        STANDARD,
        **{
            "flow.0.to": NUMBER,
            "flow.1.to": NUMBER,
            "flow.2.to": {"phone": NUMBER},
            "flow.0.inboundUrl": f"{receiver.url}/inbound",
            "callback": {"strategy": strategy, "url": f"{receiver.url}/flow"},
        },
    )


async def test_a_callback_and_its_attempts(browser: Browser) -> None:
    """A callback is shown with its body and each attempt; one that is not taken waits for its next time."""
    async with _receiving() as receiver, open_inbox(browser) as here:
        receiver.status = 503
        flow_id = await here.send("sendFailover", _flow(receiver))
        await here.choose(NUMBER)
        await expect(here.flow.get_by_role("region", name="Callbacks")).to_contain_text("None.")
        await here.advance_clock("+1 s")
        await here.step(0).get_by_role("button", name="Deliver", exact=True).click()
        path, body = await receiver.next()
        assert (path, body["trackingId"], body["status"]) == ("/flow", flow_id, "Succeeded")
        call = here.flow.locator(".callbacks > li")
        await expect(call.locator(".status")).to_have_text("pending")
        await expect(call.locator(".attempts > li").first).to_contain_text("HTTP 503")
        await expect(call.locator(".attempts > li").last).to_contain_text("next attempt")
        receiver.status = 200
        await here.advance_clock("+1 min")
        assert (await receiver.next())[1] == body
        await expect(call.locator(".status")).to_have_text("delivered")
        await expect(call.locator(".attempts > li").last).to_contain_text("HTTP 200")
        await call.locator("summary").click()
        await expect(call.locator("pre")).to_contain_text(f'"trackingId": "{flow_id}"')


async def test_call_back_again(browser: Browser) -> None:
    """A callback is posted once more at a press, as often as one likes; what was unfolded stays so."""
    async with _receiving() as receiver, open_inbox(browser) as here:
        await here.send("sendFailover", _flow(receiver))
        await here.advance_clock("+1 min")
        await here.advance_clock("+10 min")
        first = await receiver.next()
        await here.choose(NUMBER)
        call = here.flow.locator(".callbacks > li")
        await call.locator("summary").click()
        for attempts in (2, 3):
            await call.get_by_role("button", name="Redeliver").click()
            assert await receiver.next() == first
            await expect(call.locator(".attempts > li")).to_have_count(attempts)
        await expect(call.locator("pre")).to_be_visible()


async def test_reply(browser: Browser) -> None:
    """A delivered Viber message takes a reply: it is posted to the step's inboundUrl, and stands under the message."""
    async with _receiving() as receiver, open_inbox(browser) as here:
        await here.send("sendFailover", _flow(receiver))
        await here.advance_clock("+1 s")
        await here.choose(NUMBER)
        await here.step(0).get_by_role("button", name="Deliver", exact=True).click()
        assert (await receiver.next())[0] == "/flow"
        field = here.step(0).get_by_label("Reply as the recipient")
        await field.press("Enter")  # nothing to say, nothing is sent
        for words in ("We come later", "<b>thanks</b> & bye"):
            await field.fill(words)
            await field.press("Enter")
            path, body = await receiver.next()
            assert (path, body["message"], body["direction"], body["from"]) == ("/inbound", words, "Inbound", NUMBER)
            await expect(field).to_have_value("")
            await expect(here.step(0).locator(".reply").last).to_have_text(words)
        assert receiver.more() == 0
        await expect(here.step(0).locator(".reply")).to_have_count(2)
        await expect(here.step(1).get_by_label("Reply as the recipient")).to_have_count(0)


async def test_replies_stay_half_typed(browser: Browser) -> None:
    """While somebody types a reply the flow goes on, and the words stay in the field."""
    async with _receiving() as receiver, open_inbox(browser) as here:
        flow_id = await here.send("sendFailover", _flow(receiver))
        await here.advance_clock("+1 s")
        await here.choose(NUMBER)
        await here.step(0).get_by_role("button", name="Deliver", exact=True).click()
        await receiver.next()
        field = here.step(0).get_by_label("Reply as the recipient")
        await field.press_sequentially("We co")
        await here.caller.call(
            "actOnSandboxFlow",
            f"/sandbox/flows/{flow_id}/actions",
            method="POST",
            json={"action": "seen", "position": 0},
        )
        await expect(here.step(0).locator(".status")).to_have_text("Seen")
        await expect(field).to_be_focused()
        await field.press_sequentially("me later")
        await expect(field).to_have_value("We come later")
