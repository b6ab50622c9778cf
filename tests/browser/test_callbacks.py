"""Callbacks and simulated replies on the inbox page."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from playwright.async_api import Browser, expect

from ..sandbox.raw_http import STANDARD, with_changes
from .inbox_page import IN_BROWSER, TIMEOUT_MS, open_inbox

pytestmark = IN_BROWSER

NUMBER = "+306900000300"


class _Receiver:
    """Callback receiver of the sender."""

    def __init__(self) -> None:
        self.url = ""
        self.status = 200
        self._posted: asyncio.Queue[Any] = asyncio.Queue()

    async def receive(self, request: web.Request) -> web.Response:
        self._posted.put_nowait((request.path, await request.json()))
        return web.Response(status=self.status)

    async def next(self) -> tuple[str, Any]:
        """Return the path and body of the next request."""
        path, body = await asyncio.wait_for(self._posted.get(), TIMEOUT_MS / 1000)
        return path, body

    def pending(self) -> int:
        return self._posted.qsize()


@asynccontextmanager
async def _run_receiver() -> AsyncIterator[_Receiver]:
    receiver = _Receiver()
    application = web.Application()
    application.router.add_post("/{kind}", receiver.receive)
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
    return with_changes(
        STANDARD,
        **{
            "flow.0.to": NUMBER,
            "flow.1.to": NUMBER,
            "flow.2.to": {"phone": NUMBER},
            "flow.0.inboundUrl": f"{receiver.url}/inbound",
            "callback": {"strategy": strategy, "url": f"{receiver.url}/flow"},
        },
    )


async def test_callback_shows_payload_and_attempts(browser: Browser) -> None:
    """A callback is shown with its payload and attempts; after a failed attempt the next one is shown."""
    async with _run_receiver() as receiver, open_inbox(browser) as inbox:
        receiver.status = 503
        flow_id = await inbox.send("sendFailover", _flow(receiver))
        await inbox.select(NUMBER)
        await expect(inbox.flow.get_by_role("region", name="Callbacks")).to_contain_text("None.")
        await inbox.advance_clock("+1 s")
        await inbox.step(0).get_by_role("button", name="Deliver", exact=True).click()
        path, body = await receiver.next()
        assert (path, body["trackingId"], body["status"]) == ("/flow", flow_id, "Succeeded")
        call = inbox.flow.locator(".callbacks > li")
        await expect(call.locator(".status")).to_have_text("pending")
        await expect(call.locator(".attempts > li").first).to_contain_text("HTTP 503")
        await expect(call.locator(".attempts > li").last).to_contain_text("next attempt")
        receiver.status = 200
        await inbox.advance_clock("+1 min")
        assert (await receiver.next())[1] == body
        await expect(call.locator(".status")).to_have_text("delivered")
        await expect(call.locator(".attempts > li").last).to_contain_text("HTTP 200")
        await call.locator("summary").click()
        await expect(call.locator("pre")).to_contain_text(f'"trackingId": "{flow_id}"')


async def test_redeliver_button_posts_the_callback_again(browser: Browser) -> None:
    """A callback is posted again at each click; opened details stay open."""
    async with _run_receiver() as receiver, open_inbox(browser) as inbox:
        await inbox.send("sendFailover", _flow(receiver))
        await inbox.advance_clock("+1 min")
        await inbox.advance_clock("+10 min")
        first = await receiver.next()
        await inbox.select(NUMBER)
        call = inbox.flow.locator(".callbacks > li")
        await call.locator("summary").click()
        for attempts in (2, 3):
            await call.get_by_role("button", name="Redeliver").click()
            assert await receiver.next() == first
            await expect(call.locator(".attempts > li")).to_have_count(attempts)
        await expect(call.locator("pre")).to_be_visible()


async def test_reply_is_posted_and_shown_under_the_message(browser: Browser) -> None:
    """A reply to a delivered Viber message is posted to the step's inboundUrl, and shown under the message."""
    async with _run_receiver() as receiver, open_inbox(browser) as inbox:
        await inbox.send("sendFailover", _flow(receiver))
        await inbox.advance_clock("+1 s")
        await inbox.select(NUMBER)
        await inbox.step(0).get_by_role("button", name="Deliver", exact=True).click()
        assert (await receiver.next())[0] == "/flow"
        field = inbox.step(0).get_by_label("Reply as the recipient")
        await field.press("Enter")  # without a text, nothing is sent
        for text in ("We come later", "<b>thanks</b> & bye"):
            await field.fill(text)
            await field.press("Enter")
            path, body = await receiver.next()
            assert (path, body["message"], body["direction"], body["from"]) == ("/inbound", text, "Inbound", NUMBER)
            await expect(field).to_have_value("")
            await expect(inbox.step(0).locator(".reply").last).to_have_text(text)
        assert receiver.pending() == 0
        await expect(inbox.step(0).locator(".reply")).to_have_count(2)
        await expect(inbox.step(1).get_by_label("Reply as the recipient")).to_have_count(0)


async def test_typed_reply_survives_updates_of_the_flow(browser: Browser) -> None:
    """While the user types a reply, the flow is updated, and the text stays in the field."""
    async with _run_receiver() as receiver, open_inbox(browser) as inbox:
        flow_id = await inbox.send("sendFailover", _flow(receiver))
        await inbox.advance_clock("+1 s")
        await inbox.select(NUMBER)
        await inbox.step(0).get_by_role("button", name="Deliver", exact=True).click()
        await receiver.next()
        field = inbox.step(0).get_by_label("Reply as the recipient")
        await field.press_sequentially("We co")
        await inbox.caller.call(
            "actOnSandboxFlow",
            f"/sandbox/flows/{flow_id}/actions",
            method="POST",
            json={"action": "seen", "position": 0},
        )
        await expect(inbox.step(0).locator(".status")).to_have_text("Seen")
        await expect(field).to_be_focused()
        await field.press_sequentially("me later")
        await expect(field).to_have_value("We come later")
