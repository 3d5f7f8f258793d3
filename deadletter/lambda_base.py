"""What our Lambda functions have in common: log, metrics, traces, settings, database. Made once an environment."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit

from deadletter.lambda_settings import LambdaSettings
from deadletter.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

logger = Logger()
"""JSON lines with the request's id, whether the start was cold, and the trace's id."""

metrics = Metrics(namespace="Redrive")
"""CloudWatch's embedded metric format, printed at the end of each invocation."""

tracer = Tracer(patch_modules=("botocore",))
"""X-Ray: a segment for the handler, and one for each call to AWS."""

# What the use cases log goes the same way; libraries from `warning` up.
for _ours in ("deadletter", "worker", "console"):
    logging.getLogger(_ours).handlers = [logger.registered_handler]
    logging.getLogger(_ours).setLevel(logging.INFO)
    logging.getLogger(_ours).propagate = False

lambda_settings = LambdaSettings.from_env()


@cache
def settings() -> Settings:
    """Return the settings; with the database's address where a secret holds it."""
    found = Settings.from_env()
    if not lambda_settings.database_secret_arn:
        return found
    if not lambda_settings.database_host:
        return replace(found, database_url=_plain_url(_secret().text()))
    address = f"{lambda_settings.database_host}/{lambda_settings.database_name}?sslmode=require"
    return replace(found, database_url=f"postgresql+psycopg://{address}")


@cache
def engine() -> Engine:
    """Return the database of this environment.

    A password that Secrets Manager rotates is asked for anew with each connection.
    """
    # Loaded with the first invocation, not with the module: whoever only answers a health check needs no database.
    from sqlalchemy import event  # noqa: PLC0415

    from deadletter.store import make_engine  # noqa: PLC0415

    made = make_engine(settings())
    if lambda_settings.database_host:
        event.listen(made, "do_connect", _with_password)
    return made


def count(outcomes: Mapping[str, int]) -> None:
    """Count events, by metric; nothing for none."""
    for name, n in outcomes.items():
        if n:
            metrics.add_metric(name=name, unit=MetricUnit.Count, value=n)


def _with_password(dialect: Any, _record: object, args: Any, connection: dict[str, Any]) -> Any:  # noqa: ANN401 - SQLAlchemy's hook
    """Connect with the password of now; where it was rotated since it was read, with the new one at once."""
    connection["user"], connection["password"] = before = _secret().user_and_password()
    try:
        return dialect.connect(*args, **connection)
    except dialect.loaded_dbapi.OperationalError:
        _secret().forget()
        connection["user"], connection["password"] = now = _secret().user_and_password()
        if now == before:
            raise
        return dialect.connect(*args, **connection)


def _plain_url(text: str) -> str:
    return Settings.from_env({"DATABASE_URL": text.strip()}).database_url


@cache
def _secret() -> Any:  # noqa: ANN401 - its module is loaded only where there is a secret
    from deadletter.aws.secrets import Secret  # noqa: PLC0415

    return Secret(lambda_settings.database_secret_arn)
