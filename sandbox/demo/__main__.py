"""`make demo`: the console over a shop that fails; `--once` tells the whole story by itself and checks it."""

import argparse
import json
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sandbox.demo.processes import CommandFailed, Product, wait_until_served
from sandbox.demo.story import Story
from sandbox.functions import ACCOUNT, Function
from sandbox.local import Sandbox
from sandbox.shop import IDEMPOTENCY_TABLE, IDEMPOTENT_FOR_S, Shop
from sandbox.shop.office import ALL_WAYS

# The demo's functions give up within seconds instead of AWS's minutes, so silence means success sooner too.
DEMO_SETTINGS = {
    "REDRIVE_SETTLE_S": "6",
    "REDRIVE_RECEIVE_WAIT_S": "1",
    "REDRIVE_RECEIVERS": "1",  # of each of sixteen places, in which next to nothing lies
    "REDRIVE_LABEL": "sandbox",
    "REDRIVE_OPERATOR": "on-call",
    "REDRIVE_SIGN_IN": "link",  # the demo's token is its first person's, so a shell that has it off would end it
    "REDRIVE_ALLOWED_ACCOUNTS": ACCOUNT,  # a bucket does not say whose it is, so what lies there could be anybody's
    "REDRIVE_ALLOWED_TARGETS": f"arn:aws:*:*:{ACCOUNT}:*",  # what records name themselves; an account is discovered
}

AT_ONCE = 8
"""Invocations at once: more of them would only share two cores, and starting each has its price."""

_OF_THE_DEMO = ("--user", DEMO_SETTINGS["REDRIVE_OPERATOR"], "--role", "admin", "--days", "1")


def main() -> int:
    """Run the demo; return 0, or 1 when a check of the story did not hold."""
    args = _arguments()
    data_dir = Path(args.data).resolve()
    _fresh(data_dir)
    try:
        with _everything(data_dir, args) as (shop, product, began):
            if args.once:
                return _once(Story(shop, product, orders=args.orders, began=began), args)
            return _stay(shop, product, args)
    except CommandFailed as error:
        print(f"The demo stopped: {error}", file=sys.stderr)
        return 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="tell the whole story, check it, and end")
    parser.add_argument("--json", action="store_true", help="with --once: one JSON object as the last line")
    parser.add_argument("--orders", type=int, default=60, help="how many orders the shop takes at first (60)")
    parser.add_argument("--port", type=int, default=8080, help="the console's port on 127.0.0.1 (8080)")
    parser.add_argument("--data", default=".demo", help="the data folder, emptied at the start (.demo)")
    args = parser.parse_args()
    if args.orders < 1:
        parser.error("--orders must be at least 1")
    if args.once:
        args.port = _free_port()  # nobody looks, so it disturbs nobody
    elif not _is_free(args.port):
        parser.error(f"port {args.port} is taken; choose another: make demo ARGS='--port 8081'")
    return args


@contextmanager
def _everything(data_dir: Path, args: argparse.Namespace) -> Iterator[tuple[Shop, Product, datetime]]:
    """Start the sandbox, its shop, the worker and the console; end them all in the other order.

    Customers order as soon as the shop is open: what fails takes its time to fail for good, and the product comes up
    meanwhile. Yields the shop, the product, and when the first order was taken.
    """
    with Sandbox(data_dir / "sandbox", most_at_once=AT_ONCE) as box:
        product = Product(data_dir, {**box.env, **DEMO_SETTINGS, "REDRIVE_PORT": str(args.port)})
        try:
            product.start("console", "serve", "--port", str(args.port))
            shop = Shop(box, ways=ALL_WAYS)
            _deploy_collector(shop, product)
            began = datetime.now(UTC)
            shop.orders(args.orders)
            shop.office_orders()
            _set_up(shop, product, f"http://127.0.0.1:{args.port}")
            yield shop, product, began
        finally:
            product.stop()


