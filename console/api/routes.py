"""What an operation of the API is: its address, what it takes and answers; and how a request is carried through it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from flask import Response, request
from werkzeug.exceptions import UnsupportedMediaType

from console.api import repeats
from console.api.bodies import Body, read_body
from console.api.schemas import Schema
from deadletter.errors import BadInput
from deadletter.event import Json
from deadletter.store.answers import Answer

View = Callable[..., Json]
StreamView = Callable[..., Response]

MOST = 200
_NO_FIELDS: Mapping[str, Schema] = {}
CURSOR: Mapping[str, Schema] = {
    "cursor": {"type": "string", "description": "Where the page begins: the `next` of the page before."},
    "limit": {"type": "integer", "minimum": 1, "maximum": MOST, "default": 50},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one address. `body` is None where it takes none; else the schema of each field that it takes."""

    name: str
    tag: str
    method: str
    path: str
    about: str
    view: View
    answer: Schema
    status: int = 200
    query: Mapping[str, Schema] = field(default_factory=dict)
    body: Mapping[str, Schema] | None = None
    required: Sequence[str] = ()
    media: Sequence[str] = ()
    """The content types of an answer that is no JSON, which the view makes itself: a text, streamed."""
    kept: bool = True
    """Whether its answers may be kept for repeats: not those that hold secrets."""


class Routes:
    """The operations of one resource, as its module declares them."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.operations: list[Operation] = []

    def get(self, path: str, answer: Schema, **query: Schema) -> Callable[[View], View]:
        """Declare an operation that reads; its answer is JSON of the schema *answer*."""
        return self._declare("GET", path, {"answer": answer, "query": query})

    def stream(self, path: str, media: Iterable[str], **query: Schema) -> Callable[[StreamView], StreamView]:
        """Declare an operation that reads, and answers with a text of one of the content types *media*."""
        said = {"answer": {"type": "string"}, "media": tuple(media), "query": query}
        return self._declare("GET", path, said)

    def post(  # noqa: PLR0913 - what is said of an operation, each by its name
        self,
        path: str,
        answer: Schema,
        body: Body = _NO_FIELDS,
        *,
        required: Sequence[str] = (),
        status: int = 200,
        kept: bool = True,
    ) -> Callable[[View], View]:
        """Declare an operation that writes; its view is given the body, checked against *body*, first."""
        said = {"answer": answer, "body": body, "required": required, "status": status, "kept": kept}
        return self._declare("POST", path, said)

    def _declare(self, method: str, path: str, said: Mapping[str, Any]) -> Callable[[Any], Any]:
        def declare(view: Any) -> Any:  # noqa: ANN401 - a view, handed back as it is
            name = f"{self.tag}_{view.__name__.rstrip('_')}"
            about = (view.__doc__ or "").strip()
            self.operations.append(
                Operation(name=name, tag=self.tag, method=method, path=path, about=about, view=view, **said)
            )
            return view

        return declare


def carry_through(operation: Operation, named: Mapping[str, object]) -> Response:
    """Answer a request for *operation*: what it says is checked first, and a repeated write is answered again.

    Raises:
        BadInput: It says something that the operation does not take.
        UnsupportedMediaType: Its body is not declared as JSON.
    """
    _check_query(operation)
    if operation.media:
        return cast("Response", operation.view(**named))
    if operation.body is None:
        return repeats.response(Answer(operation.status, json.dumps(operation.view(**named))))
    body = _body(operation.body, operation.required)

    def do() -> Answer:
        return Answer(operation.status, json.dumps(operation.view(body, **named)))

    return repeats.response(repeats.once(do) if operation.kept else do())


def read_limit() -> int:
    """Return how many rows a page may have. Raises BadInput."""
    text = request.args.get("limit", "50")
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and 1 <= int(text) <= MOST):  # noqa: PLR2004 - digits
        raise BadInput(f"limit is {text[:40]!r}, and must be a whole number from 1 to {MOST}.")
    return int(text)


def _body(wanted: Mapping[str, Schema], required: Sequence[str]) -> Body:
    text = request.get_data()
    if (text or request.content_type) and request.mimetype != "application/json":
        raise UnsupportedMediaType("Say it as JSON, with the header Content-Type: application/json.")
    return read_body(text, wanted, required)


def _check_query(operation: Operation) -> None:
    for name in request.args:
        if name not in operation.query:
            there = f"There are: {', '.join(operation.query)}." if operation.query else "It takes none."
            raise BadInput(f"This address has no parameter {name[:60]!r}. {there}")
