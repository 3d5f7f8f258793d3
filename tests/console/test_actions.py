"""What the forms do: plan, start, cancel, archive, register. Asserted on what is true afterwards."""

from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, update

from deadletter.breaker import Stage
from deadletter.filters import EventFilter
from deadletter.outcome import EventStatus, RedriveStatus
from deadletter.store import queries, read, redrives, write
from deadletter.store.models import Redrive
from deadletter.store.redrives.workers import leave
from deadletter.store.rows import RedriveRow
from tests.console.conftest import NOW
from tests.console.page import Page

FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:payments"


def plan(client: FlaskClient, **form: object) -> str:
    answer = client.post("/redrives", data=form)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["Location"])


def get_redrive(engine: Engine, address: str) -> RedriveRow:
    with read(engine) as session:
        return redrives.get_redrive(session, int(address.rsplit("/", 1)[1]))


def count(engine: Engine, **chosen: object) -> int:
    with read(engine) as session:
        return queries.count_events(session, EventFilter(**chosen)).n  # type: ignore[arg-type] # each of its own type


def start(client: FlaskClient, address: str) -> None:
    digest = Page(client.get(address).text).field("digest")
    assert client.post(f"{address}/start", data={"digest": digest}).status_code == 303


def test_a_groups_button_plans_what_is_unresolved_and_sends_nothing(client: FlaskClient, seeded: Engine) -> None:
    page = Page(client.get("/groups/1").text)
    address = plan(client, filter=page.all("input", name="filter")[0]["value"])
    redrive = get_redrive(seeded, address)
    assert redrive.status is RedriveStatus.PLANNED
    assert redrive.planned == count(seeded, group=1, status=EventStatus.UNRESOLVED)
    assert count(seeded, status=EventStatus.REDRIVING) == 0


def test_the_plan_says_how_many_where_why_how_fast_and_how_long(client: FlaskClient) -> None:
    text = Page(client.get(plan(client, filter="function=orders-capture&status=unresolved")).text).text
    for said in (
        "Will be sent",
        "lambda orders-capture",
        "the function that the record names",
        "20 a second",
        "Takes about",
    ):
        assert said in text


def test_ticked_groups_are_one_redrive_of_exactly_these(client: FlaskClient, seeded: Engine) -> None:
    redrive = get_redrive(seeded, plan(client, scope="page", group=["1", "3"], filter="status=unresolved"))
    expected = count(seeded, groups=(1, 3), status=EventStatus.UNRESOLVED)
    assert redrive.planned == expected > 0


def test_ticked_events_are_one_redrive_of_exactly_these(client: FlaskClient, seeded: Engine) -> None:
    assert get_redrive(seeded, plan(client, scope="page", event=["3", "5"], filter="")).planned == 2


@pytest.mark.parametrize("chosen", [{"event": ["3", "5"]}, {"filter": "group=1"}, {"filter": ""}])
def test_every_kind_of_choice_has_a_plan_that_can_be_looked_at_and_started(
    client: FlaskClient, chosen: Mapping[str, object]
) -> None:
    start(client, plan(client, **chosen))


def test_all_that_match_is_the_filter_that_the_page_showed(client: FlaskClient, seeded: Engine) -> None:
    page = Page(client.get("/events?function=orders-fulfil&status=unresolved&since=7d").text)
    redrive = get_redrive(seeded, plan(client, scope="filter", filter=page.field("filter")))
    assert redrive.planned == count(seeded, function="orders-fulfil", status=EventStatus.UNRESOLVED)
    assert redrive.selection["filter"].count("since=2026-11-16") == 1


def test_nothing_ticked_is_422_and_leads_back_to_the_list(client: FlaskClient, seeded: Engine) -> None:
    answer = client.post(
        "/redrives", data={"scope": "page", "filter": "status=unresolved", "back": "/events?status=unresolved"}
    )
    assert answer.status_code == 422
    assert "Nothing is ticked" in answer.text
    assert "/events?status=unresolved" in Page(answer.text).links
    with read(seeded) as session:
        assert not redrives.list_redrives(session).rows


