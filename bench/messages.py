"""What is collected and stored: on-failure records of about 1 KB, as Lambda writes them, of some causes."""

import json
import uuid
from datetime import UTC, datetime

CAUSES = 25


def make_record(number: int) -> str:
    """Return a record with ids of its own and one of `CAUSES` causes."""
    request_id = str(uuid.uuid4())
    cause = number % CAUSES
    frame = f'  File "/var/task/app.py", line {31 + cause}, in step_{cause}\n    reserve(event)\n'
    record = {
        "version": "1.0",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {
            "requestId": request_id,
            "functionArn": "arn:aws:lambda:eu-west-1:000000000000:function:orders-ingest:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": {"orderId": f"ord-{number}", "note": "x" * 300},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": {
            "errorMessage": f"inventory service refused order ord-{number}",
            "errorType": "ValueError",
            "requestId": request_id,
            "stackTrace": [frame],
        },
    }
    return json.dumps(record)
