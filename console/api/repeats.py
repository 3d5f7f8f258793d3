"""Writes that may be repeated: with the same `Idempotency-Key` they are done once and answered alike."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from flask import Response, request
from werkzeug.exceptions import BadRequest

from console import context, problems
from console.api.problem import CONTENT_TYPE, problem_text
from deadletter import store
from deadletter.errors import RedriveError
from deadletter.store import answers
from deadletter.store.answers import Answer

HEADER = "Idempotency-Key"
MOST_CHARS = 200
_ERRORS = 400
_NO_KEY = f"An {HEADER} is 1 to {MOST_CHARS} visible ASCII characters, such as a UUID."


def once(do: Callable[[], Answer]) -> Answer:
    """Do it, or give the answer that it got the first time; without a key it is done each time.

    An answer is kept for `answers.KEPT`, a refusal too. What failed by our own fault is not: it may be asked again.

    Raises:
        BadInput: The key was used for another request.
        IllegalMove: The same request has no answer yet.
        BadRequest: The key is not one.
    """
    if HEADER not in request.headers:
        return do()
    owner, key = _owner(), _key()
    with store.write(context.engine()) as writing:
        before = answers.begin(writing, owner, key, digest=_digest(), now=context.now())
    if before is not None:
        return before
    return _keep(owner, key, do)


def response(answer: Answer) -> Response:
    """Return an answer as HTTP says it."""
    kind = CONTENT_TYPE if answer.status >= _ERRORS else "application/json"
    return Response(answer.body, answer.status, content_type=kind)


def _keep(owner: str, key: str, do: Callable[[], Answer]) -> Answer:
    try:
        answer = do()
    except RedriveError as error:
        status = problems.status_of(error)
        answer = Answer(status, problem_text(status, str(error)))
    except BaseException:
        with store.write(context.engine()) as writing:
            answers.release(writing, owner, key)
        raise
    with store.write(context.engine()) as writing:
        answers.keep(writing, owner, key, answer)
    return answer


def _owner() -> str:
    principal = context.principal()
    return f"user {principal.user_id}" if principal.user_id is not None else f"operator {principal.name}"


def _key() -> str:
    key = request.headers[HEADER]
    if not (1 <= len(key) <= MOST_CHARS and key.isascii() and key.isprintable() and " " not in key):
        raise BadRequest(_NO_KEY)
    return key


def _digest() -> str:
    said = hashlib.sha256(f"{request.method} {request.full_path}\n".encode("utf-8", "surrogatepass"))
    said.update(request.get_data())
    return said.hexdigest()
