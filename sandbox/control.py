"""The sandbox's own controls.

Deploy functions and mappings, fix or break the shop, send orders; and the page with the buttons.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from flask import Blueprint, Response, abort, current_app, redirect, render_template, request
from werkzeug.wrappers import Response as Redirect

from sandbox import answers
from sandbox.functions import BadFunction, Function, FunctionName, NoSuchFunction, QueueMapping
from sandbox.streams import StreamMapping

if TYPE_CHECKING:
    from sandbox.service import LambdaService

MOST_ORDERS = 1000


class Shop(Protocol):
    """What the buttons need of a shop; the one that opens on this sandbox is built on top of it."""

    fixed: bool

    def orders(self, count: int, /) -> object:
        """Let *count* customers order."""

    def deploy_fix(self) -> None:
        """Deploy the release in which no order fails."""

    def roll_back(self) -> None:
        """Deploy the release with the bugs again."""


bp = Blueprint("control", __name__, template_folder="templates")


@bp.get("/")
def index() -> str:
    """Show what is deployed, and the buttons."""
    return render_template(
        "sandbox.html", functions=_service().functions.all(), shop=current_app.extensions.get("shop")
    )


@bp.put("/_sandbox/functions/<name>")
def put_function(name: str) -> Response:
    """Deploy a function, or change some settings of one: the fields of `Function`, as JSON."""
    functions, settings = _service().functions, _settings()
    if functions.find(name):
        deployed = functions.update(name, **settings)
    else:
        deployed = functions.put(Function(name=name, **settings))
    return answers.answer(answers.configuration(deployed))


@bp.put("/_sandbox/mappings")
def put_mapping() -> Response:
    """Make a queue or a stream the event source of a function: a `QueueMapping` or `StreamMapping` as JSON."""
    settings = request.get_json()
    mapping = StreamMapping(**settings) if "stream_arn" in settings else QueueMapping(**settings)
    _service().add_mapping(mapping)
    function_arn = FunctionName.parse(mapping.function_name).arn
    return answers.answer(answers.mapping_configuration(mapping, function_arn))


@bp.post("/_sandbox/fix")
def fix() -> Redirect:
    """Deploy the shop's fix."""
    _shop().deploy_fix()
    return redirect("/", 303)


@bp.post("/_sandbox/rollback")
def roll_back() -> Redirect:
    """Deploy the shop's bug again."""
    _shop().roll_back()
    return redirect("/", 303)


@bp.post("/_sandbox/orders")
def orders() -> Redirect:
    """Send orders: `n` of them."""
    count = request.form.get("n", type=int) or 0
    if not 1 <= count <= MOST_ORDERS:
        abort(422, f"Send 1 to {MOST_ORDERS} orders at a time.")
    _shop().orders(count)
    return redirect("/", 303)


@bp.errorhandler(BadFunction)
@bp.errorhandler(TypeError)
def bad_settings(error: Exception) -> tuple[str, int]:
    """Answer that a setting is unknown or out of range."""
    return str(error), 422


@bp.errorhandler(NoSuchFunction)
def no_such_function(error: NoSuchFunction) -> tuple[str, int]:
    """Answer that the function is not there."""
    return f"There is no function {error}.", 404


def _settings() -> dict[str, Any]:
    settings: dict[str, Any] = request.get_json()
    if "code" in settings:
        settings["code"] = Path(settings["code"])
    if "aliases" in settings:
        settings["aliases"] = frozenset(settings["aliases"])
    return settings


def _service() -> LambdaService:
    service: LambdaService = current_app.extensions["sandbox"]
    return service


def _shop() -> Shop:
    shop: Shop | None = current_app.extensions.get("shop")
    if shop is None:
        abort(409, "No shop is open in this sandbox: start it with `python -m sandbox`.")
    return shop
