"""What is masked, what is kept, and that masking twice is masking once."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deadletter.fingerprint import mask
from deadletter.fingerprint.masks import MASKS, MAX_CHARS, masked_things

MASKED = {
    "see https://shop.example/orders/7?x=1.": "see <url>.",
    "s3://bucket/key gone": "<url> gone",
    "mail to jo.doe+x@example.co.uk failed": "mail to <email> failed",
    "no access to arn:aws:sqs:eu-west-1:210987654321:orders, sorry": "no access to <arn>, sorry",
    "Root=1-68c66a11-5f1e0c7b9d3a4e2f81b0c6d7": "Root=<trace>",
    "traceparent 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01": "traceparent <trace>",
    "request 5d0a6c1e-8f3b-4a77-9c1d-2e64b7f0a913!": "request <uuid>!",
    "from 00:1a:2B:33:44:55": "from <mac>",
    "host id eftixk72aD6Ap51TnqcoF8eFidJG9Z/2mkiDFu8yU9AS1ed4OpIszj7UDNEHGran=": "host id <token>",
    "expired: eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl": "expired: <token>",
    "at 2026-09-14T07:15:33.187Z": "at <date>",
    "at 2026-09-14 07:15:33,187 +02:00": "at <date>",
    "on Mon, 14 Sep 2026 07:15:33 GMT": "on <date>",
    "[14/Sep/2026:07:15:33 +0000]": "[<date>]",
    "since Sep 14, 2026 at 07:15:33": "since <date> at <date>",
    "took 3.00 seconds, then 120ms, then 2m30s": "took <duration>, then <duration>, then <duration>",
    "10.0.3.7:5432 refused": "<ip> refused",
    "fe80::1ff:fe23:4567:890a refused": "<ip> refused",
    "no route to b-1.events.q7w8e9.kafka.eu-west-1.amazonaws.com:9098": "no route to <host>",
    "at 0x7f3a2b1c of da39a3ee5e6b4b0d3255bfef95601890afd80709": "at <hex> of <hex>",
    "order ord-7741 of cus_NffrFeUfNV2Hib, sku TEA-03, job a1b2c3d4x5": "order <id> of <id>, sku <id>, job <id>",
    "1,204 of 88120 rows at 99.5 and 1e5": "<int> of <int> rows at <float> and <float>",
    "name='Jo Doe' city=\"x\" bad literal: 'abc'": "name=<quoted> city=<quoted> bad literal: <quoted>",
    '{"name": "Jo", "n": 12}': '{"name": <quoted>, "n": <int>}',
    "No such file: /tmp/tmpab12cd/in.csv": "No such file: <path>",
}
KEPT = [
    "inventory service is away",
    "HTTP 503 from the gateway",
    "status code: 404",
    "503 Service Unavailable",
    "lock timeout (SQLSTATE 40001)",
    "exit status 137",
    "'utf-8' codec, sha256, base64, x86_64, int64, http2",
    "no bucket in eu-west-1 or us-gov-west-1",
    "Class::method and dead::beef",
    "KeyError: 'sku'",
    "'NoneType' object has no attribute 'total'",
    "payments.internal is down",
    "No such file: /var/task/data.csv",
    "No such file: /Data/orders/incoming/eu/west/customers/by/name/of/the/owner",
    "",
]


@pytest.mark.parametrize("text", MASKED)
def test_what_varies_is_masked_by_its_name(text: str) -> None:
    assert mask(text).text == MASKED[text]


@pytest.mark.parametrize("text", KEPT)
def test_what_tells_causes_apart_is_kept(text: str) -> None:
    assert mask(text).text == text
    assert mask(text).names == ()


def test_names_come_once_and_in_the_tables_order() -> None:
    assert mask("7 of 8 by a@b.example, see http://x").names == ("url", "email", "int")


def test_masked_things_are_told_in_peoples_words() -> None:
    assert masked_things("<int> of <float> <uuid> <nothing>") == ("UUIDs", "numbers")


def test_every_mask_has_an_example() -> None:
    shown = {name for text in MASKED for name in mask(text).names}
    assert {each.name for each in MASKS} <= shown


def test_only_the_beginning_of_a_long_text_is_masked() -> None:
    assert mask("x " * MAX_CHARS + "7").text == "x " * (MAX_CHARS // 2)


pieces = st.sampled_from(
    [*MASKED, *KEPT, *MASKED.values()]
    + [part for text in MASKED for part in text.split()]
    + [
        "-",
        "_",
        ".",
        ":",
        "::",
        "/",
        "=",
        "'",
        '"',
        "\n",
        " ",
        "@",
        "1",
        "e5",
        "ab",
        "<",
        ">",
        "/var/folders/",
        "é",
        "\ud800",
    ]
)


@settings(max_examples=500, deadline=None)
@given(st.lists(pieces | st.characters(), max_size=6).map("".join))
def test_masking_what_is_masked_changes_nothing(text: str) -> None:
    once = mask(text).text
    assert mask(once).text == once


@settings(max_examples=200, deadline=None)
@given(st.lists(pieces, max_size=6).map("".join))
def test_the_names_are_those_that_the_text_gained(text: str) -> None:
    masked = mask(text)
    for name in masked.names:
        assert f"<{name}>" in masked.text
