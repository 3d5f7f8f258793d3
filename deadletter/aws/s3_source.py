"""A prefix of a bucket that failures land under: listed in order, each object read once and within a limit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from deadletter.aws.clients import Purpose, client
from deadletter.aws.trouble import ERRORS, Trouble, kind_of, sentence, source_error
from deadletter.errors import ObjectRefused, SourceError
from deadletter.event import BUCKET_ARN, ObjectRef, ReceivedMessage
from deadletter.ports import Skip

MAX_OBJECT_BYTES = 16 * 2**20
"""The largest that a failure's record can sensibly be: a batch of 6 MB, escaped, with what Lambda says of it."""

_PAGE = 1_000
"""Keys a listing's page, S3's limit."""


class S3Source:
    """The objects of a bucket whose keys begin with the prefix of an ARN `arn:aws:s3:::bucket/prefix`."""

    def __init__(self, arn: str) -> None:
        match = BUCKET_ARN.fullmatch(arn)
        if match is None:
            raise SourceError(f"{arn[:200]!r} is not the ARN of a bucket or a prefix in it.")
        self._arn, self._bucket, self._prefix = arn, match[1], match[2] or ""
        self._client = client("s3", "", Purpose.READ)

    def list_after(self, key: str, *, most: int = _PAGE) -> Sequence[ObjectRef]:
        """Return at most *most* objects whose keys come after *key*, in S3's order; see `ObjectSource.list_after`."""
        after = {"StartAfter": key} if key else {}
        try:
            answer = self._client.list_objects_v2(
                Bucket=self._bucket, Prefix=self._prefix, MaxKeys=min(most, _PAGE), **after
            )
        except ERRORS as error:
            raise source_error(error, action="s3:ListBucket", arn=self._arn) from error
        return [
            ObjectRef(self._bucket, item["Key"], int(item["Size"]), item.get("ETag", "").strip('"'))
            for item in answer.get("Contents", [])
        ]

    def fetch(self, ref: ObjectRef) -> ReceivedMessage | Skip | None:
        """Read an object, never more of it than the limit; see `ObjectSource.fetch`."""
        if ref.size is not None and ref.size > MAX_OBJECT_BYTES:
            return Skip(ref, _too_large(ref.size))
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=ref.key)
            with answer["Body"] as stream:
                content: bytes = stream.read(MAX_OBJECT_BYTES + 1)
        except ERRORS as error:
            kind, arn = kind_of(error), f"{self._arn} ({ref.key[:200]})"
            if kind is Trouble.MISSING:
                return None
            if kind is Trouble.DENIED:
                raise ObjectRefused(sentence(error, action="s3:GetObject", arn=arn)) from error
            raise source_error(error, action="s3:GetObject", arn=arn) from error
        return _read(ref, content, answer)

    def current(self, key: str) -> ObjectRef | None:
        """Look at an object without reading it; see `ObjectSource.current`."""
        try:
            answer = self._client.head_object(Bucket=self._bucket, Key=key)
        except ERRORS as error:
            if kind_of(error) is Trouble.MISSING:
                return None
            raise source_error(error, action="s3:GetObject", arn=f"{self._arn} ({key[:200]})") from error
        return ObjectRef(self._bucket, key, int(answer["ContentLength"]), answer.get("ETag", "").strip('"'))

    def delete(self, refs: Sequence[ObjectRef]) -> None:
        """Delete objects, one by one; see `ObjectSource.delete`."""
        for ref in refs:
            try:
                self._client.delete_object(Bucket=self._bucket, Key=ref.key)
            except ERRORS as error:
                raise source_error(error, action="s3:DeleteObject", arn=self._arn) from error


def _read(ref: ObjectRef, content: bytes, answer: dict[str, Any]) -> ReceivedMessage | Skip:
    if len(content) > MAX_OBJECT_BYTES:
        return Skip(ref, _too_large(int(answer.get("ContentLength", len(content)))))
    try:
        body = content.decode("utf-8")
    except UnicodeDecodeError:
        return Skip(ref, f"Its {len(content):,} bytes are not text (UTF-8), so they are not a record of Lambda's.")
    written: datetime = answer["LastModified"]
    facts = {"SentTimestamp": str(round(written.timestamp() * 1000)), "Bucket": ref.bucket, "Key": ref.key}
    return ReceivedMessage(message_id=ref.message_id, body=body, attributes=facts)


def _too_large(size: int) -> str:
    return (
        f"It has {size:,} bytes, and a record of a failure has at most {MAX_OBJECT_BYTES:,}: it was not fetched. "
        "If it is one all the same, take it out by hand."
    )
