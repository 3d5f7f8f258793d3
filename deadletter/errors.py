"""Every error of the domain, under one root.

A message is a sentence for an operator: what, how much, what to do next.
"""


class RedriveError(Exception):
    """The root: whoever catches it can show ``str(error)`` to a person as it stands."""


class BadInput(RedriveError):
    """A form, a query or an argument asks for something that does not exist. HTTP 422; exit 2."""


class NeedsConfirming(BadInput):
    """It can be done, but has an effect that must be confirmed first; the message says which."""


class NotFound(RedriveError):
    """There is no such source, group, event or redrive. HTTP 404; exit 1."""


class ChangedSincePlan(RedriveError):
    """What was confirmed is not what is true now. HTTP 409; exit 1."""


class IllegalMove(RedriveError):
    """An event or a redrive cannot go from the state it is in to the one asked for. HTTP 409; exit 1."""


class ParseError(RedriveError):
    """Text handed to us as a ReceiveMessage entry is not one. (A message of a queue never raises it.)"""


class NetworkError(RedriveError):
    """AWS refused or did not answer. See its subclasses for what that means for the thing in hand."""


class SourceError(NetworkError):
    """A source cannot be read now; `retry_after_s` says when to try again."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ObjectRefused(SourceError):
    """One object may not be read, for want of a permission (often on its key). The others may be."""


class TargetBusy(NetworkError):
    """The target asks us to slow down (429) or is briefly unwell (5xx), and did **not** take the event.

    Does not count as a failure of the event: it goes back to waiting. `retry_after_s` is the target's own wish, in
    seconds; `limit` says which of its limits was reached, `rate` or `concurrency`, and None where none was.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None, limit: str | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.limit = limit


class TargetRefused(NetworkError):
    """The target will never take this event as it stands (no permission, no such function, too large).

    Nothing was sent.
    """


class AnswerLost(NetworkError):
    """The call went out and its answer did not come back.

    The event may or may not have been taken. Outcome `unknown`.
    """


class LookupBusy(NetworkError):
    """What a record left out could not be asked for now (throttled, unwell, no credentials); it is tried again."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class LookupRefused(NetworkError):
    """What a record left out cannot be known: it is gone, or we may not ask. The message says what would help."""