def test_starting_claims_the_events_and_the_page_says_that_it_runs(client: FlaskClient, seeded: Engine) -> None:
    address = plan(client, filter="group=1&status=unresolved")
    start(client, address)
    redrive = get_redrive(seeded, address)
    assert (redrive.status, redrive.started_by) == (RedriveStatus.RUNNING, "ada")
    assert count(seeded, status=EventStatus.REDRIVING) == redrive.planned
    page = Page(client.get(address).text)
    assert page.all("section", id="progress")[0]["hx-get"] == f"{address}/progress"
    assert f"0 sent stay sent; {redrive.planned} will not be sent." in page.text


def test_a_target_that_asks_to_slow_down_is_quoted_as_it_spoke(client: FlaskClient, seeded: Engine) -> None:
    address = plan(client, filter="group=1&status=unresolved")
    start(client, address)
    with write(seeded) as session:
        busy = {"busy_reason": "AWS: TooManyRequestsException.", "busy_until": NOW + timedelta(seconds=9)}
        session.execute(update(Redrive).values(busy))
    assert "AWS: TooManyRequestsException. Next try in 9 s." in Page(client.get(address).text).text


def test_pausing_resuming_and_another_pace_are_seen_on_the_page(client: FlaskClient, seeded: Engine) -> None:
    address = plan(client, filter="group=1&status=unresolved")
    start(client, address)
    waiting = get_redrive(seeded, address).waiting
    assert client.post(f"{address}/pause").status_code == 303
    page = Page(client.get(address).text)
    assert "Paused by ada" in page.text
    assert f"Resume, {waiting:,} to send" in page.text
    assert client.post(f"{address}/rate", data={"rate": "7", "concurrency": "3"}).status_code == 303
    assert client.post(f"{address}/resume").status_code == 303
    redrive = get_redrive(seeded, address)
    assert (redrive.status, redrive.rate, redrive.concurrency) == (RedriveStatus.RUNNING, 7.0, 3)


def test_what_cannot_be_steered_is_409_and_a_rate_that_cannot_be_is_422(client: FlaskClient, seeded: Engine) -> None:
    address = plan(client, filter="group=1&status=unresolved")
    for verb in ("pause", "resume"):
        answer = client.post(f"{address}/{verb}")
        assert answer.status_code == 409
        assert "is planned, so there is" in answer.text
    start(client, address)
    assert client.post(f"{address}/rate", data={"rate": "soon"}).status_code == 422
    assert client.post(f"{address}/cancel").status_code == 303
    assert client.post(f"{address}/rate", data={"rate": "5"}).status_code == 409
    assert get_redrive(seeded, address).rate == 20.0


def test_a_redrive_begins_with_a_canary_unless_one_tick_says_otherwise(client: FlaskClient, seeded: Engine) -> None:
    address = plan(client, filter="group=1&status=unresolved")
    page = Page(client.get(address).text)
    assert "the canary; then twice as many each time" in page.text
    digest = page.field("digest")
    assert client.post(f"{address}/start", data={"digest": digest, "at_once": "1"}).status_code == 303
    redrive = get_redrive(seeded, address)
    assert (redrive.stage, redrive.kept_back, redrive.max_failures) == (Stage.FULL, 0, 1.0)


def test_a_plan_whose_events_went_elsewhere_is_409_and_shows_the_new_plan(client: FlaskClient, seeded: Engine) -> None:
    address = plan(client, filter="group=1&status=unresolved")
    before = get_redrive(seeded, address)
    with read(seeded) as session:
        first = redrives.list_items(session, before.id).rows[0].event_id
    start(client, plan(client, scope="page", event=[str(first)], filter=""))
    answer = client.post(f"{address}/start", data={"digest": before.digest})
    assert answer.status_code == 409
    page = Page(answer.text)
    after = get_redrive(seeded, address)
    assert page.field("digest") == after.digest != before.digest
    assert f"Redrive {after.waiting} event" in page.text
    assert after.waiting == before.waiting - 1


