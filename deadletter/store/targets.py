"""How the consumers behind targets keep their events idempotent: read, set, removed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from deadletter.actor import Actor
from deadletter.allowed import plain_arn
from deadletter.errors import BadInput, NotFound
from deadletter.event import FUNCTION_ARN, QUEUE_ARN
from deadletter.preflight import KeyRules, Names, Rules
from deadletter.store import models
from deadletter.store.audit import note

MAX_EXPIRES_S = 10 * 366 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRow:
    """A target's rules, and who set them."""

    arn: str
    rules: Rules
    changed_by: str
    changed_at: datetime


def list_rules(session: Session) -> list[TargetRow]:
    """Return every target that has rules, by ARN."""
    return [_row(found) for found in session.scalars(select(models.TargetRules).order_by(models.TargetRules.arn))]


def get_rules(session: Session, arn: str) -> TargetRow:
    """Return one target's rules. Raises NotFound."""
    found = session.get(models.TargetRules, plain_arn(arn))
    if found is None:
        raise NotFound(f"The target {arn[:200]} has no idempotency settings. Set them on the Targets page.")
    return _row(found)


def rules_of(session: Session, arns: Collection[str]) -> Mapping[str, Rules]:
    """Return the rules of those of *arns* that have some, by ARN as it was given."""
    plain = {arn: plain_arn(arn) for arn in arns}
    table = models.TargetRules
    found = {row.arn: _row(row).rules for row in session.scalars(select(table).where(table.arn.in_(plain.values())))}
    return {arn: found[known] for arn, known in plain.items() if known in found}


def list_known_targets(session: Session) -> list[str]:
    """Return the ARNs that sources send to: what may want rules."""
    arn = models.Source.target_arn
    return sorted({plain_arn(each) for each in session.scalars(select(arn).where(arn.is_not(None)).distinct()) if each})


def set_rules(session: Session, arn: str, rules: Rules, *, by: Actor, now: datetime) -> None:
    """Set a target's rules, in the place of those it has. Raises BadInput: something in them cannot be."""
    arn = arn.strip()
    _check(arn, rules)
    values = asdict(rules)
    row = models.TargetRules(
        arn=plain_arn(arn),
        table_name=values.pop("table"),
        names={name: value for name, value in values.pop("names").items() if value != getattr(Names(), name)},
        **values,
        changed_by=by.name,
        changed_at=now,
    )
    session.merge(row)
    session.flush()
    note(session, by, "set", "target", row.arn, details=asdict(rules), now=now)


def remove_rules(session: Session, arn: str, *, by: Actor, now: datetime) -> None:
    """Forget a target's rules. Raises NotFound."""
    row = session.get(models.TargetRules, plain_arn(arn))
    if row is None:
        raise NotFound(f"The target {arn[:200]} has no idempotency settings.")
    session.delete(row)
    session.flush()
    note(session, by, "remove", "target", row.arn, now=now)


def count_rules(session: Session) -> int:
    """Return how many targets have rules."""
    return session.scalar(select(func.count()).select_from(models.TargetRules)) or 0


def _check(arn: str, rules: Rules) -> None:
    if not (FUNCTION_ARN.fullmatch(arn) or QUEUE_ARN.fullmatch(arn)):
        raise BadInput(f"{arn[:200]!r} is not the ARN of a function or a queue.")
    if not rules.table.strip():
        raise BadInput("Which DynamoDB table holds the handler's idempotency records? Write its name or its ARN.")
    if not rules.prefix.strip():
        raise BadInput("What stands before the # of the keys? Write FUNCTION.MODULE.QUALNAME, or the key_prefix.")
    if not 0 < rules.expires_s <= MAX_EXPIRES_S:
        raise BadInput(f"A record lives {rules.expires_s:,} seconds, and must live from 1 to {MAX_EXPIRES_S:,}.")
    KeyRules.of(rules)


def _row(found: models.TargetRules) -> TargetRow:
    rules = Rules(
        table=found.table_name,
        prefix=found.prefix,
        key_path=found.key_path,
        data_path=found.data_path,
        validation_path=found.validation_path,
        expires_s=found.expires_s,
        hash_function=found.hash_function,
        names=Names(**found.names),
    )
    return TargetRow(arn=found.arn, rules=rules, changed_by=found.changed_by, changed_at=found.changed_at)
