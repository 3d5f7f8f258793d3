"""Lambda's HTTP API: the calls that a redrive and its discovery need."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, current_app, request

from sandbox import answers
from sandbox.functions import FunctionName, NoSuchFunction
from sandbox.pool import Throttled
from sandbox.service import LambdaService

SYNC_LIMIT = 6 * 1024 * 1024
ASYNC_LIMIT = 1024 * 1024
"""Bytes of payload that an invocation takes (Lambda quotas)."""
FUNCTIONS_A_PAGE = 50
MAPPINGS_A_PAGE = 100

bp = Blueprint("api", __name__)


def service() -> LambdaService:
    """Return the service that this application serves."""
    found: LambdaService = current_app.extensions["sandbox"]
    return found


@bp.post("/2015-03-31/functions/<path:name>/invocations")
def invoke(name: str) -> Response:
    """Invoke: wait for the answer, queue the event, or only check that it could be invoked."""
    kind = request.headers.get("X-Amz-Invocation-Type", "RequestResponse")
    try:
        run = _INVOCATIONS[kind]
    except KeyError:
        raise answers.bad_parameter(f"InvocationType is {kind!r}: Event, RequestResponse or DryRun.") from None
    target = _target(name)
    return run(target, _payload(ASYNC_LIMIT if kind == "Event" else SYNC_LIMIT))


def _wait(target: FunctionName, payload: str) -> Response:
    request_id, result = service().invoke(target, payload, _client_context())
    headers = {"X-Amz-Executed-Version": "$LATEST"}
    if result.failed:
        headers["X-Amz-Function-Error"] = "Unhandled"
    if request.headers.get("X-Amz-Log-Type") == "Tail":
        headers["X-Amz-Log-Result"] = base64.b64encode(result.log_tail).decode()
    return answers.answer(result.payload, 200, headers, request_id)


def _queue(target: FunctionName, payload: str) -> Response:
    return answers.answer("", 202, request_id=service().accept(target, payload))


def _check(target: FunctionName, _payload: str) -> Response:
    service().functions.get(target.name, target.qualifier)
    return answers.answer("", 204)


_INVOCATIONS: dict[str, Callable[[FunctionName, str], Response]] = {
    "RequestResponse": _wait,
    "Event": _queue,
    "DryRun": _check,
}


@bp.get("/2015-03-31/functions/")
def list_functions() -> Response:
    """ListFunctions: with `DeadLetterConfig`, so that no further call is needed to find it."""
    items = [answers.configuration(function) for function in service().functions.all() if not _other_account()]
    return _page("Functions", items, FUNCTIONS_A_PAGE)


@bp.get("/2015-03-31/functions/<path:name>/configuration")
def get_function_configuration(name: str) -> Response:
    """GetFunctionConfiguration."""
    target = _target(name)
    function = service().functions.get(target.name, target.qualifier)
    return answers.answer(answers.configuration(function, target.qualifier))


@bp.get("/2019-09-30/functions/<path:name>/concurrency")
def get_function_concurrency(name: str) -> Response:
    """GetFunctionConcurrency: nothing at all where none is reserved."""
    reserved = service().functions.get(_target(name).name).reserved_concurrency
    return answers.answer({} if reserved is None else {"ReservedConcurrentExecutions": reserved})


@bp.get("/2019-09-25/functions/<path:name>/event-invoke-config/list")
def list_function_event_invoke_configs(name: str) -> Response:
    """ListFunctionEventInvokeConfigs."""
    function = service().functions.get(_target(name).name)
    return _page("FunctionEventInvokeConfigs", [answers.invoke_config(function)], FUNCTIONS_A_PAGE)


@bp.get("/2015-03-31/event-source-mappings/")
def list_event_source_mappings() -> Response:
    """ListEventSourceMappings: all, those of a source, those of a function."""
    source, name = request.args.get("EventSourceArn"), request.args.get("FunctionName")
    function = FunctionName.parse(name).name if name else None
    chosen = [
        answers.mapping_configuration(mapping, target.arn)
        for mapping in service().mappings
        if (target := FunctionName.parse(mapping.function_name))
        and source in {None, mapping.source_arn}
        and function in {None, target.name}
        and not _other_account()
    ]
    return _page("EventSourceMappings", chosen, MAPPINGS_A_PAGE)


@bp.errorhandler(answers.ApiError)
def api_error(error: answers.ApiError) -> Response:
    """Answer an error of the API."""
    return error.answer()


@bp.errorhandler(NoSuchFunction)
def no_such_function(error: NoSuchFunction) -> Response:
    """Answer that the function is not there."""
    return answers.not_found(str(error)).answer()


@bp.errorhandler(Throttled)
def throttled(_error: Throttled) -> Response:
    """Answer that the function is at its limit."""
    return answers.throttled().answer()


def _other_account() -> bool:
    """Say whether somebody asks who took a role: roles here are other accounts', which have no functions."""
    return "Credential=ASIA" in request.headers.get("Authorization", "")


def _target(name: str) -> FunctionName:
    return FunctionName.parse(name, request.args.get("Qualifier"))


def _payload(limit: int) -> str:
    """Return the request's body, which must be JSON within *limit* bytes; none at all stands for ``{}``."""
    body = request.get_data() or b"{}"
    if len(body) > limit:
        raise answers.too_large(limit)
    try:
        text = body.decode()
        json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise answers.not_json(str(error)) from None
    return text


def _refuse(name: str) -> None:
    message = f"{name} is not JSON"
    raise ValueError(message)


def _client_context() -> Any:  # noqa: ANN401 - a caller's JSON
    text = request.headers.get("X-Amz-Client-Context")
    try:
        return json.loads(base64.b64decode(text)) if text else None
    except (ValueError, binascii.Error):
        raise answers.ApiError(400, "InvalidRequestContentException", message="ClientContext is not JSON.") from None


def _page(name: str, items: list[answers.Json], most: int) -> Response:
    marker, wanted = request.args.get("Marker"), request.args.get("MaxItems", type=int)
    return answers.answer(answers.page(name, items, marker, min(wanted or most, most)))
