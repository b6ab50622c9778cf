"""The page without a mouse, and for those who listen to it."""

from itertools import pairwise

from playwright.async_api import Browser, expect

from .inbox_page import IN_BROWSER, NARROW, InboxPage, open_inbox

pytestmark = IN_BROWSER


async def _press(here: InboxPage, *keys: str) -> None:
    for key in keys:
        await here.page.keyboard.press(key)


async def _three(here: InboxPage) -> None:
    for number in ("+306900000300", "+306911111111", "+306922222222"):
        await here.send_otp(number)
    await expect(here.rows).to_have_count(3)


async def test_a_journey_by_keyboard(browser: Browser) -> None:
    """From the search to a button of a message and back, with keys alone; what has the focus can be seen."""
    async with open_inbox(browser) as here:
        await _three(here)
        await _press(here, "/")
        await expect(here.page.get_by_label("Search by number")).to_be_focused()
        await here.page.keyboard.type("0000300")
        await expect(here.rows).to_have_count(1)
        await _press(here, "ArrowDown")
        await expect(here.rows.first).to_have_attribute("aria-selected", "true")
        await _press(here, "Enter")
        await expect(here.flow.get_by_role("heading", level=2)).to_be_focused()
        for _ in range(20):
            await _press(here, "Tab")
            focused = here.page.locator("*:focus")
            ring = await focused.evaluate("it => getComputedStyle(it).outlineStyle")
            assert ring != "none"
            if await focused.inner_text() == "Fail":
                break
        await _press(here, "Enter")
        await expect(here.step(0).locator(".status")).to_have_text("Failed")
        await expect(here.step(1).locator(".status")).to_have_text("Queued")
        await _press(here, "Escape")
        await expect(here.page.locator("#flows")).to_be_focused()


async def test_from_flow_to_flow(browser: Browser) -> None:
    """J and k, the arrows, Home and End go through the list, and stop at its ends."""
    async with open_inbox(browser) as here:
        await _three(here)
        title = here.flow.get_by_role("heading", level=2)
        for key, number in (
            ("j", "+306922222222"),
            ("j", "+306911111111"),
            ("k", "+306922222222"),
            ("k", "+306922222222"),
        ):
            await _press(here, key)
            await expect(title).to_have_text(number)
        await here.page.locator("#flows").focus()
        for key, number in (
            ("ArrowDown", "+306911111111"),
            ("End", "+306900000300"),
            ("ArrowDown", "+306900000300"),
            ("ArrowUp", "+306911111111"),
            ("Home", "+306922222222"),
            ("PageDown", "+306900000300"),
        ):
            await _press(here, key)
            await expect(title).to_have_text(number)
        active = await here.page.locator("#flows").get_attribute("aria-activedescendant")
        assert active is not None
        await expect(here.page.locator(f"[id='{active}']")).to_contain_text("+306900000300")


async def test_the_chosen_row_is_kept_in_sight(browser: Browser) -> None:
    """Walking down and up a list that is longer than the screen scrolls it along."""
    async with open_inbox(browser, context={"viewport": {"width": 1360, "height": 500}}) as here:
        for place in range(12):
            await here.send_otp(f"+3069111111{place:02}")
        await expect(here.page).to_have_title("(12) Routee sandbox")
        await here.page.locator("#flows").focus()
        await _press(here, "j")
        await expect(here.rows.first).to_have_attribute("aria-selected", "true")
        for key, to in (("End", "+306911111100"), ("Home", "+306911111111")):
            await _press(here, key)
            await expect(here.flow.get_by_role("heading", level=2)).to_have_text(to)
            await expect(here.row(to)).to_be_in_viewport(ratio=1)


async def test_keys_leave_typing_alone(browser: Browser) -> None:
    """While somebody types a letter is a letter; Esc empties the search, and then leaves it."""
    async with open_inbox(browser) as here:
        await _three(here)
        search = here.page.get_by_label("Search by number")
        await search.focus()
        await here.page.keyboard.type("j?/k")
        await expect(search).to_have_value("j?/k")
        await expect(here.page.locator("#help")).to_be_hidden()
        await _press(here, "Escape")
        await expect(search).to_have_value("")
        await expect(search).to_be_focused()
        await expect(here.rows).to_have_count(3)
        await _press(here, "Escape")
        await expect(here.page.locator("#flows")).to_be_focused()
        await _press(here, "Control+j")
        await expect(here.page.locator("#rows [aria-selected=true]")).to_have_count(0)


async def test_help(browser: Browser) -> None:
    """? shows the keys, Esc closes them, and keys do nothing behind the dialog."""
    async with open_inbox(browser) as here:
        await here.send_otp("+306900000000")
        await expect(here.rows).to_have_count(1)
        await _press(here, "?")
        await expect(here.page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
        await _press(here, "j")
        await expect(here.rows.first).to_have_attribute("aria-selected", "false")
        await _press(here, "Escape")
        await expect(here.page.locator("#help")).to_be_hidden()
        await here.page.get_by_role("button", name="Help").click()
        await here.page.get_by_role("button", name="Close").click()
        await expect(here.page.locator("#help")).to_be_hidden()


async def test_typing_a_reply_is_not_disturbed(browser: Browser) -> None:
    """What is half typed, unfolded or scrolled to stays as it is while the flow goes on."""
    async with open_inbox(browser) as here:
        await here.send_otp("+306900000300")
        await here.choose("+306900000300")
        await here.flow.get_by_role("tab", name="Response").focus()
        await here.flow.evaluate("pane => pane.scrollTop = 60")
        await here.advance_clock("+1 min")
        await expect(here.step(0).locator(".status")).to_have_text("Expired")
        assert await here.flow.evaluate("pane => pane.scrollTop") == 60


async def test_everything_has_a_name(browser: Browser) -> None:
    """Every control has a name, every list its role, and what happens is said in a live region."""
    async with open_inbox(browser) as here:
        await _three(here)
        await here.choose("+306900000300")
        nameless = await here.page.evaluate(
            """() => [...document.querySelectorAll("button, input, select, a, [role=listbox], [role=tablist]")]
              .filter((it) => it.checkVisibility())
              .filter((it) => !(it.getAttribute("aria-label") || it.labels?.[0]?.innerText || it.textContent).trim())
              .map((it) => it.outerHTML)"""
        )
        assert nameless == []
        assert await here.page.locator("[aria-live=polite]").count() == 1
        levels = await here.page.locator("h1:visible, h2:visible, h3:visible").evaluate_all(
            "all => all.map((it) => Number(it.tagName[1]))"
        )
        assert levels[:2] == [1, 2]
        assert all(later - earlier <= 1 for earlier, later in pairwise(levels))


async def test_narrow_by_keyboard(browser: Browser) -> None:
    """On a narrow screen Enter goes into the flow and Esc comes back to the list, at the same row."""
    async with open_inbox(browser, context={"viewport": NARROW}) as here:
        await _three(here)
        await _press(here, "j", "j")
        await expect(here.flow).to_be_hidden()
        await _press(here, "Enter")
        await expect(here.flow.get_by_role("heading", level=2)).to_be_focused()
        await expect(here.page.locator("#flows")).to_be_hidden()
        await _press(here, "j")
        await expect(here.flow.get_by_role("heading", level=2)).to_be_focused()
        await expect(here.flow).to_contain_text("+306900000300")
        await _press(here, "k")
        await _press(here, "Escape")
        await expect(here.page.locator("#flows")).to_be_focused()
        await expect(here.rows.nth(1)).to_have_attribute("aria-selected", "true")
