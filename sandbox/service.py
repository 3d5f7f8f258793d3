"""Lambda: what is deployed, where it runs, and what becomes of events that fail."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from sandbox.asynchronous import AWS_WAITS_S, AsyncEvent, AsyncQueue
from sandbox.clients import Clients
from sandbox.delivery import Delivery
from sandbox.environment import Invocation, Result
from sandbox.functions import FunctionName, QueueMapping, Registry
from sandbox.mapping import Poller
from sandbox.pool import MOST_AT_ONCE, Pool, Throttled
from sandbox.shards import StreamPoller
from sandbox.streams import StreamMapping, open_source
from sandbox.zygote import Zygote


class LambdaService:
    """The service behind the API. Use as a context manager.

    Args:
        folder: Where the functions' logs go.
        env: What functions find in their environment besides AWS's own variables: endpoints and credentials.
        clients: boto3 clients for delivering failures and polling queues.
        retry_waits_s: Seconds before the second and the third attempt of an asynchronous invocation.
    """

    def __init__(
        self,
        folder: Path,
        env: dict[str, str],
        clients: Clients,
        retry_waits_s: Sequence[float],
        *,
        most_at_once: int = MOST_AT_ONCE,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.functions = Registry()
        self.delivery = Delivery(clients)
        self._clients = clients
        self._zygote = Zygote(folder / "zygote.log")
        self._pool = Pool(self.functions, self._zygote, folder, env, most_at_once=most_at_once)
        self._queue = AsyncQueue(self.functions, self._pool, self.delivery.give_up, retry_waits_s)
        self._scale = retry_waits_s[0] / AWS_WAITS_S[0]
        self._pollers: dict[str, Poller | StreamPoller] = {}

    def __enter__(self) -> Self:
        self._queue.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop everything at once: the environments are killed, so no thread waits for them long."""
        with ExitStack() as last:
            last.callback(self._pool.close)
            parts: list[AsyncQueue | Poller | StreamPoller] = [self._queue, *self._pollers.values()]
            for part in parts:
                part.stop()
                last.callback(part.join)
            last.callback(self._zygote.close)

    @property
    def mappings(self) -> list[QueueMapping | StreamMapping]:
        """The event source mappings."""
        return [poller.mapping for poller in list(self._pollers.values())]

    def invocations(self, name: str) -> int:
        """Return how often a function was invoked, retries and all."""
        return self._pool.ran[name]

    def add_mapping(self, mapping: QueueMapping | StreamMapping) -> None:
        """Start to poll the source of *mapping*, once.

        Raises:
            NoSuchFunction: Its function is not there.
        """
        target = FunctionName.parse(mapping.function_name)
        self.functions.get(target.name, target.qualifier)
        if mapping.uuid not in self._pollers:
            self._pollers[mapping.uuid] = self._poller(mapping)
            self._pollers[mapping.uuid].start()

    def remove_mapping(self, uuid: str) -> None:
        """Poll no more for a mapping; return when what it had in hand is done."""
        poller = self._pollers.pop(uuid)
        poller.stop()
        poller.join()

    def invoke(self, target: FunctionName, payload: str, client_context: object = None) -> tuple[str, Result]:
        """Invoke and wait; return the request id and the result.

        Raises:
            NoSuchFunction: There is no such function, version or alias.
            Throttled: Its reserved concurrency is used up.
        """
        function = self.functions.get(target.name, target.qualifier)
        arn = function.arn_of(target.qualifier)
        invocation = Invocation(payload=payload, arn=arn, client_context=client_context)
        return invocation.request_id, self._pool.run(function, invocation)

    def accept(self, target: FunctionName, payload: str) -> str:
        """Queue an asynchronous invocation; return its request id, which all its attempts will have.

        Raises:
            NoSuchFunction: There is no such function, version or alias.
            Throttled: It refuses events.
        """
        if self.functions.get(target.name, target.qualifier).refuses_events:
            raise Throttled(target.name)
        event = AsyncEvent(target=target, payload=payload)
        self._queue.put(event)
        return event.request_id

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Wait until no asynchronous event is left, at most *timeout_s* seconds; return whether that came to be."""
        return self._queue.wait_until_idle(timeout_s)

    def _poller(self, mapping: QueueMapping | StreamMapping) -> Poller | StreamPoller:
        if isinstance(mapping, QueueMapping):
            return Poller(mapping, self.functions, self._pool, self._clients)
        function = self.functions.get(FunctionName.parse(mapping.function_name).name)
        return StreamPoller(
            mapping,
            source=open_source(self._clients, mapping.stream_arn, function.role_arn),
            invoke=self.invoke,
            send=self.delivery.send,
            scale=self._scale,
        )
