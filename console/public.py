"""Rows as `--json` and the API write them: plain JSON, the secrets in what came from outside masked. Pure."""

from __future__ import annotations

from dataclasses import asdict

from console.plain import plain
from deadletter.event import Json
from deadletter.preflight.warnings import warnings_of
from deadletter.redact import redact_text
from deadletter.secret_rules import SecretRules
from deadletter.store.rows import RedriveRow, SourceRow
from deadletter.store.targets import TargetRow

# The texts that came from outside. Everything else in a row is a name, a number or a time, which a mask would harm.
_FREE_TEXT = frozenset(
    {
        "title",
        "group_title",
        "masked_message",
        "error_type",
        "error_message",
        "failed_type",
        "failed_message",
        "condition",
        "label",
        "event_label",
        "reason",
        "evidence",
        "text",
    }
)

SUMMARY = (
    *("id", "status", "title", "digest", "invocation", "rate", "targets", "selection", "oldest_at"),
    *("asked_by", "planned_at", "started_by", "started_at", "finished_at", "cancelled_by"),
    *("stage", "canary", "max_failures", "concurrency", "starts_at", "window", "held_by", "held_reason"),
    *("preflight", "edit"),
    *("planned", "waiting", "sending", "succeeded", "failed_again", "skipped", "unknown", "ended"),
)
"""The fields of a redrive that are shown as they are stored."""


def public(row: object, secrets: SecretRules) -> dict[str, Json]:
    """Return a row as plain JSON, with the secrets in its free texts masked."""
    return {name: _masked(name, value, secrets) for name, value in plain(row).items()}


def _masked(name: str, value: Json, secrets: SecretRules) -> Json:
    if name in {"stack_trace", "frames"} and value is not None:
        return [redact_text(frame, secrets) for frame in value]
    return redact_text(value, secrets) if name in _FREE_TEXT and value else value


def plan_summary(row: RedriveRow) -> dict[str, Json]:
    """Return a plan as `send --dry-run --json` prints it.

    `target` is the one ARN that all of it goes to, None where there are several; `protected` and `unprotected` count
    what would be sent by what the handlers' idempotency records say, None where no target has settings for that.
    """
    arns = {line["arn"] for line in row.targets}
    return {
        "digest": row.digest,
        "count": row.waiting,
        "target": arns.pop() if len(arns) == 1 else None,
        "targets": plain(row.targets),
        "rate": row.rate,
        "seconds": round(row.waiting / row.rate, 1),
        "protected": (row.preflight or {}).get("protected"),
        "unprotected": (row.preflight or {}).get("unprotected"),
        "skipped": row.skipped,
        "canary": row.canary,
        "max_failures": row.max_failures,
        "oldest_at": plain(row.oldest_at),
    }


def summary(row: RedriveRow, secrets: SecretRules) -> dict[str, Json]:
    """Return a redrive as `--json` prints it.

    `sent` counts every event handed to the target, whatever became of it; those of them whose outcome is still awaited
    are `awaited`. `seconds` is how long sending takes at `rate`. `protected` says of how many of those to be sent their
    handler's idempotency record keeps what was done from being done again; None where no target has settings for it.
    """
    shown = {name: plain(getattr(row, name)) for name in SUMMARY}
    shown |= {name: (row.preflight or {}).get(name) for name in ("protected", "unprotected")}
    shown["title"] = public({"title": row.title}, secrets)["title"]
    return shown | {"sent": row.ever_sent, "awaited": row.sent, "seconds": round(row.duration_s, 1)}


def public_source(row: SourceRow) -> dict[str, Json]:
    """Return a source as `--json` prints it."""
    return {**plain(row), "expires_at": plain(row.expires_at)}


def public_target(row: TargetRow) -> dict[str, Json]:
    """Return a target's idempotency settings as `--json` prints them, with what there is to know of them."""
    warnings = list(warnings_of(row.rules))
    return {"arn": row.arn, **asdict(row.rules), "changed_by": row.changed_by, "warnings": warnings}
