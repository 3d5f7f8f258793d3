"""What probes and monitoring get: liveness, readiness with what is missing, and numbers out of counters."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine, text

from deadletter.outcome import Outcome
from deadletter.settings import Settings
from deadletter.store import write
from deadletter.store.redrives.workers import heartbeat
from deadletter.store.totals import note_moves
from tests.console.conftest import NOW
from tests.factories import FUNCTION
from tests.statements import counted

TOKEN = "scrape-me"
Client = Callable[..., FlaskClient]


def numbers(client: FlaskClient) -> dict[tuple[str, str], float]:
    """Return every sample by its name and its only label's value."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {(each.name, next(iter(each.labels.values()), "")): each.value for f in families for each in f.samples}


def beat(engine: Engine, seen_at: datetime) -> None:
    with write(engine) as session:
        heartbeat(session, "worker-1", started_at=seen_at, now=seen_at, doing="collecting")


def test_it_lives_whatever_the_database_does(make_client: Client, sqlite_engine: Engine) -> None:
    with sqlite_engine.begin() as connection:
        connection.execute(text("DROP TABLE alembic_version"))
    assert make_client(sqlite_engine).get("/livez").status_code == 200


def test_it_is_ready_with_the_newest_schema_and_a_living_worker(make_client: Client, engine: Engine) -> None:
    beat(engine, NOW - timedelta(seconds=5))
    answer = make_client(engine).get("/readyz")
    assert (answer.status_code, answer.text) == (200, "It is ready.\n")


def test_without_a_living_worker_it_is_not_ready_and_says_so(make_client: Client, engine: Engine) -> None:
    beat(engine, NOW - timedelta(seconds=31))
    answer = make_client(engine).get("/readyz")
    assert answer.status_code == 503
    assert answer.text == "No worker was heard of in the last 30 seconds: start `redrive work`.\n"


def test_with_an_older_schema_it_is_not_ready_and_says_so(make_client: Client, sqlite_engine: Engine) -> None:
    with sqlite_engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    answer = make_client(sqlite_engine).get("/readyz")
    assert answer.status_code == 503
    assert "run `redrive db upgrade`" in answer.text


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_a_probe_calls_by_address(make_client: Client, path: str) -> None:
    answer = make_client().get(path, headers={"Host": "10.0.0.7:8080"})
    assert "REDRIVE_ALLOWED_HOSTS" not in answer.text


def test_the_metrics_are_what_the_database_says(make_client: Client, seeded: Engine) -> None:
    beat(seeded, NOW)
    with write(seeded) as session:
        note_moves(session, [(FUNCTION, Outcome.SENDING, Outcome.SENT), (FUNCTION, Outcome.SENT, Outcome.FAILED_AGAIN)])
    found = numbers(make_client(seeded))
    with seeded.connect() as connection:
        collected = connection.execute(text("SELECT arn, collected_total FROM sources")).all()
        statuses = connection.execute(text("SELECT status, count(*) FROM events GROUP BY status")).all()
        oldest = connection.scalar(text("SELECT min(occurred_at) FROM events WHERE status = 'unresolved'"))
        totals = connection.execute(text("SELECT target_arn, redriven, failed_again FROM target_totals")).all()
    assert totals
    assert {arn: found["redrive_collected_total", arn] for arn, _ in collected} == dict(collected)
    assert {status: found["redrive_events", status] for status, _ in statuses} == dict(statuses)
    for arn, redriven, again in totals:
        assert (found["redrive_redriven_total", arn], found["redrive_failed_again_total", arn]) == (redriven, again)
    age = NOW - (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=oldest))
    assert found["redrive_oldest_unresolved_age_seconds", ""] == pytest.approx(age.total_seconds())
    assert found["redrive_workers", ""] == 2  # the seed's, and the one that beat just now


def test_the_metrics_count_and_scan_no_events(make_client: Client, seeded: Engine) -> None:
    client = make_client(seeded)
    with counted(seeded) as seen:
        assert client.get("/metrics").status_code == 200
    plans = []
    with seeded.connect() as connection:
        for statement, parameters in seen:
            if statement.startswith("SELECT"):
                rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                plans += [row[3] for row in rows]
    assert not [line for line in plans if line.startswith("SCAN events")], plans
    assert len(seen) < 12


def test_an_empty_console_has_metrics_too(make_client: Client) -> None:
    found = numbers(make_client())
    assert found["redrive_workers", ""] == 0
    assert ("redrive_oldest_unresolved_age_seconds", "") not in found


@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("10.0.0.7", {}, 403),
        ("10.0.0.7", {"Authorization": f"Bearer {TOKEN}"}, 200),
        ("10.0.0.7", {"Authorization": f"Bearer {TOKEN}", "Host": "10.0.0.8:8080"}, 200),
        ("10.0.0.7", {"Authorization": "Bearer scrape"}, 403),
        ("10.0.0.7", {"Authorization": "Bearer "}, 403),
        ("10.0.0.7", {"Authorization": "Bearer é"}, 403),
        ("127.0.0.1", {"Host": "rebound.example"}, 403),
        ("127.0.0.1", {"X-Forwarded-For": "203.0.113.9"}, 403),
        ("127.0.0.1", {"Forwarded": "for=203.0.113.9"}, 403),
    ],
)
def test_metrics_are_for_this_machine_or_the_token(
    make_client: Client, settings: Settings, peer: str, headers: dict[str, str], status: int
) -> None:
    client = make_client(chosen=replace(settings, metrics_token=TOKEN))
    answer = client.get("/metrics", headers=headers, environ_base={"REMOTE_ADDR": peer})
    assert answer.status_code == status


def test_without_a_token_nobody_else_has_one(make_client: Client) -> None:
    headers = {"Authorization": "Bearer "}
    answer = make_client().get("/metrics", headers=headers, environ_base={"REMOTE_ADDR": "10.0.0.7"})
    assert answer.status_code == 403
    assert "REDRIVE_METRICS_TOKEN" in answer.text
