"""People, what each may do, and everybody's tokens. A secret is answered this once, and never kept for a repeat."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from console import people
from console.api.bodies import TEXT, Body
from console.api.routes import Routes, View
from console.api.schemas import Schema, array, fields_of, named, obj
from console.context import principal, session
from console.plain import plain
from deadletter.access import Role, parse_grants
from deadletter.errors import BadInput
from deadletter.event import Json
from deadletter.store.people.tokens import LONGEST, TokenRow, list_tokens
from deadletter.store.people.users import UserRow, list_users

routes, mine = Routes("people"), Routes("me")
_ROLES: Schema = {
    "type": "array",
    "items": TEXT,
    "minItems": 0,
    "maxItems": 100,
    "description": "Each `operator`, or `operator:PATTERN` of source ARNs.",
}
_PERSON = named("Person", obj(fields_of(UserRow) | {"grants": array(TEXT)}))
_TOKEN = named("Token", obj(fields_of(TokenRow)))
_LINK: Schema = {"type": ["string", "null"], "description": "The address that signs them in, once. Shown this once."}
_SECRET: Schema = {"type": "string", "description": "The token itself. Shown this once."}
_ROLE: Schema = {"type": "string", "enum": list(Role)}
_DAYS: Schema = {"type": "integer", "minimum": 1, "maximum": LONGEST.days}
_PASSWORD: Schema = {"type": "string", "minLength": 1, "maxLength": 1_000}


@routes.get("/people", array(_PERSON))
def index() -> Json:
    """List everybody: their roles, how they come in, and since when they do not."""
    return [_shown(user) for user in list_users(session())]


@routes.post(
    "/people",
    obj({"person": _PERSON, "link": _LINK}),
    {"name": TEXT, "grants": _ROLES, "password": _PASSWORD},
    required=["name", "grants"],
    status=201,
    kept=False,
)
def add(body: Body) -> Json:
    """Add a person, who comes in by their password, or where none is given by a link that is answered this once."""
    user, key = people.add(body["name"], parse_grants(body["grants"]), body.get("password"))
    return {"person": _shown(user), "link": key and people.address_of(key)}


@routes.post("/people/grants", _PERSON, {"name": TEXT, "grants": _ROLES}, required=["name", "grants"])
def grant(body: Body) -> Json:
    """Say what a person may do from now on; no role: nothing."""
    return _shown(people.grant(body["name"], parse_grants(body["grants"])))


@routes.post("/people/link", obj({"person": _PERSON, "link": _LINK}), {"name": TEXT}, required=["name"], kept=False)
def link(body: Body) -> Json:
    """Make a link that signs a person in once."""
    user, key = people.link(body["name"])
    return {"person": _shown(user), "link": people.address_of(key)}


def _change(change: Callable[[str], UserRow], about: str) -> View:
    def act(body: Body) -> Json:
        return _shown(change(body["name"]))

    act.__name__, act.__doc__ = change.__name__, about
    return act


for _verb, _about in (
    (people.disable, "Let a person in no more: they are signed out everywhere, and their tokens revoked."),
    (people.enable, "Let a disabled person in again; their tokens stay revoked."),
):
    routes.post(f"/people/{_verb.__name__}", _PERSON, {"name": TEXT}, required=["name"])(_change(_verb, _about))


@routes.get("/people/tokens", array(_TOKEN))
def tokens() -> Json:
    """List everybody's tokens, the newest first: never a token itself."""
    return plain(list_tokens(session()))


@routes.post(
    "/people/tokens",
    obj({"token": _SECRET}),
    {"owner": TEXT, "name": TEXT, "role": _ROLE, "days": _DAYS},
    required=["owner", "name", "role", "days"],
    status=201,
    kept=False,
)
def add_token(body: Body) -> Json:
    """Make a token of a person's, which may do no more than `role`, and no more than they may."""
    lasts = timedelta(days=body["days"])
    return {"token": people.add_token(body["owner"], body["name"], Role(body["role"]), lasts)}


@routes.post("/people/tokens/<int:token_id>/revoke", _TOKEN)
def revoke_token(_body: Body, token_id: int) -> Json:
    """Let a token in no more, whosever it is."""
    return plain(people.revoke_token(token_id))


@mine.get("/me/tokens", array(_TOKEN))
def my_tokens() -> Json:
    """List one's own tokens, the newest first. Your own page makes and revokes them: a token makes no tokens."""
    user_id = principal().user_id
    if user_id is None:
        raise BadInput("Sign-in is off, so there is no account that a token could belong to.")
    return plain(list_tokens(session(), user_id))


def _shown(user: UserRow) -> Json:
    return {**plain(user), "grants": list(map(str, user.grants))}
