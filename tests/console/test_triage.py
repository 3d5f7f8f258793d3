"""Groups live, on their page and at the command line: who is on it, notes, snoozed, resolved, and all of it undone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from console.cli import main
from console.format import plural
from deadletter.filters import EventFilter
from deadletter.store import read
from deadletter.store.queries import count_events, get_group, list_groups
from tests.console.conftest import NOW
from tests.console.page import Page


def page(client: FlaskClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


def post(client: FlaskClient, path: str, **form: str) -> str:
    answer = client.post(path, data=form)
    assert answer.status_code == 303, answer.text
    return page(client, answer.headers["Location"])


@pytest.fixture
def group(seeded: Engine) -> int:
    """An unresolved group."""
    with read(seeded) as session:
        return list_groups(session, EventFilter.from_query("status=unresolved", now=NOW), now=NOW).rows[0].id


def row(engine: Engine, group_id: int) -> Any:
    with read(engine) as session:
        return get_group(session, group_id, now=NOW)


def test_a_group_says_who_is_on_it_and_what_they_wrote(client: FlaskClient, group: int) -> None:
    shown = post(client, f"/groups/{group}/assign", assignee="grace")
    assert "grace" in shown
    shown = post(client, f"/groups/{group}/note", text="vendor is down <i>again</i>\nticket 12")
    assert "&lt;i&gt;again&lt;/i&gt;" in shown
    assert "by ada" in " ".join(shown.replace("<", " <").split()).replace('<span class="soft">', "").replace("  ", " ")
    assert ">1 note<" in page(client, "/groups?assignee=grace")
    assert "No groups match" in page(client, "/groups?assignee=bob")


def test_a_snoozed_group_leaves_the_open_list_and_its_number_and_comes_back(
    client: FlaskClient, seeded: Engine, group: int
) -> None:
    link = f'href="/groups/{group}"'
    assert link in page(client, "/groups")
    shown = post(client, f"/groups/{group}/snooze", until="4h", failures="50")
    assert "until 50 more failures" in " ".join(shown.split())
    assert row(seeded, group).snoozed
    assert link not in page(client, "/groups")
    assert link in page(client, "/groups?status=snoozed")
    post(client, f"/groups/{group}/wake")
    assert link in page(client, "/groups")


def test_what_the_open_list_would_redrive_is_what_it_shows(client: FlaskClient) -> None:
    shown = page(client, "/groups")
    assert 'name="filter" value="status=unresolved&amp;state=awake"' in shown


def test_resolving_by_hand_can_be_undone_at_once(client: FlaskClient, seeded: Engine, group: int) -> None:
    before = row(seeded, group).counts.unresolved
    shown = post(client, f"/groups/{group}/resolve")
    assert "resolved by hand" in shown
    assert row(seeded, group).counts.unresolved == 0
    post(client, f"/groups/{group}/unresolve")
    assert row(seeded, group).counts.unresolved == before


@pytest.mark.parametrize(
    ("verb", "form", "says", "kept"),
    [
        ("snooze", {"until": "tomorrow-ish"}, "is not a time", "tomorrow-ish"),
        ("snooze", {"failures": "many"}, "is not a number of failures", "many"),
        ("snooze", {}, "until when", ""),
        ("note", {"text": "x" * 4001}, "may have 4,000", "xxxx"),
        ("assign", {"assignee": "nobody"}, "means that it is nobody", "nobody"),
    ],
)
def test_a_form_that_is_refused_keeps_what_was_written(  # noqa: PLR0913, PLR0917 - one line a case
    client: FlaskClient, group: int, verb: str, form: dict[str, str], says: str, kept: str
) -> None:
    answer = client.post(f"/groups/{group}/{verb}", data=form)
    assert answer.status_code == 422
    assert says in answer.text.replace("&#39;", "'")
    assert kept in answer.text


def test_a_group_that_is_not_there_cannot_be_decided_about(client: FlaskClient) -> None:
    assert client.post("/groups/4711/resolve").status_code == 404
    assert client.post("/groups/4711/explode").status_code == 404


def test_the_command_line_does_what_the_page_does(
    seeded: Engine, group: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", str(seeded.url))
    monkeypatch.setenv("REDRIVE_OPERATOR", "grace")

    def run(*args: str) -> Any:
        assert main([*args, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    number = str(group)
    assert run("assign", number, "ada")["assignee"] == "ada"
    assert run("note", number, "see ticket 12")["notes"] == 1
    assert [(note["who"], note["text"]) for note in run("note", number)] == [("grace", "see ticket 12")]
    assert run("snooze", number, "--failures", "5")["standing"] == "snoozed"
    assert group in [each["id"] for each in run("groups", "--status", "snoozed")]
    assert group not in [each["id"] for each in run("groups", "--status", "unresolved")]
    assert run("snooze", number, "--undo")["standing"] == "unresolved"
    assert [each["id"] for each in run("groups", "--assignee", "ada")] == [group]
    assert run("resolve", number)["counts"]["unresolved"] == 0
    assert run("resolve", number, "--undo")["standing"] == "unresolved"
    assert run("archive", number)["counts"]["unresolved"] == 0
    assert run("archive", number, "--undo")["standing"] == "unresolved"
    assert run("assign", number)["assignee"] is None
    verbs = [each["verb"] for each in run("audit", "--kind", "group", "--subject", number)]
    assert verbs == ["assign", "unarchive", "archive", "unresolve", "resolve", "wake", "snooze", "note", "assign"]


def test_a_command_that_means_nothing_is_refused(
    seeded: Engine, group: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", str(seeded.url))
    assert main(["snooze", str(group)]) == 2
    assert main(["snooze", str(group), "--undo", "--until", "4h"]) == 2
    assert main(["note", str(group), "--remove", "99"]) == 1
    assert "has no note 99" in capsys.readouterr().err


def counts(engine: Engine, query: str) -> int:
    with read(engine) as session:
        return count_events(session, EventFilter.from_query(query, now=NOW)).n


def test_what_is_done_to_all_groups_that_match_words_is_done_to_all_that_the_list_shows(
    client: FlaskClient, seeded: Engine, group: int
) -> None:
    function = row(seeded, group).function_name
    n = counts(seeded, f"function={function}&status=unresolved")
    offered = Page(page(client, f"/groups?text={function}")).field("filter")
    client.post("/events/resolve", data={"scope": "filter", "filter": offered})
    assert n > 0
    assert counts(seeded, f"function={function}&status=unresolved") == 0


def test_all_groups_that_match_are_resolved_from_their_list_and_opened_again(
    client: FlaskClient, seeded: Engine, group: int
) -> None:
    function = row(seeded, group).function_name
    theirs = f"function={function}&status=unresolved"
    total, n = counts(seeded, "status=unresolved"), counts(seeded, theirs)
    shown = page(client, f"/groups?function={function}")
    assert 'formaction="/events/resolve"' in shown
    assert 'formaction="/events/archive"' in shown
    form = {"scope": "filter", "filter": f"{theirs}&state=awake", "back": f"/groups?function={function}"}
    answer = client.post("/events/resolve", data=form)
    assert answer.headers["Location"] == f"/groups?function={function}&resolved={n}"
    assert f"{n} event" in page(client, answer.headers["Location"])
    assert counts(seeded, "status=unresolved") == total - n
    assert 'formaction="/events/unresolve"' in page(client, "/groups?status=resolved")
    client.post("/events/unresolve", data={"scope": "page", "group": str(group), "filter": "status=resolved"})
    assert row(seeded, group).standing == "unresolved"


def test_ticked_groups_alone_are_archived_and_brought_back(client: FlaskClient, seeded: Engine, group: int) -> None:
    total, n = counts(seeded, "status=unresolved"), row(seeded, group).counts.unresolved
    ticked = {"scope": "page", "group": str(group), "filter": "status=unresolved&state=awake", "back": "/groups"}
    assert client.post("/events/archive", data=ticked).headers["Location"] == f"/groups?archived={n}"
    assert counts(seeded, "status=unresolved") == total - n
    assert 'formaction="/events/unarchive"' in page(client, "/groups?status=archived")
    client.post("/events/unarchive", data=ticked | {"filter": "status=archived"})
    assert counts(seeded, "status=unresolved") == total


def test_the_command_line_resolves_and_archives_by_filter(
    seeded: Engine, group: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", str(seeded.url))
    open_ones, theirs = counts(seeded, "status=unresolved"), f"status=unresolved&group={group}"
    n = counts(seeded, theirs)
    for verb, done, back in (("resolve", "resolved", "reopened"), ("archive", "archived", "unarchived")):
        assert main([verb, "--filter", theirs]) == 0
        assert capsys.readouterr().out == f"{plural(n, 'event')} {done}.\n"
        assert counts(seeded, "status=unresolved") == open_ones - n
        assert main([verb, "--filter", f"status={done}&group={group}", "--undo", "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == {"events": n}, back
    assert counts(seeded, "status=unresolved") == open_ones
    for asked in ([], [str(group), "--filter", "status=unresolved"]):
        assert main(["resolve", *asked]) == 2
        assert "exactly one way" in capsys.readouterr().err
    assert main(["archive", "--filter", ""]) == 2
    assert "lets every event through" in capsys.readouterr().err
