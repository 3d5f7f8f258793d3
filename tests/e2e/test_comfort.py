"""What the browser adds: selection, keyboard, narrow screens; on a console that nobody changes."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser]

PAGES = ("/overview", "/groups", "/groups/1", "/events", "/events/1", "/redrives", "/sources", "/reports")


@pytest.fixture
def page(open_page: Callable[..., Page], seeded_url: str) -> Page:
    return open_page(base_url=seeded_url)


def test_ticking_a_group_puts_its_events_on_the_button(page: Page) -> None:
    page.goto("/groups")
    button = page.get_by_role("button", name=re.compile("^Redrive"))
    expect(button).to_be_disabled()
    expect(button).to_have_attribute("title", "Tick some rows first, or choose all that match.")
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="PaymentError"))
    row.get_by_role("checkbox").check()
    n = row.get_by_role("link").nth(1).text_content()
    expect(button).to_have_text(f"Redrive {n} events")
    expect(button).to_be_enabled()


def test_choosing_everything_is_undone_by_ticking_a_row(page: Page) -> None:
    page.goto("/groups")
    everything = page.get_by_role("radio", name=re.compile("^All 9 groups"))
    everything.check()
    expect(page.get_by_role("button", name="Redrive all of 9 groups")).to_be_enabled()
    page.get_by_role("checkbox", name=re.compile("^Select ")).first.check()
    expect(everything).not_to_be_checked()


def test_the_box_above_ticks_the_page(page: Page) -> None:
    page.goto("/groups")
    page.get_by_role("checkbox", name="This page").check()
    expect(page.get_by_text("9 of 9 rows ticked")).to_be_visible()


def test_a_filter_changes_the_list_and_the_address_and_the_way_back(page: Page) -> None:
    page.goto("/groups")
    page.get_by_label("Error or payload contains").fill("declined")
    expect(page.get_by_role("link", name="KeyError", exact=True)).to_have_count(0)
    expect(page).to_have_url(re.compile(r"/groups\?text=declined$"))
    expect(page.get_by_label("Error or payload contains")).to_be_focused()
    page.go_back()
    expect(page.get_by_role("link", name="KeyError", exact=True)).to_be_visible()


def test_a_status_is_kept_while_another_filter_changes(page: Page) -> None:
    page.goto("/groups")
    page.get_by_role("link", name="All", exact=True).click()
    expect(page).to_have_url(re.compile("status=all"))
    page.get_by_label("All functions").select_option("orders-capture")
    expect(page).to_have_url(re.compile("status=all.*function=orders-capture|function=orders-capture.*status=all"))


def test_the_keyboard_finds_opens_and_ticks(page: Page) -> None:
    page.goto("/groups")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    rows = page.get_by_role("row")
    first = rows.nth(1)
    expect(first.get_by_role("link").first).to_be_focused()
    page.keyboard.press("x")
    expect(first.get_by_role("checkbox")).to_be_checked()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Why one group")).to_be_visible()


def test_the_keyboard_goes_places_and_explains_itself(page: Page) -> None:
    page.goto("/groups")
    page.keyboard.press("/")
    expect(page.get_by_label("Search events")).to_be_focused()
    page.keyboard.type("ord-7001")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/events\?text=ord-7001"))
    page.keyboard.press("g")
    page.keyboard.press("o")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_hidden()


@pytest.mark.parametrize("address", PAGES)
def test_nothing_scrolls_sideways_on_a_phone(open_page: Callable[..., Page], seeded_url: str, address: str) -> None:
    page = open_page(base_url=seeded_url, viewport={"width": 360, "height": 740})
    page.goto(address)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_sources_error_and_what_expires_are_on_the_overview(page: Page) -> None:
    page.goto("/overview")
    sources = page.get_by_role("region", name="Sources")
    expect(sources).to_contain_text("The permission sqs:ReceiveMessage")
    expect(sources).to_contain_text("cannot be read")
    expect(sources).to_contain_text("in 8 h")
    expect(page.get_by_role("group", name=re.compile("^Failures per hour"))).to_be_visible()
