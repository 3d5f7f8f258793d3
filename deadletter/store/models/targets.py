"""What is known of targets beyond their ARN."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from deadletter.store.models.base import Base


class TargetRules(Base):
    """How the consumer behind a target keeps its events idempotent; see `deadletter.preflight.Rules`."""

    __tablename__ = "target_rules"

    arn: Mapped[str] = mapped_column(Text, primary_key=True)
    """Of a function, without its version or alias, or of a queue."""
    table_name: Mapped[str]
    """The DynamoDB table's name (in the target's account and Region) or ARN."""
    prefix: Mapped[str]
    key_path: Mapped[str]
    data_path: Mapped[str]
    validation_path: Mapped[str]
    expires_s: Mapped[int]
    hash_function: Mapped[str]
    names: Mapped[dict[str, Any]]
    """The table's attribute names, where they are not Powertools' defaults."""
    changed_by: Mapped[str]
    changed_at: Mapped[datetime]
