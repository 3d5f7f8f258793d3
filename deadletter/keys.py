"""Use case: take the settings' keys into use, those that AWS KMS wrapped after asking it to unwrap them."""

from __future__ import annotations

import base64

from deadletter.aws.kms import unwrap
from deadletter.errors import BadInput
from deadletter.settings import Settings
from deadletter.store import sealing

KEY_BYTES = 32
_KMS = "kms:"


def use_keys(settings: Settings) -> None:
    """Seal payloads with the first of the settings' keys from now on, and open them with any of them.

    Raises:
        BadInput: A key is not 32 bytes in base64.
        NetworkError: KMS does not unwrap one; the message names the permission.
    """
    sealing.use({name: _key(name, text) for name, text in settings.encryption_keys})


def _key(name: str, text: str) -> bytes:
    try:
        given = base64.b64decode(text.removeprefix(_KMS), validate=True)
    except ValueError:
        given = b""
    key = unwrap(given) if text.startswith(_KMS) and given else given
    if len(key) != KEY_BYTES:  # not the key itself in the sentence: it is a secret even where it is wrong
        raise BadInput(
            f"The key {name!r} of REDRIVE_ENCRYPTION_KEYS has {len(key)} bytes, and must have {KEY_BYTES}, in base64: "
            "`openssl rand -base64 32` makes one, and `aws kms generate-data-key` one that KMS wraps."
        )
    return key
