"""What reading the store returns: one frozen row type for each thing that pages, reports and the command line show."""

from deadletter.store.rows.common import Count, Page, StatusCounts
from deadletter.store.rows.events import EventDetail, EventRow, ExportRow, LookupRow, RecordRow
from deadletter.store.rows.groups import GroupRow, NoteRow
from deadletter.store.rows.redrives import ItemRow, RedriveRow
from deadletter.store.rows.report import Facets, ReportCause, ReportFacts
from deadletter.store.rows.sources import SkippedRow, SourceRow
from deadletter.store.rows.workers import WorkerRow

__all__ = [
    "Count",
    "EventDetail",
    "EventRow",
    "ExportRow",
    "Facets",
    "GroupRow",
    "ItemRow",
    "LookupRow",
    "NoteRow",
    "Page",
    "RecordRow",
    "RedriveRow",
    "ReportCause",
    "ReportFacts",
    "SkippedRow",
    "SourceRow",
    "StatusCounts",
    "WorkerRow",
]
