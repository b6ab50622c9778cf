"""The page by keyboard, and its accessibility."""

from itertools import pairwise

from playwright.async_api import Browser, expect

from .inbox_page import IN_BROWSER, NARROW, InboxPage, open_inbox

pytestmark = IN_BROWSER


async def _press(inbox: InboxPage, *keys: str) -> None:
    for key in keys:
        await inbox.page.keyboard.press(key)


async def _send_three_flows(inbox: InboxPage) -> None:
    for number in ("+306900000300", "+306911111111", "+306922222222"):
        await inbox.send_otp(number)
    await expect(inbox.rows).to_have_count(3)


async def test_search_select_and_act_by_keyboard_only(browser: Browser) -> None:
    """From the search to a button of a message and back by keyboard; the focused element is visible."""
    async with open_inbox(browser) as inbox:
        await _send_three_flows(inbox)
        await _press(inbox, "/")
        await expect(inbox.page.get_by_label("Search by number")).to_be_focused()
        await inbox.page.keyboard.type("0000300")
        await expect(inbox.rows).to_have_count(1)
        await _press(inbox, "ArrowDown")
        await expect(inbox.rows.first).to_have_attribute("aria-selected", "true")
        await _press(inbox, "Enter")
        await expect(inbox.flow.get_by_role("heading", level=2)).to_be_focused()
        for _ in range(20):
            await _press(inbox, "Tab")
            focused = inbox.page.locator("*:focus")
            outline = await focused.evaluate("node => getComputedStyle(node).outlineStyle")
            assert outline != "none"
            if await focused.inner_text() == "Fail":
                break
        await _press(inbox, "Enter")
        await expect(inbox.step(0).locator(".status")).to_have_text("Failed")
        await expect(inbox.step(1).locator(".status")).to_have_text("Queued")
        await _press(inbox, "Escape")
        await expect(inbox.page.locator("#flows")).to_be_focused()


async def test_keys_move_the_selection_within_the_list(browser: Browser) -> None:
    """J and k, the arrows, Home and End move through the list, and stop at its ends."""
    async with open_inbox(browser) as inbox:
        await _send_three_flows(inbox)
        title = inbox.flow.get_by_role("heading", level=2)
        for key, number in (
            ("j", "+306922222222"),
            ("j", "+306911111111"),
            ("k", "+306922222222"),
            ("k", "+306922222222"),
        ):
            await _press(inbox, key)
            await expect(title).to_have_text(number)
        await inbox.page.locator("#flows").focus()
        for key, number in (
            ("ArrowDown", "+306911111111"),
            ("End", "+306900000300"),
            ("ArrowDown", "+306900000300"),
            ("ArrowUp", "+306911111111"),
            ("Home", "+306922222222"),
            ("PageDown", "+306900000300"),
        ):
            await _press(inbox, key)
            await expect(title).to_have_text(number)
        active = await inbox.page.locator("#flows").get_attribute("aria-activedescendant")
        assert active is not None
        await expect(inbox.page.locator(f"[id='{active}']")).to_contain_text("+306900000300")


async def test_selected_row_is_scrolled_into_view(browser: Browser) -> None:
    """Moving through a list that is longer than the screen scrolls it."""
    async with open_inbox(browser, context={"viewport": {"width": 1360, "height": 500}}) as inbox:
        for index in range(12):
            await inbox.send_otp(f"+3069111111{index:02}")
        await expect(inbox.page).to_have_title("(12) Routee sandbox")
        await inbox.page.locator("#flows").focus()
        await _press(inbox, "j")
        await expect(inbox.rows.first).to_have_attribute("aria-selected", "true")
        for key, to in (("End", "+306911111100"), ("Home", "+306911111111")):
            await _press(inbox, key)
            await expect(inbox.flow.get_by_role("heading", level=2)).to_have_text(to)
            await expect(inbox.row(to)).to_be_in_viewport(ratio=1)


