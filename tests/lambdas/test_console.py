"""The console out of the zip, behind a function URL and behind a load balancer: pages, sign-in, writes, files."""

from __future__ import annotations

import base64
import json
import re
import socket
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.lambdas.conftest import ROOT, Stack
from tests.lambdas.test_redriving import invoke

HOST = "abcdefghij0123456789.lambda-url.eu-west-1.on.aws"
PASSWORD = "correct horse battery staple"
OURS = {"sec-fetch-site": "same-origin"}


def by_url(path: str, form: dict[str, str] | None = None, *, cookies: str = "", **headers: str) -> dict[str, Any]:
    """Return what a function URL hands over (payload format 2.0)."""
    path, _, query = path.partition("?")
    method = "GET" if form is None else "POST"
    given = {"host": HOST, "x-forwarded-proto": "https", "x-forwarded-port": "443"} | headers
    given |= {} if form is None else {"content-type": "application/x-www-form-urlencoded"}
    http = {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.7", "userAgent": "a browser"}
    context = {"accountId": "anonymous", "apiId": HOST.partition(".")[0], "domainName": HOST, "http": http}
    context |= {"requestId": "r-1", "routeKey": "$default", "stage": "$default", "timeEpoch": 1}
    body = "" if form is None else base64.b64encode(urlencode(form).encode()).decode()
    event = {"version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query, "headers": given}
    event |= {"requestContext": context, "body": body, "isBase64Encoded": form is not None}
    return event | ({"cookies": [cookies]} if cookies else {})


def by_balancer(path: str, host: str) -> dict[str, Any]:
    """Return what a load balancer hands over."""
    target = "arn:aws:elasticloadbalancing:eu-west-1:000000000000:targetgroup/console/0123456789abcdef"
    headers = {"host": host, "x-forwarded-proto": "https", "x-forwarded-port": "443", "x-forwarded-for": "192.0.2.7"}
    event = {"requestContext": {"elb": {"targetGroupArn": target}}, "httpMethod": "GET", "path": path}
    return event | {"queryStringParameters": {}, "headers": headers, "body": "", "isBase64Encoded": False}


def header(answer: dict[str, Any], name: str) -> str:
    """Return a header of an answer; cookies stand by themselves."""
    found = {key.lower(): value for key, value in answer.get("headers", {}).items()}
    found |= {key.lower(): ", ".join(values) for key, values in answer.get("multiValueHeaders", {}).items()}
    cookies = {"set-cookie": ", ".join(answer["cookies"])} if answer.get("cookies") else {}
    return str((found | cookies).get(name, ""))


def body(answer: dict[str, Any]) -> bytes:
    return base64.b64decode(answer["body"]) if answer["isBase64Encoded"] else answer["body"].encode()


@pytest.fixture
def name(stack: Stack) -> str:
    """The console, deployed; the first password of `admin` is in a secret."""
    arn = stack.sandbox.clients("secretsmanager").create_secret(Name=stack.table, SecretString=PASSWORD)["ARN"]
    stack.environment = {"REDRIVE_CONSOLE_SECRET_ARN": arn, "REDRIVE_ALLOWED_HOSTS": "redrive.shop.example"}
    return stack.deploy("console", "console.lambda_app.handler", memory_mb=1024).name


def test_people_sign_in_look_and_change_things_behind_a_function_url(name: str, lambda_client: Any) -> None:
    def ask(event: dict[str, Any]) -> dict[str, Any]:
        answer, error = invoke(lambda_client, name, event)
        assert not error, answer
        found: dict[str, Any] = answer
        return found

    turned_away = ask(by_url("/events?status=unresolved"))
    assert turned_away["statusCode"] == 303
    assert header(turned_away, "location").startswith("/sign-in?back=")
    page = ask(by_url("/sign-in"))
    assert (page["statusCode"], page["isBase64Encoded"]) == (200, False)
    assert "default-src 'self'" in header(page, "content-security-policy")

    people = {"name": "admin", "password": PASSWORD}
    assert ask(by_url("/sign-in", people, **{"sec-fetch-site": "cross-site"}))["statusCode"] == 403
    signed_in = ask(by_url("/sign-in", people, **OURS))
    assert signed_in["statusCode"] == 303, body(signed_in)
    cookie = header(signed_in, "set-cookie")
    assert re.match(r"__Host-redrive=[\w-]{20,};.*Secure; HttpOnly", cookie)
    kept = cookie.partition(";")[0]
    events = ask(by_url("/events?status=unresolved", cookies=kept))
    assert (events["statusCode"], b"admin" in body(events)) == (200, True)  # whose permissions are in the corner

    assert ask(by_url("/discovery", {}, cookies=kept, origin="https://evil.example"))["statusCode"] == 403
    asked = ask(by_url("/discovery", {}, cookies=kept, origin=f"https://{HOST}"))
    assert (asked["statusCode"], header(asked, "location")) == (303, "/discovery")
    assert ask(by_url("/sign-in", host="evil.example"))["statusCode"] == 400

    for path in ("console.css", "icon.svg"):  # text as it is, and what is binary to Lambda in Base64
        found = ask(by_url(f"/static/{path}"))
        assert body(found) == (ROOT / "console" / "static" / path).read_bytes()

    by_its_name = ask(by_balancer("/sign-in", "redrive.shop.example"))
    assert by_its_name["statusCode"] == 200
    assert b"<!doctype html>" in body(by_its_name)
    assert ask(by_balancer("/sign-in", "elsewhere.example"))["statusCode"] == 400


def test_what_it_does_is_traced_where_x_ray_s_daemon_listens(stack: Stack, lambda_client: Any) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))
        daemon.settimeout(60)
        trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
        address = f"127.0.0.1:{daemon.getsockname()[1]}"
        stack.environment = {
            "POWERTOOLS_TRACE_DISABLED": "false",
            "AWS_XRAY_DAEMON_ADDRESS": address,
            "_X_AMZN_TRACE_ID": trace,
        }
        stack.deploy("tick", "worker.lambda_tick.handler")
        answer, error = invoke(lambda_client, stack.names["tick"], {"tick": "03:00"})
        assert not error, answer
        while True:  # until the handler's own segment comes, or the socket's time is over
            head, _, segment = daemon.recvfrom(65_536)[0].partition(b"\n")
            assert json.loads(head) == {"format": "json", "version": 1}
            told = json.loads(segment)
            if told["name"] == "## handler":
                break
    assert told["trace_id"] == "1-5759e988-bd862e3fe1be46a994272793"
    assert told["annotations"]["Service"] == "redrive"