def test_another_digest_than_the_one_shown_is_409_and_shows_the_plan_as_it_is(
    client: FlaskClient, seeded: Engine
) -> None:
    address = plan(client, filter="group=1&status=unresolved")
    answer = client.post(f"{address}/start", data={"digest": "0" * 64})
    assert answer.status_code == 409
    page = Page(answer.text)
    assert page.all("p", role="alert")
    assert page.field("digest") == get_redrive(seeded, address).digest
    assert get_redrive(seeded, address).status is RedriveStatus.PLANNED


def test_starting_twice_is_409_and_the_redrive_goes_on(client: FlaskClient, seeded: Engine) -> None:
    address = plan(client, filter="group=1&status=unresolved")
    digest = Page(client.get(address).text).field("digest")
    start(client, address)
    assert client.post(f"{address}/start", data={"digest": digest}).status_code == 409
    assert get_redrive(seeded, address).status is RedriveStatus.RUNNING


def test_the_page_that_answers_409_leads_to_where_it_can_be_read(client: FlaskClient) -> None:
    address = plan(client, filter="status=unresolved")
    start(client, address)
    page = Page(client.post(f"{address}/start", data={"digest": "0"}).text)
    polled = {attributes["hx-get"].partition("?")[0] for _, attributes in page.tags if "hx-get" in attributes}
    assert polled == {address, f"{address}/progress"}
    assert not any(attributes.get("href", "").startswith("?") for _, attributes in page.tags)


def test_cancelling_releases_what_was_not_sent(client: FlaskClient, seeded: Engine) -> None:
    address = plan(client, filter="group=1&status=unresolved")
    start(client, address)
    assert client.post(f"{address}/cancel").status_code == 303
    redrive = get_redrive(seeded, address)
    assert (redrive.status, redrive.cancelled_by, redrive.waiting) == (RedriveStatus.CANCELLED, "ada", 0)
    assert count(seeded, status=EventStatus.REDRIVING) == 0
    assert client.post(f"{address}/cancel").status_code == 409


def test_the_fragment_of_a_redrive_that_ended_polls_no_more(client: FlaskClient) -> None:
    address = plan(client, filter="group=1&status=unresolved")
    start(client, address)
    assert "load delay:1s" in client.get(f"{address}/progress").text
    client.post(f"{address}/cancel")
    fragment = Page(client.get(f"{address}/progress").text).all("section", id="progress")[0]
    assert (fragment["hx-trigger"], fragment["hx-get"], fragment["hx-target"]) == ("load", address, "#main")
    at_rest = Page(client.get(address).text).all("section", id="progress")[0]
    assert "hx-get" not in at_rest


def test_planning_again_keeps_the_choice_and_discards_the_plan_before(client: FlaskClient, seeded: Engine) -> None:
    first = plan(client, filter="group=1&status=unresolved")
    again = plan(client, again=first.rsplit("/", 1)[1], rate="5", invocation="Event", target=FUNCTION)
    redrive = get_redrive(seeded, again)
    assert (redrive.rate, redrive.invocation) == (5.0, "Event")
    assert [line["arn"] for line in redrive.targets] == [FUNCTION]
    assert redrive.planned == get_redrive(seeded, first).planned
    assert get_redrive(seeded, first).status is RedriveStatus.CANCELLED


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("rate", "fast", "must be a number of events per second"),
        ("rate", "0", "must be above 0"),
        ("rate", "nan", "must be above 0"),
        ("target", "arn:aws:s3:::bucket", "is not the ARN of a function or a queue"),
        ("invocation", "DryRun", "must be one of: RequestResponse, Event"),
    ],
)
def test_a_plan_that_cannot_be_is_422_with_the_fields_kept(
    client: FlaskClient, seeded: Engine, field: str, value: str, said: str
) -> None:
    first = plan(client, filter="group=1&status=unresolved")
    form = {"again": first.rsplit("/", 1)[1], "rate": "7", "invocation": "Event", "target": "", field: value}
    answer = client.post("/redrives", data=form)
    assert answer.status_code == 422
    page = Page(answer.text)
    assert said in page.text
    assert page.field("rate") == form["rate"]
    assert page.field("target") == form["target"]
    assert get_redrive(seeded, first).status is RedriveStatus.PLANNED


