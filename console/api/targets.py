"""Targets: how the consumer behind each keeps its events idempotent."""

from __future__ import annotations

from werkzeug.datastructures import MultiDict

from console import context
from console.api.bodies import TEXT, WHOLE, Body
from console.api.routes import Routes
from console.api.schemas import array, fields_of, named, obj
from console.context import actor, engine, now, session
from console.public import public_target
from console.sign_in.scope import check_target
from console.target_forms import NAMES, TEXTS, read_rules
from deadletter import store
from deadletter.event import Json
from deadletter.preflight import Rules
from deadletter.store.targets import get_rules, list_rules, remove_rules, set_rules

routes = Routes("targets")
_SAID = {"arn": {"type": "string"}, "changed_by": {"type": "string"}, "warnings": array({"type": "string"})}
_TARGET = named("Target", obj(fields_of(Rules) | _SAID))
_FIELDS = dict.fromkeys((*TEXTS, *NAMES), TEXT) | {"expires_s": WHOLE}
_REQUIRED = ("arn", "table", "prefix")


@routes.get("/targets", array(_TARGET))
def index() -> Json:
    """List the targets that have idempotency settings."""
    return [public_target(row) for row in list_rules(session())]


@routes.post("/targets", _TARGET, {"arn": TEXT, **_FIELDS}, required=_REQUIRED)
def save(body: Body) -> Json:
    """Set a target's settings, in the place of those that it has."""
    rules = read_rules(MultiDict({name: str(value) for name, value in body.items()}))
    arn = body["arn"].strip()
    check_target(arn)
    with store.write(engine()) as writing:
        set_rules(writing, arn, rules, by=actor(), now=now())
    context.forget_session()
    return public_target(get_rules(session(), arn))


@routes.post("/targets/remove", obj({"arn": {"type": "string"}}), {"arn": TEXT}, required=["arn"])
def remove(body: Body) -> Json:
    """Forget a target's settings; its redrives have no pre-flight then."""
    check_target(body["arn"])
    with store.write(engine()) as writing:
        remove_rules(writing, body["arn"], by=actor(), now=now())
    return {"arn": body["arn"]}
