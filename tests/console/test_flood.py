"""Very many new groups: what is probably wrong and what to do stands where people look first."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from deadletter.settings import Settings
from deadletter.store import make_engine
from deadletter.store.births import TOO_MANY
from tests.console.conftest import NOW
from tests.store.test_births import be_born


@pytest.mark.parametrize("url", ["/overview", "/groups"])
def test_a_fingerprint_that_masks_too_little_is_told_of_with_the_function_and_what_to_do(
    make_client: Callable[..., FlaskClient], settings: Settings, url: str
) -> None:
    engine = make_engine(settings)
    be_born(engine, TOO_MANY, at=NOW)
    client = make_client(engine)
    assert "new groups in the last hour" not in client.get(url).text

    be_born(engine, 1, at=NOW, first=TOO_MANY)
    page = client.get(url).text
    assert "501 new groups in the last hour" in page
    assert 'href="/groups?function=orders&amp;sort=first_seen"' in page
    assert "fails to mask it" in page
    engine.dispose()
