"""The Lambda function that is the console: behind a function URL or a load balancer, the same pages as anywhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from deadletter.lambda_base import engine, lambda_settings, logger, metrics, settings, tracer
from deadletter.settings import SignIn

Answer = dict[str, Any]

_FUNCTION_URL = re.compile(r"[a-z0-9]+\.lambda-url\.[a-z0-9-]+\.on\.aws", re.ASCII)


@logger.inject_lambda_context
@tracer.capture_lambda_handler(capture_response=False)  # a page holds payloads
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], context: LambdaContext) -> Answer:
    """Answer one request."""
    return _serving(_own_name(event))(event, context)


@cache
def _serving(own_name: str) -> Callable[[dict[str, Any], LambdaContext], Answer]:
    """Return what answers requests; made with the first of them, and then kept."""
    from apig_wsgi import make_lambda_handler  # noqa: PLC0415 - Flask and the database load with the first request

    from console.app import create_app  # noqa: PLC0415
    from console.commands.service import add_first_admin  # noqa: PLC0415

    names = settings().allowed_hosts | ({own_name} if own_name else set())
    # Whoever can reach a Lambda function is not on this machine: people sign in by an account, always.
    chosen = replace(settings(), sign_in=SignIn.ACCOUNTS, allowed_hosts=frozenset(names), admin_password=_password())
    add_first_admin(chosen, engine())
    serve: Callable[[dict[str, Any], LambdaContext], Answer] = make_lambda_handler(
        create_app(chosen, engine()), binary_support=True
    )
    return serve


def _own_name(event: dict[str, Any]) -> str:
    """Return the function URL's own name, which AWS writes and no caller can choose; empty for a load balancer."""
    name = str(event.get("requestContext", {}).get("domainName", ""))
    return name if _FUNCTION_URL.fullmatch(name) else ""


def _password() -> str:
    """Return the password of the first `admin`, out of the console's own secret."""
    from deadletter.aws.secrets import Secret  # noqa: PLC0415

    arn = lambda_settings.console_secret_arn
    return Secret(arn).text() if arn else settings().admin_password
