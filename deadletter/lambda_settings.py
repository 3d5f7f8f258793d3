"""What our Lambda functions are told besides the settings: names and addresses, and where secrets are kept."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LambdaSettings:
    """Terraform sets all of these.

    `database_secret_arn` names a secret that holds a PostgreSQL URL, or (as RDS makes it) a name and a password, for
    the database of that name at that host. Without one, `DATABASE_URL` and the data folder count, as everywhere.
    """

    work_queue_url: str = ""
    idempotency_table: str = ""
    console_secret_arn: str = ""
    """Of the secret that holds the first password of `admin`."""
    database_secret_arn: str = ""
    database_host: str = ""
    database_name: str = "redrive"

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> LambdaSettings:
        """Read *env*, the process's own by default."""
        env = os.environ if env is None else env
        return cls(
            work_queue_url=env.get("REDRIVE_WORK_QUEUE_URL", ""),
            idempotency_table=env.get("REDRIVE_IDEMPOTENCY_TABLE", ""),
            console_secret_arn=env.get("REDRIVE_CONSOLE_SECRET_ARN", ""),
            database_secret_arn=env.get("DATABASE_SECRET_ARN", ""),
            database_host=env.get("DATABASE_HOST", ""),
            database_name=env.get("DATABASE_NAME") or "redrive",
        )
