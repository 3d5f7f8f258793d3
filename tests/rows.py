"""Row values as reading the store returns them, for what is tested without a database. Every part can be given."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from deadletter.event import Producer, Redrivable
from deadletter.outcome import EventStatus, Outcome, RedriveStatus
from deadletter.store.instant import micros
from deadletter.store.rows import (
    EventDetail,
    EventRow,
    ExportRow,
    GroupRow,
    ItemRow,
    RecordRow,
    RedriveRow,
    ReportCause,
    ReportFacts,
    StatusCounts,
)

NIGHT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
MORNING = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
FUNCTION_ARN = "arn:aws:lambda:eu-west-1:123456789012:function:orders-capture"


def make_group_row(**given: Any) -> GroupRow:
    facts: dict[str, Any] = {
        "id": 4,
        "fingerprint": "1:9f86d081",
        "fingerprint_version": 1,
        "function_arn": FUNCTION_ARN,
        "function_name": "orders-capture",
        "error_type": "PaymentError",
        "title": "PaymentError: card declined for order <id>",
        "masked_message": "card declined for order <id>",
        "frames": ("app.py capture",),
        "status": EventStatus.UNRESOLVED,
        "first_seen": NIGHT,
        "last_seen": NIGHT,
        "counts": StatusCounts(unresolved=2),
        "sources": ("orders-dlq",),
    }
    return GroupRow(**facts | given)


def make_event_row(**given: Any) -> EventRow:
    facts: dict[str, Any] = {
        "id": 31,
        "group_id": 4,
        "group_title": "PaymentError: card declined for order <id>",
        "source_id": 1,
        "source_name": "orders-dlq",
        "status": EventStatus.UNRESOLVED,
        "redrive_id": None,
        "label": "ord-7741",
        "producer": Producer.LAMBDA_DESTINATION,
        "request_id": "5b0d1c62-5f0c-4a3c-9d3e-0a8d2a6f5e11",
        "function_arn": FUNCTION_ARN,
        "function_name": "orders-capture",
        "qualifier": "$LATEST",
        "condition": "RetriesExhausted",
        "invoke_count": 3,
        "error_type": "PaymentError",
        "error_message": "card declined for order ord-7741",
        "occurred_at": NIGHT,
        "last_failed_at": NIGHT,
        "collected_at": NIGHT,
        "payload_bytes": 40,
        "target_kind": "lambda",
        "target_arn": FUNCTION_ARN,
        "redrivable": Redrivable.YES,
        "reason": None,
        "truncated": False,
        "failures": 1,
        "last_outcome": None,
    }
    return EventRow(**facts | given)


def make_body(
    payload: object = None,
    *,
    stack: tuple[str, ...] = ('  File "/var/task/app.py", line 12, in capture\n',),
    request_id: str = "5b0d1c62-5f0c-4a3c-9d3e-0a8d2a6f5e11",
    error: tuple[str, str] = ("PaymentError", "card declined"),
    at: datetime = NIGHT,
) -> str:
    """Return an on-failure record of Lambda's, as it lies in a destination queue."""
    return json.dumps(
        {
            "version": "1.0",
            "timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "requestContext": {
                "requestId": request_id,
                "functionArn": f"{FUNCTION_ARN}:$LATEST",
                "condition": "RetriesExhausted",
                "approximateInvokeCount": 3,
            },
            "requestPayload": {"order": "ord-7741", "amount": 18} if payload is None else payload,
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
            "responsePayload": {"errorType": error[0], "errorMessage": error[1], "stackTrace": list(stack)},
        }
    )


def make_record_row(**given: Any) -> RecordRow:
    facts: dict[str, Any] = {
        "id": 90,
        "event_id": 31,
        "source_id": 1,
        "source_name": "orders-dlq",
        "source_arn": "arn:aws:sqs:eu-west-1:123456789012:orders-dlq",
        "message_id": "m-1",
        "body": make_body(),
        "attributes": {},
        "message_attributes": {},
        "producer": Producer.LAMBDA_DESTINATION,
        "group_id": 4,
        "occurred_at": NIGHT,
        "collected_at": NIGHT,
        "is_failure": True,
    }
    return RecordRow(**facts | given)


