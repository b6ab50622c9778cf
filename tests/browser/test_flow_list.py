"""The list of flows: live, searchable, and as quick with ten thousand as with ten."""

import uuid
from datetime import UTC, datetime

from playwright.async_api import Browser, expect

from routee_failover.sandbox import AcceptedFlow, Sandbox

from ..sandbox.raw_http import OTP_SMS_STEP, VIBER_OTP
from .inbox_page import IN_BROWSER, InboxPage, open_inbox

pytestmark = IN_BROWSER

MANY = 10_000


def _fill(sandbox: Sandbox, count: int) -> None:
    """Put flows into the book as if they had been sent: what is tested here is the page, not the sending."""
    for number in range(1, count + 1):
        to = f"+3069{number:08}"
        step = OTP_SMS_STEP | {"to": to, "order": 1, "message": {"body": f"Your code is {number:06}"}}
        sandbox._flow_store.add(
            AcceptedFlow(
                endpoint="otp",
                id=str(uuid.UUID(int=number)),
                created_at=datetime.now(UTC),
                number=sandbox._flow_store.next_number(),
                body={"flow": [step]},
                accepted_at=0.0,
                message_ids=(str(uuid.UUID(int=MANY * 10 + number)),),
            )
        )


async def test_a_flow_appears_by_itself(browser: Browser) -> None:
    """A flow is in the list as soon as it was accepted, and its row changes with it; nothing is reloaded."""
    async with open_inbox(browser) as here:
        await expect(here.page.locator("#empty-state")).to_contain_text("No flow yet")
        await expect(here.page).to_have_title("Routee sandbox")
        await here.send_otp("+306900000100")
        row = here.row("+306900000100")
        await expect(row).to_contain_text("847291")
        await expect(row.locator(".mark")).to_have_attribute("title", "In progress")
        await expect(here.page.locator("#empty-state")).to_be_hidden()
        await expect(here.page).to_have_title("(1) Routee sandbox")
        await here.advance_clock("+10 min")
        await expect(row.locator(".mark")).to_have_attribute("title", "Succeeded")
        await expect(row.locator(".last")).to_have_text("SMS")
        assert [url for url in here.requested_urls if url.endswith("/inbox.css")] != []
        assert len([url for url in here.requested_urls if url == here.sandbox.url + "/"]) == 1


async def test_search_by_number(browser: Browser) -> None:
    """A part of a number, however it is written, leaves the flows to it; new flows join only if they match."""
    async with open_inbox(browser) as here:
        for number in ("+306900000000", "+306911111111", "+306911111122"):
            await here.send_otp(number)
        await expect(here.rows).to_have_count(3)
        await here.page.get_by_label("Search by number").fill("+30 6911-1111")
        await expect(here.rows).to_have_count(2)
        await expect(here.page.locator("#flow-count")).to_have_text("2 flows found")
        await here.send_otp("+306911111133")
        await expect(here.rows).to_have_count(3)
        await here.send_otp("+306922222222")
        await here.page.get_by_label("Search by number").fill("999")
        await expect(here.page.get_by_text("No flow matches.")).to_be_visible()
        await here.page.get_by_label("Search by number").fill("")
        await expect(here.rows).to_have_count(5)


async def test_search_by_status(browser: Browser) -> None:
    """Only flows that stand so are shown; one that goes on leaves the list, one that comes to stand so joins it."""
    async with open_inbox(browser) as here:
        await here.send_otp("+306900000000")
        await here.send_otp("+306900000110")
        await expect(here.rows).to_have_count(2)
        await here.page.get_by_label("Status", exact=True).select_option("Failed")
        await expect(here.rows).to_have_count(0)
        await here.advance_clock("+10 min")
        await expect(here.rows).to_have_count(1)
        await expect(here.row("+306900000110")).to_be_visible()
        await here.page.get_by_label("Status", exact=True).select_option("InProgress")
        await expect(here.page.get_by_text("No flow matches.")).to_be_visible()
        await here.send_otp("+306900000300")
        await expect(here.rows).to_have_count(1)
        await here.advance_clock("+10 min")
        await expect(here.page.get_by_text("No flow matches.")).to_be_visible()
        await here.page.get_by_label("Status", exact=True).select_option("")
        await expect(here.rows).to_have_count(3)