def test_the_table_of_a_redrive_can_be_narrowed_to_one_outcome(client: FlaskClient) -> None:
    address = plan(client, filter="group=1&status=unresolved")
    assert "No event of this redrive is failed again." in Page(client.get(f"{address}?outcome=failed_again").text).text
    assert client.get(f"{address}?outcome=waiting").text.count("data-row") > 0
    assert client.get(f"{address}?outcome=lost").status_code == 422


def test_failures_that_came_after_the_plan_are_counted_and_left_out(
    client: FlaskClient, seeded: Engine, add_failures: Callable[[Engine, int], None]
) -> None:
    address = plan(client, filter="function=orders-capture&status=unresolved")
    before = get_redrive(seeded, address).planned
    add_failures(seeded, 3)
    assert "3 arrived since." in Page(client.get(address).text).text
    start(client, address)
    assert "3 new failures, left out" in Page(client.get(address).text).text
    assert get_redrive(seeded, address).planned == before


def test_a_list_says_what_came_since_it_was_loaded_while_a_worker_collects(
    client: FlaskClient, seeded: Engine, add_failures: Callable[[Engine, int], None]
) -> None:
    news = Page(client.get("/groups?text=declined").text).all("p", id="news")[0]
    assert "since this page was loaded" not in client.get(news["hx-get"]).text
    add_failures(seeded, 3)
    fragment = Page(client.get(news["hx-get"]).text)
    assert fragment.text == "3 new failures since this page was loaded. Show them"
    assert fragment.links == {"/groups?text=declined"}
    assert fragment.all("p", id="news")[0]["hx-get"] == news["hx-get"]
    with write(seeded) as session:
        leave(session, "seed")
    assert "hx-get" not in Page(client.get(news["hx-get"]).text).all("p", id="news")[0]


def test_archiving_a_group_hides_it_and_can_be_undone(client: FlaskClient, seeded: Engine) -> None:
    n = count(seeded, group=1)
    answer = client.post("/groups/1/archive", follow_redirects=True)
    assert f"{n} events archived." in Page(answer.text).text or f"{n} event archived." in Page(answer.text).text
    assert count(seeded, group=1, status=EventStatus.ARCHIVED) == n
    assert "/groups/1" not in Page(client.get("/groups").text).links
    client.post("/groups/1/unarchive")
    assert count(seeded, group=1, status=EventStatus.UNRESOLVED) == n


def test_archiving_ticked_events_returns_to_the_list_with_its_filter(client: FlaskClient, seeded: Engine) -> None:
    form = {
        "scope": "page",
        "event": ["3", "5"],
        "filter": "",
        "back": "/events?function=orders-capture&status=unresolved",
    }
    answer = client.post("/events/archive", data=form)
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/events?function=orders-capture&status=unresolved&archived=2"
    assert "2 events archived." in Page(client.get(answer.headers["Location"]).text).text
    assert count(seeded, status=EventStatus.ARCHIVED) == 2


def test_a_way_back_that_leads_elsewhere_is_not_taken(client: FlaskClient) -> None:
    answer = client.post("/events/archive", data={"event": "3", "back": "//evil.example/"})
    assert answer.headers["Location"] == "/events?archived=1"


def test_a_button_that_cannot_be_pressed_says_why(client: FlaskClient) -> None:
    client.post("/groups/1/archive")
    main = Page(client.get("/groups/1").text).all("button", **{"class": "main"})[0]
    assert "disabled" in main
    assert main["title"] == "Nothing of this group is unresolved, so there is nothing to redrive."


def test_a_group_tells_of_its_last_redrive_whoever_chose_it(client: FlaskClient) -> None:
    assert "None of its newest events was redriven." in Page(client.get("/groups/1").text).text
    address = plan(client, filter="status=unresolved")
    start(client, address)
    page = Page(client.get("/groups/1").text)
    assert "Redriven just now: 0 of" in page.text
    assert address in page.links