async def test_shortcuts_are_inactive_in_the_search_field(browser: Browser) -> None:
    """In the search field a letter is a letter; Esc clears the search, and then leaves it."""
    async with open_inbox(browser) as inbox:
        await _send_three_flows(inbox)
        search = inbox.page.get_by_label("Search by number")
        await search.focus()
        await inbox.page.keyboard.type("j?/k")
        await expect(search).to_have_value("j?/k")
        await expect(inbox.page.locator("#help")).to_be_hidden()
        await _press(inbox, "Escape")
        await expect(search).to_have_value("")
        await expect(search).to_be_focused()
        await expect(inbox.rows).to_have_count(3)
        await _press(inbox, "Escape")
        await expect(inbox.page.locator("#flows")).to_be_focused()
        await _press(inbox, "Control+j")
        await expect(inbox.page.locator("#rows [aria-selected=true]")).to_have_count(0)


async def test_help_dialog_opens_closes_and_blocks_shortcuts(browser: Browser) -> None:
    """? opens the help dialog, Esc closes it, and shortcuts are inactive behind it."""
    async with open_inbox(browser) as inbox:
        await inbox.send_otp("+306900000000")
        await expect(inbox.rows).to_have_count(1)
        await _press(inbox, "?")
        await expect(inbox.page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
        await _press(inbox, "j")
        await expect(inbox.rows.first).to_have_attribute("aria-selected", "false")
        await _press(inbox, "Escape")
        await expect(inbox.page.locator("#help")).to_be_hidden()
        await inbox.page.get_by_role("button", name="Help").click()
        await inbox.page.get_by_role("button", name="Close").click()
        await expect(inbox.page.locator("#help")).to_be_hidden()


async def test_scroll_position_and_tab_survive_updates(browser: Browser) -> None:
    """Scroll position and selected tab stay as they are while the flow is updated."""
    async with open_inbox(browser) as inbox:
        await inbox.send_otp("+306900000300")
        await inbox.select("+306900000300")
        await inbox.flow.get_by_role("tab", name="Response").focus()
        await inbox.flow.evaluate("pane => pane.scrollTop = 60")
        await inbox.advance_clock("+1 min")
        await expect(inbox.step(0).locator(".status")).to_have_text("Expired")
        assert await inbox.flow.evaluate("pane => pane.scrollTop") == 60


async def test_controls_have_accessible_names_and_headings_are_nested(browser: Browser) -> None:
    """Every control has a name, there is one live region, and headings are nested without gaps."""
    async with open_inbox(browser) as inbox:
        await _send_three_flows(inbox)
        await inbox.select("+306900000300")
        nameless = await inbox.page.evaluate(
            """() => [...document.querySelectorAll("button, input, select, a, [role=listbox], [role=tablist]")]
              .filter((it) => it.checkVisibility())
              .filter((it) => !(it.getAttribute("aria-label") || it.labels?.[0]?.innerText || it.textContent).trim())
              .map((it) => it.outerHTML)"""
        )
        assert nameless == []
        assert await inbox.page.locator("[aria-live=polite]").count() == 1
        heading_levels = await inbox.page.locator("h1:visible, h2:visible, h3:visible").evaluate_all(
            "all => all.map((it) => Number(it.tagName[1]))"
        )
        assert heading_levels[:2] == [1, 2]
        assert all(later - earlier <= 1 for earlier, later in pairwise(heading_levels))


async def test_narrow_screen_switches_views_by_keyboard(browser: Browser) -> None:
    """On a narrow screen Enter opens the flow and Esc returns to the list, at the same row."""
    async with open_inbox(browser, context={"viewport": NARROW}) as inbox:
        await _send_three_flows(inbox)
        await _press(inbox, "j", "j")
        await expect(inbox.flow).to_be_hidden()
        await _press(inbox, "Enter")
        await expect(inbox.flow.get_by_role("heading", level=2)).to_be_focused()
        await expect(inbox.page.locator("#flows")).to_be_hidden()
        await _press(inbox, "j")
        await expect(inbox.flow.get_by_role("heading", level=2)).to_be_focused()
        await expect(inbox.flow).to_contain_text("+306900000300")
        await _press(inbox, "k")
        await _press(inbox, "Escape")
        await expect(inbox.page.locator("#flows")).to_be_focused()
        await expect(inbox.rows.nth(1)).to_have_attribute("aria-selected", "true")
