"""Errors of the API as RFC 9457 problem details: the sentence of the page, as JSON. Pure."""

from __future__ import annotations

import json
from http import HTTPStatus

from console.api.schemas import Schema, named, obj

PREFIX = "/api/"
"""What every address of the API begins with, also those that lead nowhere."""

CONTENT_TYPE = "application/problem+json"
PROBLEM: Schema = named(
    "Problem",
    {
        **obj(
            {
                "type": {"const": "about:blank"},
                "title": {"type": "string"},
                "status": {"type": "integer"},
                "detail": {"type": "string"},
            }
        ),
        "description": "RFC 9457. `detail` is a sentence for a person: what happened, and what to do next.",
    },
)


def problem_text(status: int, sentence: str) -> str:
    """Return the problem details of one error, as JSON text."""
    title = HTTPStatus(status).phrase if status in {each.value for each in HTTPStatus} else "Problem"
    return json.dumps({"type": "about:blank", "title": title, "status": status, "detail": sentence})
