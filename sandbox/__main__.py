"""Run the sandbox with its shop, or tell a running one what to do.

``python -m sandbox [run|fix|rollback|orders N]``.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from sandbox.local import RETRY_WAITS_S, Sandbox
from sandbox.shop import Shop
from sandbox.shop.office import ALL_WAYS

PORT, LAMBDA_PORT = 4566, 4567
WAITS_VARIABLE = "SANDBOX_RETRY_WAITS"


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit status."""
    chosen = _parser().parse_args(arguments)
    if chosen.command == "run":
        return run(chosen)
    return tell(chosen.lambda_port, chosen.command, {"n": chosen.count} if chosen.command == "orders" else {})


def run(chosen: argparse.Namespace) -> int:
    """Run the sandbox in the foreground until SIGINT or SIGTERM."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    box = Sandbox(chosen.data, port=chosen.port, lambda_port=chosen.lambda_port, retry_waits_s=chosen.retry_waits)
    with box:
        shop = Shop(box, ways=ALL_WAYS)
        _say(f"The sandbox is ready: {box.lambda_endpoint}/ has its page. Ctrl-C ends it. Failures land in")
        for arn in sorted({*shop.failure_arns, *(way.place for way in (shop.office.ways if shop.office else ()))}):
            _say(f"  {arn}")
        _say("Programs find it with these variables:\n")
        for name, value in box.env.items():
            _say(f"export {name}={value}")
        ended.wait()
    return 0


def tell(port: int, what: str, fields: dict[str, int]) -> int:
    """Press a button of the sandbox that runs at *port*."""
    url = f"http://127.0.0.1:{port}/_sandbox/{what}"
    try:
        with urlopen(Request(url, urlencode(fields).encode(), method="POST"), timeout=60):
            return 0
    except HTTPError as error:
        with error:
            print(f"The sandbox refused: {error.read().decode()}", file=sys.stderr)  # noqa: T201 - a command's output
    except URLError as error:
        problem = f"No sandbox answers on port {port} ({error.reason}). Start one: python -m sandbox"
        print(problem, file=sys.stderr)  # noqa: T201 - a command's output
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="A local AWS that fails the way AWS fails.")
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("data/sandbox"),
        metavar="DIR",
        help="where its logs and files go (data/sandbox)",
    )
    parser.add_argument("--port", type=int, default=PORT, help=f"port of SQS, DynamoDB and the others ({PORT})")
    parser.add_argument(
        "--lambda-port", type=int, default=LAMBDA_PORT, help=f"port of Lambda and the page ({LAMBDA_PORT})"
    )
    parser.add_argument("--retry-waits", type=waits, default=_waits_from_env(), metavar="S,S", help=_WAITS_HELP)
    commands = parser.add_subparsers(title="commands", dest="command")
    commands.add_parser("run", help="run the sandbox with its shop (what happens without a command)")
    commands.add_parser("fix", help="deploy the shop's fix in the sandbox that runs")
    commands.add_parser("rollback", help="deploy the bug again")
    orders = commands.add_parser("orders", help="send orders")
    orders.add_argument("count", type=int, metavar="N", help="how many")
    parser.set_defaults(command="run")
    return parser


_WAITS_HELP = (
    f"seconds before the second and third attempt of an event; AWS has 60,120 (${WAITS_VARIABLE}, else 0.2,0.4)"
)


def waits(text: str) -> tuple[float, float]:
    """Read the two waits between attempts, in seconds.

    Raises:
        argparse.ArgumentTypeError: *text* is not two numbers above 0.
    """
    try:
        first, second = (float(part) for part in text.split(","))
    except ValueError:
        first = second = 0.0
    if min(first, second) <= 0:
        message = f"{text!r} is not two numbers of seconds above 0, such as 60,120"
        raise argparse.ArgumentTypeError(message)
    return first, second


def _waits_from_env() -> str:
    """Return the default as text, so that argparse checks it like an argument."""
    return os.environ.get(WAITS_VARIABLE) or ",".join(str(wait) for wait in RETRY_WAITS_S)


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a command's output


if __name__ == "__main__":
    sys.exit(main())
