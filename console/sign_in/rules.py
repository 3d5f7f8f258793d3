"""What each address needs. One row an endpoint: an endpoint without a row does not start (see `check`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from deadletter.access import Permission

PUBLIC = None
"""Anybody: what signs people in, and what tells nothing."""

RULES: Mapping[str, Permission | None] = {
    "static": PUBLIC,
    "htmx": PUBLIC,
    "healthz": PUBLIC,
    "sign_in.index": PUBLIC,
    "sign_in.by_password": PUBLIC,
    "sign_in.link": PUBLIC,
    "sign_in.by_link": PUBLIC,
    "sign_in.provider": PUBLIC,
    "sign_in.callback": PUBLIC,
    "sign_in.out": PUBLIC,
    "health.livez": PUBLIC,
    "health.readyz": PUBLIC,
    "health.metrics": PUBLIC,  # its own rule: this machine, or a token of its own
    "home": Permission.VIEW,
    "overview.index": Permission.VIEW,
    "groups.index": Permission.VIEW,
    "groups.news": Permission.VIEW,
    "groups.show": Permission.VIEW,
    "groups.act": Permission.TRIAGE,
    "events.index": Permission.VIEW,
    "events.show": Permission.VIEW,
    "events.raw": Permission.VIEW,
    "events.reveal": Permission.REVEAL,
    "events.archive": Permission.TRIAGE,
    "events.unarchive": Permission.TRIAGE,
    "redrives.index": Permission.VIEW,
    "redrives.show": Permission.VIEW,
    "redrives.progress": Permission.VIEW,
    "unknown.index": Permission.VIEW,
    "unknown.check": Permission.TRIAGE,
    "unknown.send_again": Permission.REDRIVE,
    "edits.form": Permission.EDIT,
    "edits.review": Permission.EDIT,
    "redrives.edits": Permission.EDIT,
    "redrives.create": Permission.REDRIVE,
    "redrives.start": Permission.REDRIVE,
    "redrives.cancel": Permission.REDRIVE,
    "steering.pause": Permission.REDRIVE,
    "steering.resume": Permission.REDRIVE,
    "steering.rate": Permission.REDRIVE,
    "approvals.approve": Permission.APPROVE,
    "approvals.refuse": Permission.REDRIVE,  # whoever asked may take the question back
    "reports.index": Permission.VIEW,
    "reports.download": Permission.VIEW,
    "targets.index": Permission.VIEW,
    "targets.try_": Permission.CONFIGURE,
    "targets.save": Permission.CONFIGURE,
    "targets.remove": Permission.CONFIGURE,
    "sources.index": Permission.VIEW,
    "sources.add": Permission.CONFIGURE,
    "sources.set_target": Permission.CONFIGURE,
    "sources.change": Permission.CONFIGURE,
    "discovery.index": Permission.VIEW,
    "discovery.progress": Permission.VIEW,
    "discovery.ask": Permission.CONFIGURE,
    "discovery.register": Permission.CONFIGURE,
    "workers.index": Permission.VIEW,
    "audit.index": Permission.AUDIT,
    "audit.export": Permission.AUDIT,
    "you.index": Permission.VIEW,
    "you.add_token": Permission.VIEW,
    "you.revoke_token": Permission.VIEW,
    "you.sign_out_everywhere": Permission.VIEW,
    "people.index": Permission.MANAGE,
    "people.add": Permission.MANAGE,
    "people.grant": Permission.MANAGE,
    "people.disable": Permission.MANAGE,
    "people.enable": Permission.MANAGE,
    "people.link": Permission.MANAGE,
}


def check(endpoints: Iterable[str]) -> None:
    """Refuse to start with an address that nobody said a rule for. Raises LookupError."""
    if missing := sorted(set(endpoints) - RULES.keys()):
        raise LookupError(
            f"No rule says who may use {', '.join(missing)}. Give each a row in console/sign_in/rules.py: the "
            "permission that it needs, or PUBLIC."
        )
