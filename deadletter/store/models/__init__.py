"""The tables: narrow rows that pages list, the raw records beside them, and counters that change with them.

`records` is custody: what AWS wrote, byte for byte, one row a message, never changed. `events` is what we make of it
and can be computed again. No page counts or scans `events`: it reads `groups`, the two hourly rollups, and one index
range.
"""

from deadletter.store.models.answers import ApiAnswer
from deadletter.store.models.audit import AuditEntry
from deadletter.store.models.base import Base
from deadletter.store.models.discoveries import DiscoveredTarget, Discovery, Sender
from deadletter.store.models.edits import Edit
from deadletter.store.models.events import Event, Record
from deadletter.store.models.groups import Group, GroupBirth, GroupHour, GroupNote, GroupSource
from deadletter.store.models.lookups import Lookup
from deadletter.store.models.people import ApiToken, SignIn, SignInLink, SignInStart, SignInTries, User
from deadletter.store.models.redrives import Approval, Redrive, RedriveItem, TargetPace, Worker
from deadletter.store.models.retention import ExpiredItems, RetentionRule
from deadletter.store.models.sources import SkippedObject, Source, SourceHour
from deadletter.store.models.targets import TargetRules
from deadletter.store.models.totals import TargetTotal

__all__ = [
    "ApiAnswer",
    "ApiToken",
    "Approval",
    "AuditEntry",
    "Base",
    "DiscoveredTarget",
    "Discovery",
    "Edit",
    "Event",
    "ExpiredItems",
    "Group",
    "GroupBirth",
    "GroupHour",
    "GroupNote",
    "GroupSource",
    "Lookup",
    "Record",
    "Redrive",
    "RedriveItem",
    "RetentionRule",
    "Sender",
    "SignIn",
    "SignInLink",
    "SignInStart",
    "SignInTries",
    "SkippedObject",
    "Source",
    "SourceHour",
    "TargetPace",
    "TargetRules",
    "TargetTotal",
    "User",
    "Worker",
]
