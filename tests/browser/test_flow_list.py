"""The list of flows: live, searchable, and fast with ten thousand flows."""

import uuid
from datetime import UTC, datetime

from playwright.async_api import Browser, expect

from routee_failover.sandbox import AcceptedFlow, Sandbox

from ..sandbox.raw_http import OTP_SMS_STEP, VIBER_OTP
from .inbox_page import IN_BROWSER, InboxPage, open_inbox

pytestmark = IN_BROWSER

MANY = 10_000


def _fill(sandbox: Sandbox, count: int) -> None:
    """Add flows to the store directly: the page is tested here, not the sending."""
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


async def test_new_flow_appears_and_updates_without_reload(browser: Browser) -> None:
    """A flow is in the list as soon as it is accepted, and its row is updated; nothing is reloaded."""
    async with open_inbox(browser) as inbox:
        await expect(inbox.page.locator("#empty-state")).to_contain_text("No flow yet")
        await expect(inbox.page).to_have_title("Routee sandbox")
        await inbox.send_otp("+306900000100")
        row = inbox.row("+306900000100")
        await expect(row).to_contain_text("847291")
        await expect(row.locator(".mark")).to_have_attribute("title", "In progress")
        await expect(inbox.page.locator("#empty-state")).to_be_hidden()
        await expect(inbox.page).to_have_title("(1) Routee sandbox")
        await inbox.advance_clock("+10 min")
        await expect(row.locator(".mark")).to_have_attribute("title", "Succeeded")
        await expect(row.locator(".last")).to_have_text("SMS")
        assert [url for url in inbox.requested_urls if url.endswith("/inbox.css")] != []
        assert len([url for url in inbox.requested_urls if url == inbox.sandbox.url + "/"]) == 1


async def test_number_filter_applies_to_listed_and_new_flows(browser: Browser) -> None:
    """Part of a number, in any notation, filters the list; new flows are added only if they match."""
    async with open_inbox(browser) as inbox:
        for number in ("+306900000000", "+306911111111", "+306911111122"):
            await inbox.send_otp(number)
        await expect(inbox.rows).to_have_count(3)
        await inbox.page.get_by_label("Search by number").fill("+30 6911-1111")
        await expect(inbox.rows).to_have_count(2)
        await expect(inbox.page.locator("#flow-count")).to_have_text("2 flows found")
        await inbox.send_otp("+306911111133")
        await expect(inbox.rows).to_have_count(3)
        await inbox.send_otp("+306922222222")
        await inbox.page.get_by_label("Search by number").fill("999")
        await expect(inbox.page.get_by_text("No flow matches.")).to_be_visible()
        await inbox.page.get_by_label("Search by number").fill("")
        await expect(inbox.rows).to_have_count(5)


async def test_status_filter_follows_status_changes(browser: Browser) -> None:
    """Only flows with the status are shown; a flow is added or removed when its status changes."""
    async with open_inbox(browser) as inbox:
        await inbox.send_otp("+306900000000")
        await inbox.send_otp("+306900000110")
        await expect(inbox.rows).to_have_count(2)
        await inbox.page.get_by_label("Status", exact=True).select_option("Failed")
        await expect(inbox.rows).to_have_count(0)
        await inbox.advance_clock("+10 min")
        await expect(inbox.rows).to_have_count(1)
        await expect(inbox.row("+306900000110")).to_be_visible()
        await inbox.page.get_by_label("Status", exact=True).select_option("InProgress")
        await expect(inbox.page.get_by_text("No flow matches.")).to_be_visible()
        await inbox.send_otp("+306900000300")
        await expect(inbox.rows).to_have_count(1)
        await inbox.advance_clock("+10 min")
        await expect(inbox.page.get_by_text("No flow matches.")).to_be_visible()
        await inbox.page.get_by_label("Status", exact=True).select_option("")
        await expect(inbox.rows).to_have_count(3)