def _set_up(shop: Shop, product: Product, console: str) -> None:
    """Wait for the console, start the worker, and tell them of the shop."""
    product.console = console
    wait_until_served(f"{console}/healthz")
    product.start("worker", "work")
    product.token = product.run("tokens", "add", "demo", *_OF_THE_DEMO).strip()
    _register_sources(shop, product)
    _say_what_is_idempotent(shop, product)


def _deploy_collector(shop: Shop, product: Product) -> None:
    """Deploy the product's own function, at which Lambda pushes what one of the shop's functions gave up on."""
    collector = Function(
        name="redrive-collect",
        handler="worker.lambda_collect.handler",
        code=Path(__file__).parents[2],
        timeout_s=60.0,
        memory_mb=1024,
        environment={"REDRIVE_DATA_DIR": str(product.data_dir), "POWERTOOLS_METRICS_NAMESPACE": "Redrive"},
    )
    shop.box.lambda_service.functions.put(collector)
    if shop.office:
        shop.office.pushes_to(collector.arn)


def _register_sources(shop: Shop, product: Product) -> None:
    """Register every place where the shop's failures land."""
    # A Lambda DLQ's messages do not name their function, so its source must.
    product.post("/sources", arn=shop.capture_dlq_arn, target=shop.capture_arn)
    for arn in (shop.notify_failures_arn, shop.fulfil_dlq_arn):
        product.post("/sources", arn=arn)
    for way in shop.office.ways if shop.office else ():
        function_arn = shop.box.lambda_service.functions.get(way.function).arn
        product.post("/sources", arn=way.place, target=function_arn if way.target else "")


def _say_what_is_idempotent(shop: Shop, product: Product) -> None:
    """Tell the console how the shop's functions keep orders idempotent, so that plans know what is done already."""
    batch = "Records[*].powertools_json(body)"  # orders-fulfil keeps every order of a batch, in a function of its own
    for arn, prefix, data_path in (
        (shop.capture_arn, "orders-capture.orders.capture.lambda_handler", ""),
        (shop.notify_arn, "orders-notify.orders.notify.lambda_handler", ""),
        (shop.fulfil_queue_arn, "orders-fulfil.orders.fulfil.pack", batch),
    ):
        keys = {"table": IDEMPOTENCY_TABLE, "prefix": prefix, "key_path": "orderId", "data_path": data_path}
        product.post("/targets", arn=arn, expires_s=str(IDEMPOTENT_FOR_S), **keys)


def _once(story: Story, args: argparse.Namespace) -> int:
    facts = story.tell(lambda text: print(text, file=sys.stderr))
    for sentence in facts["broken"]:
        print(sentence, file=sys.stderr)
    print(json.dumps(facts, indent=None if args.json else 2))
    return 0 if facts["ok"] else 1


def _stay(shop: Shop, product: Product, args: argparse.Namespace) -> int:
    link = product.run("link").strip()
    print(
        f"""
  The console            {link}
                         (signs you in, once; from then on it is http://127.0.0.1:{args.port})
  The sandbox            {shop.box.lambda_endpoint}    send more orders, deploy the fix, roll it back

  {args.orders} orders are on their way; those that fail for good appear within seconds.
  Look at a group, redrive it (it fails again), deploy the fix, redrive it once more.
  Data and logs: {product.data_dir}. Ctrl-C ends everything.
""",
        flush=True,
    )
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    while not stop.wait(1.0):
        if problem := product.died():
            raise CommandFailed(problem)
    return 0


def _fresh(data_dir: Path) -> None:
    """Empty the data folder, and only a folder that this demo made."""
    marker = data_dir / "made-by-the-demo"
    if data_dir.exists() and any(data_dir.iterdir()) and not marker.exists():
        raise SystemExit(f"{data_dir} is not empty and was not made by the demo; choose another with --data.")
    shutil.rmtree(data_dir, ignore_errors=True)
    data_dir.mkdir(parents=True)
    marker.touch()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


if __name__ == "__main__":
    sys.exit(main())
