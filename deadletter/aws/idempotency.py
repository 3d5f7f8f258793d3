"""A handler's idempotency table in DynamoDB, and what a function says of where that is. Read only."""

from __future__ import annotations

import random
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

from deadletter.aws.clients import Purpose, client
from deadletter.aws.trouble import ERRORS, Trouble, kind_of, source_error
from deadletter.errors import SourceError
from deadletter.event import Json, region_of
from deadletter.preflight import Record, Rules
from deadletter.preflight.discovery import Consumer

PER_CALL = 100
"""Keys that one BatchGetItem takes (AWS's limit)."""

AT_ONCE = 4
"""Calls at once: a pre-flight is in a hurry, but the table is the handler's."""

WAITS_S = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
"""How long to wait, before spreading, after each answer in a row that left keys out; then we give up."""

_SLOW_DOWN = {Trouble.THROTTLED, Trouble.UNWELL, Trouble.UNREACHABLE, Trouble.LOST}
_THROTTLED = {"ProvisionedThroughputExceededException", "RequestLimitExceeded"}


class DynamoDbRecords:
    """The records of one consumer. `dynamodb:BatchGetItem` on its table is all that it needs."""

    def __init__(self, rules: Rules, target_arn: str, *, waits_s: Sequence[float] = WAITS_S) -> None:
        self._waits_s = waits_s
        self._table = rules.table
        self._arn = _table_arn(rules.table, target_arn)
        self._names = rules.names
        self._prefix = rules.prefix
        self._client = client("dynamodb", region_of(self._arn), Purpose.READ)

    def look_up(self, keys: Collection[str]) -> Mapping[str, Record]:
        """Return the records that there are; see `IdempotencyRecords.look_up`."""
        wanted = sorted(set(keys))
        calls = [wanted[start : start + PER_CALL] for start in range(0, len(wanted), PER_CALL)]
        if len(calls) <= 1:
            return dict(pair for call in calls for pair in self._read(call))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return dict(pair for pairs in pool.map(lambda call: list(self._read(call)), calls) for pair in pairs)

    def _read(self, keys: Sequence[str]) -> Iterator[tuple[str, Record]]:
        """Yield the records of at most `PER_CALL` keys; what DynamoDB leaves out is asked for again."""
        request = self._request(keys)
        for wait_s in (*self._waits_s, None):
            answer = self._ask(request, last=wait_s is None)
            for item in chain.from_iterable(answer.get("Responses", {}).values()):
                yield self._key_of(item), self._record(item)
            request = answer.get("UnprocessedKeys") or {}
            if not request:
                return
            if wait_s is not None:
                time.sleep(wait_s * random.uniform(0.5, 1.5))  # noqa: S311 - spreads calls; no secret
        message = (
            f"The table {self._table} left keys unread {len(self._waits_s) + 1} times in a row: it has too little read "
            "capacity for a pre-flight now. Try again later, or give it more."
        )
        raise SourceError(message)

    def _ask(self, request: Mapping[str, Any], *, last: bool) -> Mapping[str, Any]:
        """Return the answer; where the table asks to slow down, an answer that leaves everything out."""
        try:
            answer: Mapping[str, Any] = self._client.batch_get_item(RequestItems=request)
        except ERRORS as error:
            if not last and (kind_of(error) in _SLOW_DOWN or _code(error) in _THROTTLED):
                return {"UnprocessedKeys": request}
            raise source_error(error, action="dynamodb:BatchGetItem", arn=self._arn) from error
        return answer

    def _request(self, keys: Sequence[str]) -> dict[str, Any]:
        wanted = (
            self._names.key, self._names.sort_key, self._names.status, self._names.expiry,
            self._names.in_progress_expiry, self._names.validation,
        )  # fmt: skip
        names = {f"#a{n}": name for n, name in enumerate(dict.fromkeys(filter(None, wanted)))}
        return {
            self._table: {
                "Keys": [self._item_key(key) for key in keys],
                "ConsistentRead": True,
                "ProjectionExpression": ", ".join(names),  # never the handler's answers
                "ExpressionAttributeNames": names,
            }
        }

    def _item_key(self, key: str) -> dict[str, Any]:
        if self._names.sort_key is None:
            return {self._names.key: {"S": key}}
        function = self._prefix.partition(".")[0]
        partition = self._names.static_pk or f"idempotency#{function}"
        return {self._names.key: {"S": partition}, self._names.sort_key: {"S": key}}

    def _key_of(self, item: Mapping[str, Any]) -> str:
        return str(item[self._names.sort_key or self._names.key]["S"])

    def _record(self, item: Mapping[str, Any]) -> Record:
        return Record(
            status=item.get(self._names.status, {}).get("S", ""),
            expiration=_number(item.get(self._names.expiry)),
            in_progress_expiration=_number(item.get(self._names.in_progress_expiry)),
            validation=item.get(self._names.validation, {}).get("S"),
        )


def read_consumer(function_arn: str) -> Consumer:
    """Read what a function says of itself (GetFunctionConfiguration). Raises SourceError."""
    try:
        reader = client("lambda", region_of(function_arn), Purpose.READ)
        said: Mapping[str, Json] = reader.get_function_configuration(FunctionName=function_arn)
    except ERRORS as error:
        raise source_error(error, action="lambda:GetFunctionConfiguration", arn=function_arn) from error
    return Consumer(
        name=said.get("FunctionName", ""),
        handler=said.get("Handler", ""),
        environment=said.get("Environment", {}).get("Variables", {}),
    )


def _table_arn(table: str, target_arn: str) -> str:
    """Return the table's ARN: a name alone stands for the table in the target's account and Region."""
    if table.startswith("arn:"):
        return table
    _, partition, _, region, account, *_ = target_arn.split(":")
    return f"arn:{partition}:dynamodb:{region}:{account}:table/{table}"


def _number(attribute: Mapping[str, str] | None) -> int | None:
    return int(float(attribute["N"])) if attribute and "N" in attribute else None


def _code(error: Exception) -> str:
    answer: Mapping[str, Any] = getattr(error, "response", {})
    return str(answer.get("Error", {}).get("Code", ""))
