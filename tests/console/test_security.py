import pytest
from flask.testing import FlaskClient

from console.security import MAX_FORM_BYTES, host_name


@pytest.mark.parametrize(
    ("host", "name"),
    [("127.0.0.1:8080", "127.0.0.1"), ("LocalHost", "localhost"), ("[::1]:8080", "[::1]"), ("", "")],
)
def test_a_host_is_compared_without_its_port(host: str, name: str) -> None:
    assert host_name(host) == name


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8080", "localhost.evil.example", ""])
def test_another_name_that_points_here_is_refused(reader: FlaskClient, host: str) -> None:
    answer = reader.get("/groups", headers={"Host": host})
    assert answer.status_code == 400
    assert "REDRIVE_ALLOWED_HOSTS" in answer.text


def test_a_probe_by_address_is_answered(reader: FlaskClient) -> None:
    assert reader.get("/healthz", headers={"Host": "10.0.0.7:8080"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://[no-address"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    ],
)
def test_another_sites_page_changes_nothing(client: FlaskClient, headers: dict[str, str]) -> None:
    answer = client.post("/groups/1/archive", headers=headers)
    assert answer.status_code == 403
    assert "nothing was changed" in answer.text
    assert "Unarchive" not in client.get("/groups/1").text


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://localhost"}])
def test_our_own_pages_and_scripts_may_write(client: FlaskClient, headers: dict[str, str]) -> None:
    assert client.post("/groups/1/archive", headers=headers).status_code == 303


def test_every_answer_carries_the_headers(reader: FlaskClient) -> None:
    for address in ("/groups", "/nowhere", "/static/console.css", "/events/1/raw"):
        with reader.get(address) as answer:
            headers = answer.headers
        assert headers["Content-Security-Policy"].startswith("default-src 'self'")
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert "Set-Cookie" not in headers


def test_pages_are_not_kept_in_caches_and_files_are(reader: FlaskClient) -> None:
    assert reader.get("/groups").headers["Cache-Control"] == "no-store"
    for name in ("console.css", "console.js", "htmx.js", "icon.svg"):
        with reader.get(f"/static/{name}") as answer:
            assert "max-age=31536000" in answer.headers["Cache-Control"]


def test_htmx_comes_from_our_own_origin_and_is_version_2(reader: FlaskClient) -> None:
    with reader.get("/static/htmx.js") as answer:
        assert answer.mimetype == "text/javascript"
        assert b'version:"2.' in answer.data


def test_a_form_too_large_is_refused_with_a_sentence(reader: FlaskClient) -> None:
    answer = reader.post("/sources", data={"arn": "x" * (MAX_FORM_BYTES + 1)})
    assert answer.status_code == 413
    assert "at most 1 MB" in answer.text


@pytest.mark.parametrize("path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static//etc/passwd"])
def test_no_file_but_the_static_ones_is_served(reader: FlaskClient, path: str) -> None:
    assert reader.get(path).status_code in {400, 404, 308}
