"""The work queue: of which redrive a slice is to be sent. Each message has a token of its own, which names it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from deadletter.errors import BadInput


@dataclass(frozen=True, slots=True)
class Piece:
    """One slice to be sent. The rest that it leaves has a token that follows from its own: run twice, it is one."""

    redrive: int
    token: str

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> Piece:
        """Read a message's body. Raises BadInput for anything else."""
        redrive, token = said.get("redrive"), said.get("slice")
        if not isinstance(redrive, int) or isinstance(redrive, bool) or not isinstance(token, str) or not token:
            raise BadInput(f"{json.dumps(said)[:200]} is no slice: it takes a redrive's number and a token.")
        return cls(redrive, token)

    def next(self) -> Piece:
        """Return the slice after this one."""
        start, _, number = self.token.partition("/")
        return Piece(self.redrive, f"{start}/{int(number or 0) + 1}")

    def text(self) -> str:
        """Return it as a message's body."""
        return json.dumps({"redrive": self.redrive, "slice": self.token})


def queue_piece(queue_url: str, piece: Piece, *, delay_s: int = 0) -> None:
    """Put *piece* on the work queue, to be seen after *delay_s* seconds (at most 900)."""
    from deadletter.aws.clients import Purpose, client  # noqa: PLC0415 - its package loads every adapter

    send = client("sqs", _region(queue_url), Purpose.READ).send_message  # twice is harmless: its token is one
    send(QueueUrl=queue_url, MessageBody=piece.text(), DelaySeconds=delay_s)


def _region(queue_url: str) -> str:
    """Return the Region in a queue's URL; empty, for boto3 to find, where it is not AWS's own."""
    parts = (urlsplit(queue_url).hostname or "").split(".")
    return parts[1] if len(parts) > 3 and parts[0] == "sqs" else ""  # noqa: PLR2004 - sqs.REGION.amazonaws.com