async def test_clear_asks_and_deletes_all_flows(browser: Browser) -> None:
    """Clear asks for confirmation; then every flow is deleted, on the page and in the sandbox."""
    async with open_inbox(browser) as inbox:
        await inbox.send_otp("+306900000000")
        await inbox.select("+306900000000")
        await inbox.page.get_by_role("button", name="Clear", exact=True).click()
        await inbox.page.get_by_role("button", name="Cancel").click()
        await expect(inbox.rows).to_have_count(1)
        await inbox.page.get_by_role("button", name="Clear", exact=True).click()
        await inbox.page.locator("#clear").get_by_role("button", name="Clear").click()
        await expect(inbox.page.locator("#empty-state")).to_be_visible()
        assert inbox.sandbox.accepted == []
        await inbox.send_otp("+306900000000")
        await expect(inbox.rows).to_have_count(1)


async def test_clear_by_another_program_empties_the_page(browser: Browser) -> None:
    """Flows that another program clears are removed from an open page."""
    async with open_inbox(browser) as inbox:
        await inbox.send_otp("+306900000000")
        await inbox.select("+306900000000")
        await inbox.caller.call("clearSandboxFlows", "/sandbox/flows", method="DELETE")
        await expect(inbox.page.locator("#empty-state")).to_be_visible()


async def _wait_for_row(inbox: InboxPage, position: int) -> None:
    await expect(inbox.page.locator(f"#rows > [aria-posinset='{position}']:not(.waiting)")).to_be_visible()


async def test_ten_thousand_flows_are_scrolled_searched_and_selected(browser: Browser) -> None:
    """With 10,000 flows few rows are drawn; the oldest can be reached, found and selected, and new ones appear."""
    async with open_inbox(browser, load_page=False) as inbox:
        _fill(inbox.sandbox, MANY)
        await inbox.open()
        await expect(inbox.page).to_have_title("(10,000) Routee sandbox")
        await _wait_for_row(inbox, 1)
        assert await inbox.rows.count() < 50

        await inbox.page.locator("#flows").evaluate("box => box.scrollTop = box.scrollHeight")
        await _wait_for_row(inbox, MANY)
        assert await inbox.rows.count() < 50
        oldest = inbox.row("+306900000001")
        await oldest.click()
        await expect(inbox.flow.get_by_role("heading", level=2)).to_have_text("+306900000001")

        await inbox.send("sendViberOtp", VIBER_OTP)
        await inbox.page.locator("#flows").evaluate("box => box.scrollTop = 0")
        await expect(inbox.row("+306912345678").and_(inbox.page.locator("[aria-posinset='1']"))).to_be_visible()
        await expect(inbox.page.locator("#flow-count")).to_have_text("10,000 flows")  # the maximum of the sandbox

        await inbox.page.get_by_label("Search by number").fill("00007777")
        await expect(inbox.rows).to_have_count(1)
        await expect(inbox.page.locator("#flow-count")).to_have_text("1 flow found")


async def test_new_flows_do_not_move_the_visible_rows(browser: Browser) -> None:
    """After scrolling down, new flows are added above without moving the visible rows."""
    async with open_inbox(browser, load_page=False) as inbox:
        _fill(inbox.sandbox, 100)
        await inbox.open()
        await _wait_for_row(inbox, 1)
        await inbox.page.locator("#flows").evaluate("box => box.scrollTop = 40 * 68")
        visible_row = inbox.row("+306900000055")
        await expect(visible_row).to_be_visible()
        before = await visible_row.bounding_box()
        for _ in range(3):
            await inbox.send("sendViberOtp", VIBER_OTP)
        await expect(inbox.page).to_have_title("(103) Routee sandbox")
        await expect(visible_row).to_have_attribute("aria-posinset", "49")
        assert await visible_row.bounding_box() == before


async def test_evicted_flows_disappear_from_the_list(browser: Browser) -> None:
    """Flows that the sandbox evicts are soon removed from the page."""
    async with open_inbox(browser, max_flows=5) as inbox:
        for number in range(8):
            await inbox.send_otp(f"+30690000000{number}")
        await expect(inbox.page).to_have_title("(5) Routee sandbox")
        await expect(inbox.rows).to_have_count(5)
        await expect(inbox.row("+306900000007")).to_be_visible()
        await expect(inbox.row("+306900000002")).to_have_count(0)
