"""The whole job in a browser, with JavaScript and without: find, read, redrive, watch to the end, report."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Error, Locator, Page, expect

from sandbox.demo.processes import Product
from sandbox.shop import Shop

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ORDERS = 24
LOOKS = 60


def see(page: Page, wanted: Locator, *, javascript: bool) -> None:
    """Wait until *wanted* is seen: the page refreshes itself, or without JavaScript the reader loads it again."""
    if javascript:
        expect(wanted).to_be_visible()
        return
    for _ in range(LOOKS):
        try:
            wanted.wait_for(timeout=500)
        except Error:
            page.reload()
        else:
            return
    expect(wanted).to_be_visible()


def number_in(text: str | None) -> int:
    found = re.search(r"[\d,]+", text or "")
    assert found, text
    return int(found[0].replace(",", ""))


def redrive(page: Page, button: Locator, *, javascript: bool, canary: bool = True) -> None:
    """Press a redrive button, read the plan, confirm it, and watch it to the end."""
    button.click()
    expect(page.get_by_role("heading", name="Change the plan")).to_be_visible()
    confirm = page.get_by_role("button", name=re.compile(r"^Redrive [\d,]+ events?$"))
    planned = number_in(confirm.text_content())
    expect(page.get_by_text("Will be sent").locator("..")).to_contain_text(f"{planned:,}")
    everything_at_once = page.get_by_label("all at once: no canary, no breaker")
    if not canary and everything_at_once.is_visible():
        everything_at_once.check()
    confirm.click()
    expect(page.get_by_role("region", name="Progress")).to_be_visible()
    at_rest = page.get_by_role("heading", level=1).get_by_text("finished", exact=True)
    see(page, at_rest, javascript=javascript)


@pytest.mark.parametrize("javascript", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_a_night_from_the_first_look_to_the_report(
    product: Product, shop: Shop, open_page: Callable[..., Page], *, javascript: bool
) -> None:
    shop.orders(ORDERS)
    assert shop.settled()
    failed = shop.failed_orders()
    page = open_page(java_script_enabled=javascript, base_url=product.env["CONSOLE_URL"])

    page.goto("/")
    see(page, page.get_by_role("heading", name=f"{len(failed)} failed events unresolved"), javascript=javascript)

    find_a_group(page, javascript=javascript)
    in_group = number_in(page.get_by_role("button", name=re.compile(r"^Redrive \d+ event")).text_content())

    read_an_event(page)

    redrive(
        page, page.get_by_role("button", name=re.compile(r"^Redrive \d+ event")), javascript=javascript, canary=False
    )
    expect(page.get_by_role("link", name=f"{in_group} failed again")).to_be_visible()
    page.get_by_role("link", name=f"{in_group} failed again").click()
    expect(page.get_by_role("region", name="What became of each event")).to_contain_text("KeyError")

    shop.deploy_fix()
    redrive_everything(page, javascript=javascript)
    expect(page.get_by_role("link", name=f"{len(failed)} succeeded")).to_be_visible()
    assert set(shop.side_effects().values()) == {1}
    assert shop.failed_orders() == []

    export_the_report(page, failed=len(failed))


def find_a_group(page: Page, *, javascript: bool) -> None:
    page.get_by_label("All functions").select_option("orders-notify")
    if not javascript:
        page.get_by_role("button", name="Apply").click()
    expect(page).to_have_url(re.compile("function=orders-notify"))
    expect(page.get_by_role("link", name=re.compile("declined"))).to_have_count(0)
    page.get_by_role("link", name="KeyError", exact=True).click()
    expect(page.get_by_role("heading", name="Why one group")).to_be_visible()


def read_an_event(page: Page) -> None:
    page.get_by_role("region", name="Events").get_by_role("link", name=re.compile("^ord-")).first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("ord-")
    expect(page.get_by_role("region", name="KeyError")).to_contain_text("shippingAddress")
    expect(page.get_by_role("list", name="Stack, outermost first")).to_contain_text("notify.py")
    expect(page.get_by_role("region", name="Payload")).to_contain_text('"orderId"')
    expect(page.get_by_role("region", name="Payload")).not_to_contain_text("tok_")
    page.go_back()


def redrive_everything(page: Page, *, javascript: bool) -> None:
    page.get_by_role("link", name=re.compile("^Groups")).first.click()
    page.get_by_role("radio", name=re.compile(r"^All \d+ groups matching this filter")).check()
    redrive(page, page.get_by_role("button", name=re.compile("^Redrive (all|selected)")), javascript=javascript)


def export_the_report(page: Page, *, failed: int) -> None:
    page.get_by_role("link", name="Reports").click()
    expect(page.get_by_text(f"{failed} events failed")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Markdown").click()
    text = download.value.path().read_text()
    assert "KeyError" in text
    assert f"{failed} events failed" in text
