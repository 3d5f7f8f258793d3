"""Who may do what: roles, the permissions that each brings, and the sources that it holds for. Pure.

Nobody is told only "no": every answer says which role is missing, for which source, and who can give it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from deadletter.errors import BadInput, RedriveError

EVERY_SOURCE = "*"


class Role(StrEnum):
    """What a person is to the console. Each may do all that the ones before it may."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    APPROVER = "approver"
    ADMIN = "admin"


class Permission(StrEnum):
    """What can be done, in the words that the pages say it by."""

    VIEW = "see failed events, groups, redrives, their history and reports, with secrets masked"
    TRIAGE = "resolve, snooze, archive, assign and note"
    REDRIVE = "plan, start, pause, change and cancel redrives"
    EDIT = "change an event before it is sent"
    REVEAL = "see the secrets in an event, which is written down"
    AUDIT = "read the whole audit trail, with sign-ins and addresses"
    APPROVE = "approve a redrive that somebody else asked for"
    CONFIGURE = "register sources, choose targets and read the account's map"
    MANAGE = "say who may do what"


LEAST_ROLE: Mapping[Permission, Role] = {
    Permission.VIEW: Role.VIEWER,
    Permission.TRIAGE: Role.OPERATOR,
    Permission.REDRIVE: Role.OPERATOR,
    Permission.EDIT: Role.OPERATOR,
    Permission.REVEAL: Role.OPERATOR,
    Permission.AUDIT: Role.OPERATOR,
    Permission.APPROVE: Role.APPROVER,
    Permission.CONFIGURE: Role.ADMIN,
    Permission.MANAGE: Role.ADMIN,
}
"""The least role that brings each permission."""

WHOLE = frozenset({Permission.MANAGE})
"""What a grant for some sources never brings: who says who may do what could give themselves every source."""

_RANK = {role: rank for rank, role in enumerate(Role)}


class Forbidden(RedriveError):
    """A person asks for what they may not do. HTTP 403; exit 1."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A role, for the sources whose ARN matches a pattern (`*` and `?` as in a shell; `*` alone is every source)."""

    role: Role
    sources: str = EVERY_SOURCE

    @classmethod
    def parse(cls, text: str) -> Grant:
        """Read ``operator`` or ``operator:arn:aws:sqs:*:*:orders-*``. Raises BadInput."""
        name, _, sources = text.strip().partition(":")
        if name not in set(Role):
            raise BadInput(f"{name[:40]!r} is not a role. There are: {', '.join(Role)}.")
        return cls(Role(name), sources.strip() or EVERY_SOURCE)

    def __str__(self) -> str:
        return self.role.value if self.sources == EVERY_SOURCE else f"{self.role}:{self.sources}"

    def brings(self, permission: Permission) -> bool:
        """Return whether its role brings *permission*."""
        if permission in WHOLE and self.sources != EVERY_SOURCE:
            return False
        return _RANK[self.role] >= _RANK[LEAST_ROLE[permission]]

    def covers(self, source_arn: str) -> bool:
        """Return whether it holds for a source."""
        return fnmatchcase(source_arn, self.sources)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether something may be done, and where not, the sentence that says why and what to do."""

    allowed: bool
    reason: str = ""

    def __bool__(self) -> bool:
        return self.allowed


@dataclass(frozen=True, slots=True)
class Principal:
    """Who acts: a name for the record, what they were granted, and how they came in (`link`, `password`, `token` …)."""

    name: str
    grants: tuple[Grant, ...]
    via: str
    user_id: int | None = None

    def may(self, permission: Permission, source_arn: str | None = None) -> Verdict:
        """Return whether *permission* is theirs for a source; without one, whether it is theirs for any at all."""
        fitting = [grant for grant in self.grants if grant.brings(permission)]
        if source_arn is None:
            return _YES if fitting else self._missing_role(permission)
        if any(grant.covers(source_arn) for grant in fitting):
            return _YES
        return self._missing_source(permission, source_arn) if fitting else self._missing_role(permission)

    def require(self, permission: Permission, source_arns: Iterable[str] = ()) -> None:
        """Raise Forbidden unless *permission* is theirs for each of *source_arns*; for any at all if there is none."""
        verdicts = [self.may(permission, arn) for arn in source_arns] or [self.may(permission)]
        for verdict in verdicts:
            if not verdict:
                raise Forbidden(verdict.reason)

    def may_all(self, permission: Permission, source_arns: Iterable[str], thing: str) -> Verdict:
        """Return whether *permission* is theirs for *thing*, a target to which events of all of *source_arns* go.

        What no source names yet is nobody's: whoever holds a role for some sources may not speak for those to come.
        """
        if self.everywhere(permission) or not self.may(permission):
            return self.may(permission)
        named = sorted(set(source_arns))
        others = [arn for arn in named if not self.may(permission, arn)]
        return _YES if named and not others else self._shared(permission, others, thing)

    def everywhere(self, permission: Permission) -> bool:
        """Return whether *permission* is theirs for every source, so that nothing has to be narrowed."""
        return any(grant.brings(permission) and grant.sources == EVERY_SOURCE for grant in self.grants)

    def _missing_role(self, permission: Permission) -> Verdict:
        whole = " for every source" if permission in WHOLE else ""
        theirs = ", ".join(str(grant) for grant in self.grants) or "no role"
        return Verdict(
            allowed=False,
            reason=f"To {permission}, you need the role {LEAST_ROLE[permission]}{whole}; {self.name} has {theirs}. "
            "An admin of this console can give it to you.",
        )

    def _missing_source(self, permission: Permission, source_arn: str) -> Verdict:
        return self._elsewhere(permission, f"{source_arn} is none of them")

    def _shared(self, permission: Permission, others: Sequence[str], thing: str) -> Verdict:
        more = f" and of {len(others) - 1:,} more sources" if len(others) > 1 else ""
        why = f"events of {others[0]}{more} go to {thing} as well" if others else f"no source of theirs names {thing}"
        return self._elsewhere(permission, why)

    def _elsewhere(self, permission: Permission, why: str) -> Verdict:
        patterns = ", ".join(sorted({grant.sources for grant in self.grants if grant.brings(permission)}))
        return Verdict(
            allowed=False,
            reason=f"{self.name} may {permission} only for the sources {patterns}, and {why}. "
            "An admin of this console can change that.",
        )


_YES = Verdict(allowed=True)


def capped(grants: Iterable[Grant], cap: Role) -> tuple[Grant, ...]:
    """Return *grants* with none of them above *cap*: a token can do less than its owner, never more."""
    return tuple(Grant(min(grant.role, cap, key=_RANK.__getitem__), grant.sources) for grant in grants)


def parse_grants(texts: Iterable[str]) -> tuple[Grant, ...]:
    """Read several grants; the same one twice is one. Raises BadInput."""
    return tuple(dict.fromkeys(Grant.parse(text) for text in texts if text.strip()))


def role_map(text: str) -> Mapping[str, tuple[Grant, ...]]:
    """Read which group of the sign-in provider brings what: ``sre=operator, payments=operator:arn:*:orders-*``.

    Raises:
        BadInput: A part is not ``group=role`` or ``group=role:sources``.
    """
    found: dict[str, tuple[Grant, ...]] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        group, sign, grant = part.partition("=")
        if not sign or not group.strip():
            raise BadInput(f"{part[:80]!r} does not say which group brings which role. Write group=role.")
        found[group.strip()] = (*found.get(group.strip(), ()), Grant.parse(grant))
    return found
