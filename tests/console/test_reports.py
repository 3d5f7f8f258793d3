import csv
import io
import json
import re
from datetime import UTC, datetime

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from console.app import create_app
from console.reporting import read_range
from deadletter.errors import BadInput
from deadletter.filters import EventFilter
from deadletter.settings import Settings
from tests.night import CARD, store_night

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


@pytest.fixture
def app(settings: Settings, sqlite_engine: Engine) -> Flask:
    store_night(sqlite_engine)
    return create_app(settings, sqlite_engine, clock=lambda: NOW)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def test_without_a_range_the_page_reports_on_the_last_24_hours(client: FlaskClient) -> None:
    page = client.get("/reports")
    assert page.status_code == 200
    assert "4 events failed: 4 still open." in page.text
    assert "2026-11-22 03:00:00 UTC" in page.text
    assert page.text.count("<rect") >= 1


def test_the_page_links_to_what_it_names(client: FlaskClient) -> None:
    page = client.get("/reports").text
    assert re.search(r'href="/groups/\d+"', page)
    assert re.search(r'href="/events/\d+"', page)


def test_the_page_masks_secrets_and_obeys_the_policy_of_its_own(client: FlaskClient) -> None:
    page = client.get("/reports")
    assert CARD not in page.text
    assert "hunter2" not in page.text
    assert "<style" not in page.text
    assert "style=" not in page.text
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]


def test_every_download_is_of_the_report_that_is_shown(client: FlaskClient) -> None:
    page = client.get("/reports?from=24h&function=orders-capture&text=declined").text
    links = re.findall(r'href="(/reports/download[^"]*)"', page)
    assert [re.findall(r"format=(\w+)", link) for link in links] == [["html"], ["md"], ["json"], ["csv"], ["ndjson"]]
    for link in links:
        done = client.get(link.replace("&amp;", "&"))
        assert done.status_code == 200
        assert "declined" in done.text
        assert "since=2026-11-22T03%3A00%3A00Z" in link
        assert "until=2026-11-23T03%3A00%3A00Z" in link


@pytest.mark.parametrize(
    ("kind", "content_type", "name"),
    [
        ("html", "text/html", "report"),
        ("md", "text/markdown", "report"),
        ("json", "application/json", "report"),
        ("csv", "text/csv", "events"),
        ("ndjson", "application/x-ndjson", "events"),
    ],
)
def test_a_download_is_a_file_with_a_name_that_says_its_range(
    client: FlaskClient, kind: str, content_type: str, name: str
) -> None:
    done = client.get(f"/reports/download?format={kind}")
    assert done.headers["Content-Type"] == f"{content_type}; charset=utf-8"
    wanted = f"attachment; filename=redrive-{name}-20261122T0300Z-20261123T0300Z.{kind}"
    assert done.headers["Content-Disposition"] == wanted
    assert CARD not in done.text


def test_events_are_downloaded_as_csv_and_ndjson_alike(client: FlaskClient) -> None:
    rows = list(csv.DictReader(io.StringIO(client.get("/reports/download?format=csv").text, newline="")))
    lines = [json.loads(line) for line in client.get("/reports/download?format=ndjson").text.splitlines()]
    assert [row["event_id"] for row in rows] == [str(line["event_id"]) for line in lines]
    assert len(lines) == 4
    assert {line["payload"]["password"] for line in lines} == {"••••••"}
    assert json.loads(rows[0]["payload"])["amount"] == 18


def test_a_download_is_streamed(client: FlaskClient) -> None:
    done = client.get("/reports/download?format=csv")
    assert done.is_streamed
    assert "Content-Length" not in done.headers


def test_json_is_the_report_and_honours_the_filter(client: FlaskClient) -> None:
    report = client.get("/reports/download?format=json&text=KeyError").get_json()
    assert report["events"] == 1
    assert report["filter"] == {"text": "KeyError"}


def test_a_quiet_range_says_that_nothing_failed(client: FlaskClient) -> None:
    page = client.get("/reports?from=2026-11-01&to=2026-11-02")
    assert page.status_code == 200
    assert "Nothing failed in this time that matches." in page.text


@pytest.mark.parametrize("path", ["/reports", "/reports/download"])
@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("from=yesterday&function=orders-capture", "&#39;yesterday&#39; is not a time."),
        ("from=1h&to=2h&function=orders-capture", "The time range ends before it begins"),
        ("group=cards&function=orders-capture", "group is &#39;cards&#39;, and must be its number"),
        ("colour=red&function=orders-capture", "There is no filter named &#39;colour&#39;."),
        ("from=0001-01-01&function=orders-capture", "is out of range"),
    ],
)
def test_bad_input_is_said_and_the_fields_are_kept(client: FlaskClient, path: str, query: str, sentence: str) -> None:
    page = client.get(f"{path}?{query}")
    assert page.status_code == 422
    assert sentence in page.text
    assert 'value="orders-capture"' in page.text
    for name, value in (part.split("=") for part in query.split("&")):
        assert re.search(rf'name="{name}"[^>]*value="{value}"', page.text)


def test_a_format_that_does_not_exist_is_refused_with_those_that_do(client: FlaskClient) -> None:
    page = client.get("/reports/download?format=pdf&from=24h")
    assert page.status_code == 422
    assert "There is no format &#39;pdf&#39;. There are: html, md, json, csv, ndjson." in page.text


def test_other_parts_of_a_filter_survive_the_form(client: FlaskClient) -> None:
    page = client.get("/reports?since=2026-11-23T02:00&status=unresolved&source=1").text
    assert '<input type="hidden" name="status" value="unresolved">' in page
    assert re.search(r'name="from" value="2026-11-23T02:00"', page)


@pytest.mark.parametrize(
    ("pairs", "since", "until"),
    [
        ([], "2026-11-22T03:00", "2026-11-23T03:00"),
        ([("from", "1h")], "2026-11-23T02:00", "2026-11-23T03:00"),
        ([("to", "2026-11-20")], "2026-11-19T00:00", "2026-11-20T00:00"),
        ([("since", "2h"), ("until", "1h")], "2026-11-23T01:00", "2026-11-23T02:00"),
        ([("from", "2h"), ("since", "2h")], "2026-11-23T01:00", "2026-11-23T03:00"),
    ],
)
def test_a_range_always_has_both_ends(pairs: list[tuple[str, str]], since: str, until: str) -> None:
    chosen = read_range(pairs, now=NOW)
    ends = [datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (since, until)]
    assert chosen == EventFilter(since=ends[0], until=ends[1])


@pytest.mark.parametrize(
    ("pairs", "sentence"),
    [
        ([("from", "2026-11-24")], "The report would begin at 2026-11-24T00:00:00.000Z and end at 2026-11-23T03:00"),
        ([("to", "0001-01-01")], "0001-01-01T00:00:00.000Z is out of range: a report covers times from 2000 to 2100."),
        ([("from", "1999-12-31"), ("to", "2020-01-01")], "1999-12-31T00:00:00.000Z is out of range"),
    ],
)
def test_a_range_that_cannot_be_is_refused(pairs: list[tuple[str, str]], sentence: str) -> None:
    with pytest.raises(BadInput) as refused:
        read_range(pairs, now=NOW)
    assert sentence in str(refused.value)
