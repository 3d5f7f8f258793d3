"""What the ways in have in common: it is written down, and the person goes on where they were."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from flask import current_app, redirect, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from console import context
from console.forms import local_path
from console.sign_in import cookies
from console.sign_in.oidc import Provider
from deadletter import store
from deadletter.access import role_map
from deadletter.actor import Actor
from deadletter.errors import BadInput
from deadletter.settings import Settings
from deadletter.store import audit
from deadletter.store.models import User
from deadletter.store.people import sign_ins, tries, users
from deadletter.store.people.secrets import password_fits

_PROVIDER = "redrive-oidc"


class TooManyTries(BadInput):
    """Sign-ins failed too often; `wait` says for how long nothing is tried."""

    def __init__(self, wait: timedelta) -> None:
        seconds = int(wait.total_seconds()) + 1
        super().__init__(
            f"Too many sign-ins failed here. Wait {seconds:,} s, then try again; earlier tries do not count."
        )
        self.wait_s = seconds


def back_or_home(path: str) -> str:
    """Return where to go on: *path* where it is a page of ours."""
    return local_path(path, url_for("home"))


def let_in(writing: Session, user_id: int, via: str, back: str) -> Response:
    """Sign this browser in, and lead on to *back*."""
    settings = context.settings()
    lasts = timedelta(hours=settings.session_hours)
    name = writing.get_one(User, user_id).name
    audit.note(writing, Actor(name, context.where()), "sign-in", "user", name, details={"by": via}, now=context.now())
    secret = sign_ins.sign_in(writing, user_id, via=via, came_from=context.where(), lasts=lasts, now=context.now())
    return cookies.keep_signed_in(redirect(back_or_home(back), 303), secret, lasts)


def check_password(name: str, password: str) -> int | None:
    """Return who signs in with that name and password; None where they do not fit. Raises TooManyTries."""
    keys = _keys(name)
    with store.write(context.engine()) as writing:
        if wait := tries.wait_left(writing, keys, now=context.now()):
            raise TooManyTries(wait)
        tries.note_failure(
            writing, keys, now=context.now()
        )  # before the slow part: a hundred at once count as a hundred
    user = users.by_name(context.session(), name)
    fits = password_fits(password, user.password_hash if user and not user.disabled_at else None)
    if user is None or not fits:
        return None
    with store.write(context.engine()) as writing:
        tries.forget_failures(writing, keys)
    return user.id


def provider() -> Provider:
    """Return the sign-in provider of the settings. Raises BadInput where there is none."""
    found: Provider | None = current_app.extensions.get(_PROVIDER)
    if found is None:
        raise BadInput("This console has no sign-in provider. REDRIVE_OIDC_ISSUER names one.")
    return found


def register_provider(settings: Settings, extensions: dict[str, object]) -> None:
    """Make the provider that the settings name, once for the whole process. Raises BadInput for roles that are none."""
    role_map(settings.oidc.roles if settings.oidc else "")
    if settings.oidc:
        extensions[_PROVIDER] = Provider(settings.oidc)


def _keys(name: str) -> Sequence[str]:
    return (f"name {name.strip().lower()}", f"address {request.remote_addr}")
