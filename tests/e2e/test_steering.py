"""Pause, resume, another pace and cancel, by a person in a browser: each holds within a second."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import Engine
from werkzeug.serving import make_server

from console.app import create_app
from deadletter.settings import Settings, SignIn
from tests.fakes import FakeTarget, takes
from tests.worker.conftest import World, living, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:orders-fulfil"
WITHIN_S = 1.0


@pytest.fixture
def world(settings: Settings, sqlite_engine: Engine) -> Iterator[World]:
    with living(settings, sqlite_engine) as found:
        yield found


@pytest.fixture
def url(world: World) -> Iterator[str]:
    """The address of a console on the world's database, in a thread of this process."""
    app = create_app(replace(world.settings, sign_in=SignIn.OFF), world.engine)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_pause_resume_another_pace_and_cancel_hold_within_a_second(
    world: World, url: str, open_page: Callable[..., Page]
) -> None:
    world.store_failures(2_000)
    target = world.targets[QUEUE] = FakeTarget(takes)
    redrive_id = world.run_redrive(target=QUEUE, rate=20.0)
    world.start(settle_s=600.0)
    page = open_page()
    page.goto(f"{url}/redrives/{redrive_id}")
    wait_until(lambda: len(target.received) > 10)

    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Paused by ada")).to_be_visible()
    held = at_rest(target)

    page.get_by_label("Events a second").fill("500")
    page.get_by_role("button", name="Change the pace").click()
    expect(page.get_by_text("500 a second at most").first).to_be_visible()
    page.get_by_role("button", name=re.compile(r"^Resume, [\d,]+ to send$")).click()
    wait_until(lambda: len(target.received) > held, timeout_s=WITHIN_S)
    wait_until(lambda: len(target.received) > held + 100, timeout_s=3.0)  # at 20 a second it would take five

    page.get_by_role("button", name=re.compile(r"^Cancel, [\d,]+ not to be sent$")).click()
    expect(page.get_by_role("heading", level=1).get_by_text("cancelled")).to_be_visible()
    sent = at_rest(target)
    assert held + 100 < sent < 2_000
    assert set(target.counts.values()) == {1}


def at_rest(target: FakeTarget) -> int:
    """Return how many events the target got, once a second has passed; from then on it gets no more."""
    threading.Event().wait(WITHIN_S)
    got = len(target.received)
    threading.Event().wait(0.5)
    assert len(target.received) == got
    return got
