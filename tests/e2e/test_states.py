"""Pages in the states that they are rarely in: looked at by a browser, wide and narrow, and worked with."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Look
from tests.factories import FUNCTION
from tests.states.redrives import PATCH

pytestmark = [pytest.mark.browser]

PLACES = (
    "overview", "groups?status=all", "redrives", "unknown", "reports", "sources", "discovery", "targets", "workers",
    "audit", "people", "you",
)  # fmt: skip
TORN = """() => [...document.querySelectorAll("td, th")].filter(
    (cell) => getComputedStyle(cell).display !== "table-cell").map((cell) => cell.outerHTML.slice(0, 120))"""
WIDER = """() => [...document.querySelectorAll("main *")].filter(
    (part) => part.getBoundingClientRect().right > innerWidth + 1 && !part.closest("pre, svg, .away"))
    .map((part) => part.outerHTML.slice(0, 120))"""


@pytest.fixture
def page(open_page: Callable[..., Page], look: Look) -> Page:
    return open_page(base_url=look.url)


def addresses(look: Look) -> Iterator[str]:
    """Yield the address of every page, in every state."""
    night = look.night
    yield from (f"/{place}" for place in PLACES)
    yield from (f"/groups/{night.groups[state]}" for state in ("regressed", "snoozed"))
    yield from (f"/events/{night.events[kind]}" for kind in ("pointer", "hostile", "no record", "observed"))
    yield from (
        f"/redrives/{number}" for state, number in night.redrives.items() if state not in {"paused", "cancelled"}
    )
    yield f"/redrives/{night.redrives['planned with an edit']}/edits"
    yield f"/events/{night.events['hostile']}/edit"


def test_no_page_in_any_state_tears_a_table_or_is_wider_than_a_phone(page: Page, look: Look) -> None:
    torn, wider = {}, {}
    for address in addresses(look):
        page.set_viewport_size({"width": 1280, "height": 800})
        page.goto(address, wait_until="domcontentloaded")
        torn[address] = page.evaluate(TORN)
        page.set_viewport_size({"width": 390, "height": 844})
        wider[address] = page.evaluate(WIDER)
    assert not {address: cells for address, cells in torn.items() if cells}
    assert not {address: parts for address, parts in wider.items() if parts}


def test_an_unknown_outcome_is_checked_and_sent_again_by_hand(page: Page) -> None:
    page.goto("/unknown")
    expect(page.get_by_role("button", name="Send again")).to_be_disabled()
    page.get_by_role("checkbox", name=re.compile("^Select ")).first.check()
    page.keyboard.press("c")
    expect(page.get_by_role("button", name="Check 1 event")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="1 event checked")).to_be_visible()

    page.goto("/unknown")
    row = page.get_by_role("checkbox", name=re.compile("^Select ")).first
    if row.count():  # its handler's record may have told that it is done
        row.check()
        page.get_by_role("button", name="Send again").click()
        expect(page.get_by_role("button", name="Redrive 1 event")).to_be_visible()


def test_many_are_edited_by_a_patch_with_a_diff_for_each(page: Page, look: Look) -> None:
    page.goto(f"/redrives/{look.night.redrives['planned']}")
    page.get_by_label("Edit every payload by").fill(PATCH)
    page.get_by_role("button", name="Plan again").click()
    expect(page.get_by_role("heading", name=re.compile("^Edited json-patch"))).to_be_visible()
    page.get_by_role("link", name=re.compile("see every diff$")).click()
    first = page.get_by_role("region", name=re.compile("^Edit of event")).first
    expect(first.locator("del").first).to_contain_text('"currency": "EUR"')
    expect(first.locator("ins").first).to_contain_text('"currency": "USD"')
    page.get_by_role("link", name="Back to the plan").click()
    expect(page.get_by_role("button", name=re.compile(r"^Redrive \d+ events$"))).to_be_enabled()


def test_a_target_is_tried_on_an_event_and_forgotten_only_after_a_second_press(page: Page, look: Look) -> None:
    page.goto("/targets")
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="orders-capture", exact=True))
    row.get_by_role("textbox").fill(str(look.night.events["observed"]))
    row.get_by_role("button", name="Try").click()
    expect(page.get_by_text("orders-capture.app.lambda_handler#")).to_be_visible()
    page.go_back()
    expect(row.get_by_role("button", name="Remove its settings")).to_be_hidden()
    row.get_by_text("Remove", exact=True).click()
    expect(row.get_by_role("button", name="Remove its settings")).to_be_visible()
    assert FUNCTION.endswith("orders-capture")


def test_the_focus_stays_where_it_was_when_a_part_of_the_page_is_exchanged(page: Page, look: Look) -> None:
    page.goto("/groups")
    chip = page.get_by_role("link", name=re.compile("^Archived"))
    chip.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("status=archived"))
    expect(chip).to_have_attribute("aria-current", "true")
    expect(chip).to_be_focused()

    page.goto(f"/redrives/{look.night.redrives['running']}")
    page.keyboard.press("j")
    page.keyboard.press("j")
    row = page.get_by_role("region", name="What became of each event").locator("[data-row]").nth(1)
    expect(row).to_be_focused()
    page.evaluate("document.querySelector('#asked time').textContent = 'long ago'")
    with page.expect_response(re.compile(r"/redrives/\d+\?$")):  # it asks for itself every three seconds
        pass
    expect(page.locator("#asked")).to_contain_text("20 min ago")  # so that the heading does not grow old
    expect(row).to_be_focused()


def test_every_key_that_does_something_is_in_the_help(page: Page) -> None:
    page.goto("/groups")
    page.keyboard.press("?")
    told = page.get_by_role("dialog", name="Keyboard").locator("kbd").all_text_contents()
    assert set(page.evaluate("Object.keys(KEYS)")) <= set(told)