async def test_clear(browser: Browser) -> None:
    """Clear asks first; then every flow is gone, here and in the sandbox."""
    async with open_inbox(browser) as here:
        await here.send_otp("+306900000000")
        await here.choose("+306900000000")
        await here.page.get_by_role("button", name="Clear", exact=True).click()
        await here.page.get_by_role("button", name="Cancel").click()
        await expect(here.rows).to_have_count(1)
        await here.page.get_by_role("button", name="Clear", exact=True).click()
        await here.page.locator("#clear").get_by_role("button", name="Clear").click()
        await expect(here.page.locator("#empty-state")).to_be_visible()
        assert here.sandbox.accepted == []
        await here.send_otp("+306900000000")
        await expect(here.rows).to_have_count(1)


async def test_clear_from_elsewhere(browser: Browser) -> None:
    """What another program clears is gone from an open page, too."""
    async with open_inbox(browser) as here:
        await here.send_otp("+306900000000")
        await here.choose("+306900000000")
        await here.caller.call("clearSandboxFlows", "/sandbox/flows", method="DELETE")
        await expect(here.page.locator("#empty-state")).to_be_visible()


async def _row_at(here: InboxPage, place: int) -> None:
    await expect(here.page.locator(f"#rows > [aria-posinset='{place}']:not(.waiting)")).to_be_visible()


async def test_ten_thousand_flows(browser: Browser) -> None:
    """With 10,000 flows a few rows are drawn; the oldest can be reached, found, chosen, and new ones go on coming."""
    async with open_inbox(browser, opened=False) as here:
        _fill(here.sandbox, MANY)
        await here.open()
        await expect(here.page).to_have_title("(10,000) Routee sandbox")
        await _row_at(here, 1)
        assert await here.rows.count() < 50

        await here.page.locator("#flows").evaluate("box => box.scrollTop = box.scrollHeight")
        await _row_at(here, MANY)
        assert await here.rows.count() < 50
        oldest = here.row("+306900000001")
        await oldest.click()
        await expect(here.flow.get_by_role("heading", level=2)).to_have_text("+306900000001")

        await here.send("sendViberOtp", VIBER_OTP)
        await here.page.locator("#flows").evaluate("box => box.scrollTop = 0")
        await expect(here.row("+306912345678").and_(here.page.locator("[aria-posinset='1']"))).to_be_visible()
        await expect(here.page.locator("#flow-count")).to_have_text("10,000 flows")  # the sandbox keeps so many

        await here.page.get_by_label("Search by number").fill("00007777")
        await expect(here.rows).to_have_count(1)
        await expect(here.page.locator("#flow-count")).to_have_text("1 flow found")


async def test_what_one_looks_at_stays(browser: Browser) -> None:
    """While one has scrolled down, new flows come in above without moving what is under one's eyes."""
    async with open_inbox(browser, opened=False) as here:
        _fill(here.sandbox, 100)
        await here.open()
        await _row_at(here, 1)
        await here.page.locator("#flows").evaluate("box => box.scrollTop = 40 * 68")
        watched = here.row("+306900000055")
        await expect(watched).to_be_visible()
        before = await watched.bounding_box()
        for _ in range(3):
            await here.send("sendViberOtp", VIBER_OTP)
        await expect(here.page).to_have_title("(103) Routee sandbox")
        await expect(watched).to_have_attribute("aria-posinset", "49")
        assert await watched.bounding_box() == before


async def test_more_than_the_sandbox_keeps(browser: Browser) -> None:
    """The sandbox forgets its oldest flows; after a while so does the page."""
    async with open_inbox(browser, max_flows=5) as here:
        for number in range(8):
            await here.send_otp(f"+30690000000{number}")
        await expect(here.page).to_have_title("(5) Routee sandbox")
        await expect(here.rows).to_have_count(5)
        await expect(here.row("+306900000007")).to_be_visible()
        await expect(here.row("+306900000002")).to_have_count(0)
