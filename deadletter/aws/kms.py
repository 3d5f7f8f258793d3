"""AWS KMS: unwraps the key that payloads are sealed under, once, when a process starts."""

from __future__ import annotations

from deadletter.aws.clients import Purpose, client
from deadletter.aws.trouble import ERRORS, source_error


def unwrap(wrapped: bytes) -> bytes:
    """Return the data key in *wrapped*, a `CiphertextBlob` of GenerateDataKey, which names its KMS key by itself.

    Raises:
        SourceError: KMS refuses or does not answer; `kms:Decrypt` is what it needs.
    """
    try:
        plain: bytes = client("kms", "", Purpose.READ).decrypt(CiphertextBlob=wrapped)["Plaintext"]
    except ERRORS as error:
        raise source_error(error, action="kms:Decrypt", arn="the key that payloads are sealed under") from error
    return plain