def make_item_row(**given: Any) -> ItemRow:
    facts: dict[str, Any] = {
        "redrive_id": 7,
        "position": 1,
        "event_id": 31,
        "event_label": "ord-7741",
        "request_id": None,
        "target_kind": "lambda",
        "target_arn": FUNCTION_ARN,
        "outcome": Outcome.FAILED_AGAIN,
        "reason": None,
        "sent_at": NIGHT,
        "sent_id": "s-1",
        "settled_at": NIGHT,
        "evidence": None,
        "error_type": None,
        "error_message": None,
        "stack_trace": None,
        "group_id": None,
        "group_title": None,
        "record_id": None,
        "asked_by": "ada",
        "redrive_status": RedriveStatus.FINISHED,
        "failed_type": None,
        "failed_message": None,
        "occurred_at": NIGHT,
    }
    return ItemRow(**facts | given)


def make_redrive_row(**given: Any) -> RedriveRow:
    facts: dict[str, Any] = {
        "id": 7,
        "status": RedriveStatus.FINISHED,
        "title": "PaymentError in orders-capture",
        "selection": {"filter": "group=4"},
        "targets": [
            {"kind": "lambda", "arn": FUNCTION_ARN, "count": 2, "why": "the record names it", "invocation": None}
        ],
        "digest": "abc123",
        "invocation": "RequestResponse",
        "rate": 20.0,
        "asked_by": "ada",
        "planned_at": NIGHT,
        "oldest_at": NIGHT,
        "last_event_id": 31,
        "started_at": NIGHT,
        "started_by": "ada",
        "sent_all_at": NIGHT,
        "finished_at": NIGHT,
        "cancelled_by": None,
        "busy_until": None,
        "busy_reason": None,
        "busy_count": 0,
        "settle_s": 8.0,
        "preflight": None,
        "edit": None,
        **dict.fromkeys(
            ("planned", "waiting", "sending", "sent", "succeeded", "failed_again", "skipped", "unknown"), 0
        ),
    }
    return RedriveRow(**facts | given)


def make_detail(**given: Any) -> EventDetail:
    main = make_record_row()
    facts: dict[str, Any] = {"event": make_event_row(), "main": main, "records": (main,), "items": ()}
    return EventDetail(**facts | given)


def make_facts(**given: Any) -> ReportFacts:
    """Return a night with three failures: two of a cause that is shown with a sample, one archived of another cause."""
    facts: dict[str, Any] = {
        "since": NIGHT,
        "until": MORNING,
        "events": 3,
        "counts": StatusCounts(unresolved=1, resolved=1, archived=1),
        "hours": ((int(NIGHT.timestamp()) // 3600, 3),),
        "functions": (("orders-capture", 3, 1),),
        "causes": (ReportCause(group=make_group_row(), events=2, open=1, resolved=1, sample=make_detail()),),
        "redrives": (make_redrive_row(planned=2, succeeded=1, failed_again=1),),
        "outcomes": {"succeeded": 1, "failed_again": 1},
    }
    return ReportFacts(**facts | given)


def make_export_row(body: str | None = None, **given: Any) -> ExportRow:
    event = make_event_row()
    facts: dict[str, Any] = {name: getattr(event, name) for name in ExportRow._fields if hasattr(event, name)}
    facts |= {name: micros(getattr(event, name)) for name in ("occurred_at", "last_failed_at", "collected_at")}
    facts |= {
        "record_id": 90,
        "record_producer": Producer.LAMBDA_DESTINATION,
        "attributes": "{}",
        "message_attributes": "{}",
        "body": make_body() if body is None else body,
    }
    return ExportRow(**facts | given)
