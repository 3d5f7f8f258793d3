"""The API as one blueprint: every operation that the resources declare, and the document of them all."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from console.api import discovery, edits, events, exports, groups, people, reading, redrives, sources, targets
from console.api.document import document
from console.api.routes import Operation, carry_through

PREFIX = "/api/v1"
OPERATIONS = tuple(
    operation
    for routes in (
        *(module.routes for module in (groups, events, edits, redrives, sources, targets, discovery, exports, people)),
        people.mine,
        *(reading.reports, reading.audit, reading.unknown, reading.workers, reading.me),
    )
    for operation in routes.operations
)

bp = Blueprint("api", __name__, url_prefix=PREFIX)


@bp.get("/openapi.json")
def openapi() -> Response:
    """Describe the API, for programs that read OpenAPI."""
    return jsonify(document(OPERATIONS, PREFIX))


def _add(operation: Operation) -> None:
    def view(**named: object) -> Response:
        return carry_through(operation, named)

    bp.add_url_rule(operation.path, operation.name, view, methods=[operation.method])


for _each in OPERATIONS:
    _add(_each)
