"""What went wrong with a call to AWS, as one of few kinds, and as a sentence that says what to do."""

from __future__ import annotations

import re
from enum import Enum, auto

from botocore import exceptions
from botocore.parsers import ResponseParserError

from deadletter.errors import (
    AnswerLost,
    LookupBusy,
    LookupRefused,
    NetworkError,
    SourceError,
    TargetBusy,
    TargetRefused,
)
from deadletter.event import name_of, region_of


class Trouble(Enum):
    """The kinds of trouble, by what can be done about them."""

    CREDENTIALS = auto()
    DENIED = auto()
    MISSING = auto()
    THROTTLED = auto()
    UNWELL = auto()
    REFUSED = auto()
    UNREACHABLE = auto()
    LOST = auto()


ERRORS = (exceptions.BotoCoreError, exceptions.ClientError, ResponseParserError)
"""What a call by boto3 raises."""

_SENTENCES = {
    Trouble.CREDENTIALS: "AWS does not know us: {bare}. Give the worker valid credentials; it goes on by itself.",
    Trouble.DENIED: "The permission {action} on {arn} is missing. Grant it to us. (AWS: {said})",
    Trouble.MISSING: "{name} does not exist in {region}. Check the ARN {arn}. (AWS: {said})",
    Trouble.THROTTLED: "{name} asks us to slow down{reason}. We back off and go on by ourselves. (AWS: {said})",
    Trouble.UNWELL: "AWS could not take the call to {name} now, and we try again later. (AWS: {said})",
    Trouble.UNREACHABLE: "{name} could not be reached, and we try again later. Check network and endpoint. ({said})",
    Trouble.LOST: "The call to {name} went out and no whole answer came back. ({said})",
    Trouble.REFUSED: "{name} refused it: {said}",
}

