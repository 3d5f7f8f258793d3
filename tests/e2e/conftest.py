"""A real browser, and what it looks at: the shop that fails, with worker and console as processes of their own."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from werkzeug.serving import make_server

from console.app import create_app
from deadletter.event import TargetKind, TargetRef
from deadletter.settings import Settings, SignIn
from deadletter.store import make_engine, upgrade, write
from deadletter.store.sources import add_source
from sandbox.demo.processes import Product, wait_until_served
from sandbox.local import Sandbox
from sandbox.shop import Shop
from tests.factories import ADA, ANYWHERE
from tests.seed import seed
from tests.states import make_states
from tests.states.night import Night
from tests.states.redrives import SomeRecords
from tests.tools import require_tool

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
QUIET = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
)
WAIT_MS = 30_000  # a busy machine is slow, not broken; what must be quick says its own timeout


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, without a window."""
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    require_tool("Chromium", path)
    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open a page; the test fails if anything on it broke or was blocked by the content security policy.

    Ask for it after the console that it looks at: pages that poll must be closed before what answers them.
    """
    opened: list[BrowserContext] = []
    broken: list[str] = []

    def open_(**given: object) -> Page:
        context = browser.new_context(**given)  # type: ignore[arg-type] # playwright's own options
        context.set_default_timeout(WAIT_MS)
        opened.append(context)
        page = context.new_page()
        page.on("console", lambda message: broken.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: broken.append(str(error)))
        return page

    yield open_
    for context in opened:
        context.close()
    assert not broken


@pytest.fixture
def product(sandbox: Sandbox, shop: Shop, tmp_path: Path) -> Iterator[Product]:
    """A worker and a console on a database of their own, collecting from the shop; `url` is the console's."""
    port = _free_port()
    env = {
        "REDRIVE_SIGN_IN": "off",
        "REDRIVE_OPERATOR": "ada",
        "REDRIVE_SETTLE_S": "1",
        "REDRIVE_RATE": "100",
        "REDRIVE_RECEIVE_WAIT_S": "1",
        "REDRIVE_ALLOWED_TARGETS": " ".join(ANYWHERE),
    }
    product = Product(tmp_path, sandbox.env | env)
    _register(shop, tmp_path)
    product.start("work", "work")
    product.start("serve", "serve", "--port", str(port))
    product.env["CONSOLE_URL"] = f"http://127.0.0.1:{port}"
    try:
        wait_until_served(f"{product.env['CONSOLE_URL']}/healthz")
        yield product
    finally:
        product.stop()
        shop.roll_back()


@pytest.fixture(scope="session")
def seeded_url(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a console after a bad week, in a thread of this process; nobody writes to it."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("week"), sign_in=SignIn.OFF)
    shutil.copy(sqlite_template, settings.data_dir / "redrive.db")
    engine = make_engine(settings)
    seed(engine, now=datetime.now(tz=UTC), share=1 / 20)
    with _served(create_app(settings, engine)) as url:
        yield url
    engine.dispose()


@dataclass(frozen=True)
class Look:
    """A console with every state that a page can be in, and where each is."""

    url: str
    night: Night


@pytest.fixture(scope="session")
def look(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Look]:
    """A console with every state that a page can be in; its time stands still, so that all of them stay as they are."""
    folder = tmp_path_factory.mktemp("night")
    settings = Settings(data_dir=folder, sign_in=SignIn.OFF, operator="ada", allowed_targets=ANYWHERE)
    shutil.copy(sqlite_template, settings.data_dir / "redrive.db")
    engine, now = make_engine(settings), datetime.now(tz=UTC)
    seed(engine, now=now, share=1 / 10)
    night = make_states(engine, now)
    with _served(create_app(settings, engine, clock=lambda: now, open_records=SomeRecords(now))) as url:
        yield Look(url, night)
    engine.dispose()


@contextmanager
def _served(app: Flask) -> Iterator[str]:
    """Serve *app* in a thread of this process; yield its address."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def _register(shop: Shop, data_dir: Path) -> None:
    settings = Settings(data_dir=data_dir)
    upgrade(settings)
    engine = make_engine(settings)
    with write(engine) as session:
        for arn in shop.failure_arns:
            target = TargetRef(TargetKind.LAMBDA, shop.capture_arn) if arn == shop.capture_dlq_arn else None
            add_source(session, arn, target=target, by=ADA, now=datetime.now(tz=UTC))
    engine.dispose()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
