import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from console.documents import Document, chart_of, document
from console.markdown import block, code
from deadletter.filters import EventFilter
from deadletter.report import Report, make_report
from deadletter.store.rows import ReportCause, ReportFacts, StatusCounts
from tests.rows import (
    MORNING,
    make_body,
    make_detail,
    make_event_row,
    make_facts,
    make_group_row,
    make_record_row,
)

HOSTILE = "<script>alert(1)</script> | `a` ``b`` [x](javascript:1) ![i](http://x) @channel **bold** \x1b[31m \u202e"


def report_of(facts: ReportFacts | None = None) -> Report:
    return make_report(facts or make_facts(), chosen=EventFilter(), made_at=MORNING, made_by="ada")


def hostile_report() -> Report:
    record = make_record_row(body=make_body({"note": HOSTILE + "\n```\n# out"}, stack=(HOSTILE,)))
    detail = make_detail(event=make_event_row(error_message=HOSTILE), main=record, records=(record,))
    group = make_group_row(title=HOSTILE, function_name="a|b")
    causes = (ReportCause(group=group, events=3, open=1, resolved=1, sample=detail),)
    return report_of(make_facts(causes=causes, functions=(("a|b", 3, 1),)))


def rendered(markdown: str) -> str:
    return MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown)


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_the_html_report_is_one_file_without_script_or_address() -> None:
    html = document(report_of(), Document.HTML)
    tags = Tags(html).found
    assert not {"script", "link", "img", "iframe", "a", "form"} & {tag for tag, _ in tags}
    assert not [attrs for _, attrs in tags if any(name.startswith("on") or name in {"src", "href"} for name in attrs)]
    assert "@import" not in html
    assert "url(" not in html


def test_the_html_report_says_what_failed_who_redrove_it_and_what_is_open() -> None:
    html = document(report_of(), Document.HTML)
    for said in (
        "3 events failed: 1 resolved, 1 archived, 1 still open.",
        "PaymentError: card declined for order &lt;id&gt;",
        "card declined for order ord-7741",
        "File &#34;/var/task/app.py&#34;, line 12, in capture",
        "&#34;order&#34;: &#34;ord-7741&#34;",
        "1 event still open",
        "ada",
        "2 to arn:aws:lambda:eu-west-1:123456789012:function:orders-capture",
    ):
        assert said in html
    assert html.count("<rect") == 1


def test_the_html_report_has_a_style_for_paper() -> None:
    html = document(report_of(), Document.HTML)
    assert "@media print" in html
    assert "break-inside: avoid" in html


def test_hostile_text_in_the_html_report_stays_text() -> None:
    html = document(hostile_report(), Document.HTML)
    assert "script" not in {tag for tag, _ in Tags(html).found}
    assert "\x1b" not in html
    assert "\u202e" not in html
    assert "&lt;script&gt;" in html


def test_a_quiet_report_is_only_its_sentence() -> None:
    quiet = make_facts(events=0, counts=StatusCounts(), hours=(), functions=(), causes=(), redrives=(), outcomes={})
    assert "Nothing failed in this time that matches." in document(report_of(quiet), Document.HTML)
    text = document(report_of(quiet), Document.MARKDOWN)
    assert "**Nothing failed in this time that matches.**" in text
    assert "##" not in text


def test_the_markdown_report_has_its_sections_in_the_order_of_a_review() -> None:
    headings = re.findall(r"^##? (.*)$", document(report_of(), Document.MARKDOWN), re.MULTILINE)
    assert headings == [
        "Incident report",
        "When",
        "What failed",
        "Impact by function",
        "Redrives",
        "Outcomes",
        "Still open, and the risk that remains",
        "One failure of each cause",
    ]


def test_the_markdown_report_draws_when_it_failed() -> None:
    assert re.search(r"^2026-11-23 02:00  █{30}  3$", document(report_of(), Document.MARKDOWN), re.MULTILINE)


def test_tables_of_the_markdown_report_have_as_many_cells_as_heads() -> None:
    html = rendered(document(hostile_report(), Document.MARKDOWN))
    for row in re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL):
        assert len(re.findall(r"<t[dh]", row)) in {3, 7, 10}
    assert html.count("<table>") == 3


def test_hostile_text_in_the_markdown_report_stays_text() -> None:
    text = document(hostile_report(), Document.MARKDOWN)
    html = rendered(text)
    tags = {tag for tag, _ in Tags(html).found}
    assert not {"script", "a", "img"} & tags
    assert html.count("<h1>") == 1
    assert "\x1b" not in text
    assert "\u202e" not in text


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1))
def test_any_text_in_a_cell_is_one_code_element_that_says_it(text: str) -> None:
    html = rendered(f"| a | b |\n| --- | --- |\n| {code(text)} | end |\n")
    (row,) = re.findall(r"<tbody>(.*)</tbody>", html, re.DOTALL)
    assert re.findall(r"<td>(.*?)</td>", row, re.DOTALL)[-1] == "end"
    assert {tag for tag, _ in Tags(row).found} == {"tr", "td", "code"}


@pytest.mark.parametrize("text", ["plain", "```", "~~~", "````\n# out", "a\n```python\nb\n```\n<b>"])
def test_any_text_in_a_block_stays_in_its_block(text: str) -> None:
    html = rendered("\n".join(block(text, "text")) + "after")
    assert {tag for tag, _ in Tags(html).found} == {"pre", "code", "p"}


def test_the_json_report_has_the_keys_that_are_documented() -> None:
    report = json.loads(document(report_of(), Document.JSON))
    assert set(report) == {
        "since", "until", "made_at", "made_by", "filter", "headline", "events", "unresolved", "redriving", "resolved",
        "archived", "hours", "functions", "causes", "events_of_other_causes", "redrives", "outcomes", "risks",
    }  # fmt: skip
    assert report["since"] == "2026-11-23T02:00:00.000Z"
    assert report["hours"] == [{"since": "2026-11-23T02:00:00.000Z", "events": 3}]
    assert report["functions"] == [{"name": "orders-capture", "events": 3, "open": 1}]
    assert report["causes"][0]["sample"]["request_id"] == "5b0d1c62-5f0c-4a3c-9d3e-0a8d2a6f5e11"
    assert report["redrives"][0]["status"] == "finished"
    assert report["risks"][0] == {
        "kind": "unresolved",
        "events": 1,
        "text": "1 event still open: not redriven yet, or failed again.",
    }


def test_the_chart_ends_before_the_reports_end() -> None:
    chart = chart_of(report_of())
    assert len(chart.bars) == 6
    assert chart.total == 3


@pytest.mark.parametrize("kind", [Document.HTML, Document.MARKDOWN])
def test_a_cause_shows_its_masked_message_below_its_title(kind: Document) -> None:
    group = make_group_row(title="PaymentError", masked_message="card declined for order <id>")
    facts = make_facts(causes=(ReportCause(group=group, events=2, open=1, resolved=1),))
    text = document(report_of(facts), kind)
    said = "`PaymentError`<br>`card declined for order <id>`"
    assert (said if kind is Document.MARKDOWN else "<code>card declined for order &lt;id&gt;</code>") in text