_CODES = {  # an answer to HEAD has no body, and boto3 takes its status for its code then
    Trouble.CREDENTIALS: {
        "ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId", "InvalidClientTokenId", "RequestExpired",
        "InvalidSignatureException", "MissingAuthenticationToken", "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    },
    Trouble.DENIED: {
        "403", "AccessDenied", "AccessDeniedException", "Forbidden", "KMS.AccessDeniedException",
        "KMSAccessDeniedException", "KmsAccessDenied", "UnauthorizedOperation",
    },
    Trouble.MISSING: {
        "404", "AWS.SimpleQueueService.NonExistentQueue", "NoSuchBucket", "NoSuchEntity", "NoSuchKey", "NotFound",
        "QueueDoesNotExist", "ResourceNotFoundException", "StateMachineDoesNotExist",
    },
    Trouble.THROTTLED: {
        "EC2ThrottledException", "ExecutionLimitExceeded", "KMS.ThrottlingException", "KMSThrottlingException",
        "KmsThrottled", "LimitExceededException", "OverLimit", "ProvisionedThroughputExceededException",
        "RequestThrottled", "SlowDown", "Throttling", "ThrottlingException", "TooManyRequestsException",
    },
    # The function is being changed or woken: it takes the same event a little later.
    Trouble.UNWELL: {"ResourceConflictException", "SnapStartNotReadyException", "SnapStartTimeoutException"},
}  # fmt: skip

_NOT_SENT = (exceptions.ConnectionError, exceptions.NoRegionError, exceptions.EndpointProviderError)
# boto3 says SSLError for a connection that was refused, and for one that broke when the call was out already.
_NO_TLS = ("CERTIFICATE", "HANDSHAKE", "WRONG_VERSION", "UNSUPPORTED_PROTOCOL")
_NO_CREDENTIALS = (
    exceptions.CredentialRetrievalError, exceptions.NoCredentialsError, exceptions.PartialCredentialsError,
    exceptions.ProfileNotFound, exceptions.TokenRetrievalError,
)  # fmt: skip
_TOO_MANY, _GATEWAY_TIMEOUT, _SERVER_ERRORS = 429, 504, 500


def kind_of(error: Exception) -> Trouble:
    """Return which kind of trouble *error* is; what is not known to have stayed here counts as LOST."""
    if isinstance(error, exceptions.ClientError):
        return _kind_of_answer(error)
    if isinstance(error, _NO_CREDENTIALS):
        return Trouble.CREDENTIALS
    if isinstance(error, exceptions.SSLError):
        return Trouble.UNREACHABLE if any(sign in str(error).upper() for sign in _NO_TLS) else Trouble.LOST
    return Trouble.UNREACHABLE if isinstance(error, _NOT_SENT) else Trouble.LOST


def sentence(error: Exception, *, action: str, arn: str) -> str:
    """Return what happened and what to do about it; *action* is the call's IAM action, *arn* what it was made to."""
    said = _words_of(error)
    return _SENTENCES[kind_of(error)].format(
        name=name_of(arn),
        arn=arn,
        region=region_of(arn) or "its Region",
        action=_missing_action(said) or action,
        reason=_reason_of(error),
        said=said,
        bare=said.rstrip("."),
    )


def source_error(error: Exception, *, action: str, arn: str) -> SourceError:
    """Return *error* as what a source raises."""
    return SourceError(sentence(error, action=action, arn=arn), retry_after_s=retry_after_s(error))


def target_error(error: Exception, *, action: str, arn: str) -> NetworkError:
    """Return *error* as what it means for the event in hand: not now, never, or nobody knows."""
    text, kind = sentence(error, action=action, arn=arn), kind_of(error)
    if kind is Trouble.LOST:
        return AnswerLost(f"{text} It may or may not have arrived.")
    if kind in {Trouble.DENIED, Trouble.MISSING, Trouble.REFUSED}:
        return TargetRefused(text)
    return TargetBusy(text, retry_after_s=retry_after_s(error), limit=limit_of(error))


def limit_of(error: Exception) -> str | None:
    """Return which limit a throttled call ran into, `rate` or `concurrency` (Invoke's `Reason` says); else None.

    The reasons are those of Lambda's API reference for TooManyRequestsException; whoever gives none counts calls.
    """
    if kind_of(error) is not Trouble.THROTTLED:
        return None
    return "concurrency" if "Concurren" in _reason_of(error) else "rate"


def lookup_error(error: Exception, *, action: str, arn: str) -> LookupBusy | LookupRefused:
    """Return *error* as what it means for what was asked: not now, or not as things are."""
    text = sentence(error, action=action, arn=arn)
    if kind_of(error) in {Trouble.DENIED, Trouble.MISSING, Trouble.REFUSED}:
        return LookupRefused(text)
    return LookupBusy(text, retry_after_s=retry_after_s(error))


def code_of(error: Exception) -> str:
    """Return AWS's code for what went wrong; empty where the answer had none."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, exceptions.ClientError) else ""


def retry_after_s(error: Exception) -> float | None:
    """Return the seconds that AWS asks us to wait (`Retry-After`), if it says so."""
    if not isinstance(error, exceptions.ClientError):
        return None
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    try:
        return max(0.0, float(headers.get("retry-after", "")))
    except ValueError:
        return None


def _kind_of_answer(error: exceptions.ClientError) -> Trouble:
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if named := next((kind for kind, codes in _CODES.items() if code in codes), None):
        return named
    if status == _TOO_MANY:
        return Trouble.THROTTLED
    if status == _GATEWAY_TIMEOUT:
        return Trouble.LOST  # somebody on the way gave up waiting; whoever was behind it may have done it
    return Trouble.UNWELL if status >= _SERVER_ERRORS else Trouble.REFUSED


def _words_of(error: Exception) -> str:
    if isinstance(error, exceptions.ClientError):
        details = error.response.get("Error", {})
        return f"{details.get('Code', 'no code')}: {details.get('Message', '').strip() or 'no message'}"
    if isinstance(error, ResponseParserError):
        return "The answer could not be read."
    return " ".join(str(error).split()) or type(error).__name__


def _missing_action(said: str) -> str | None:
    found = re.search(r"not authorized to perform: ([\w*-]+:[\w*-]+)", said)
    return found[1] if found else None


def _reason_of(error: Exception) -> str:
    reason = error.response.get("Reason") if isinstance(error, exceptions.ClientError) else None
    return f" ({reason})" if reason else ""
