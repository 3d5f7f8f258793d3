"""Errors as pages: a status code, a sentence that says what happened, and where to go from here. JSON for the API."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Mapping
from http import HTTPStatus

from flask import Flask, render_template, request
from sqlalchemy.exc import DatabaseError, OperationalError
from werkzeug.exceptions import HTTPException

from console.api.bodies import NotJson
from console.api.problem import CONTENT_TYPE, PREFIX, problem_text
from console.forms import local_path
from deadletter.access import Forbidden
from deadletter.errors import BadInput, ChangedSincePlan, IllegalMove, NotFound, RedriveError

log = logging.getLogger(__name__)

_STATUS: dict[type[RedriveError], int] = {
    NotJson: 400,  # before BadInput, which it is one of
    Forbidden: 403,
    NotFound: 404,
    BadInput: 422,
    ChangedSincePlan: 409,
    IllegalMove: 409,
}
_TITLES = {
    400: "This request is not understood",
    401: "Nobody is signed in",
    403: "Refused",
    404: "There is nothing here",
    405: "This address does not take that",
    409: "Something changed in the meantime",
    413: "That is too large",
    422: "This cannot be done as asked",
    500: "The console failed",
    503: "The database does not answer",
}
_SENTENCES = {
    404: "No page has this address. Nothing is lost: events, groups and redrives keep theirs.",
    405: "The page at this address is read by GET or changed by its own form, not the other way round.",
    413: "A form of this console is at most 1 MB. Choose everything that matches a filter instead of single rows.",
}
_KEEPS_FORM = frozenset({404, 409, 422})
_BROKEN = "An error in the console itself; nothing was changed by this request. Its log says what happened."
_BUSY = (
    "The database is busy or cannot be reached, so nothing was read or changed. Load the page again in a few seconds. "
    "If it stays so, see whether another program holds it open, its disk is full, or its server is down."
)
_UNREADABLE = (
    "The database file cannot be read as one: it is damaged, or something else lies in its place. Nothing was read or "
    "changed. Stop the console and the workers, keep the file, and put the newest backup in its place; the log has "
    "SQLite's own words."
)
Answer = tuple[str, int, dict[str, str]]
_TOLD = frozenset({"Allow", "Retry-After"})
_NONE: Mapping[str, str] = {}


def register(app: Flask) -> None:
    """Turn every error of *app* into a page."""
    app.register_error_handler(RedriveError, _redrive_error)
    app.register_error_handler(OperationalError, _database_error)
    app.register_error_handler(DatabaseError, _no_database)
    app.register_error_handler(sqlite3.DatabaseError, _no_database)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _any_error)


def status_of(error: RedriveError) -> int:
    """Return the HTTP status that says what *error* says."""
    return next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 500)


def problem(status: int, sentence: str, headers: Mapping[str, str] = _NONE) -> Answer:
    """Return the page of one problem, with the way back to the list that a form came from; JSON under `/api/`."""
    if request.path.startswith(PREFIX):
        return problem_text(status, sentence), status, {"Content-Type": CONTENT_TYPE, **headers}
    back_to = local_path(request.form.get("back", ""), "") if status in _KEEPS_FORM else ""
    title = _TITLES.get(status, "Problem")
    page = render_template("problem.html", status=status, title=title, sentence=sentence, back_to=back_to)
    return page, status, dict(headers)


def _redrive_error(error: RedriveError) -> Answer:
    return problem(status_of(error), str(error))


def _database_error(error: OperationalError) -> Answer:
    log.warning("database: %s", error.orig)
    return problem(503, _BUSY, {"Retry-After": "5"})


def _no_database(error: DatabaseError | sqlite3.DatabaseError) -> Answer:
    """Answer 503 where SQLite says that the file is none of its own, or damaged; what else went wrong is ours."""
    if type(error) not in {DatabaseError, sqlite3.DatabaseError}:
        return _any_error(error)
    log.error("database: %s", getattr(error, "orig", error))
    return problem(503, _UNREADABLE, {"Retry-After": "60"})


def _http_error(error: HTTPException) -> Answer:
    status = error.code or 500
    own_words = status in {400, 401, 403, 415} and error.description
    headers = {name: value for name, value in error.get_headers() if name in _TOLD}
    if status == HTTPStatus.UNAUTHORIZED and request.path.startswith(PREFIX):
        headers["WWW-Authenticate"] = "Bearer"
    return problem(status, str(own_words or _SENTENCES.get(status) or error.description), headers)


def _any_error(error: Exception) -> Answer:
    log.error("unhandled: %s", type(error).__name__, exc_info=error)
    return problem(500, _BROKEN)
