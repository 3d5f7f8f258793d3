"""The first tables: sources, groups with their counters and rollups, events, records, redrives, and the search index.

Revision ID: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# SQLite counts rows up by itself only in a column that is exactly INTEGER.
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# Microseconds since 1970, UTC.
INSTANT = sa.BigInteger


def upgrade() -> None:
    for make in (_sources, _groups, _redrives, _events, _event_indexes, _records, _redrive_items):
        make()
    for make in (_group_sources, _group_hours, _source_hours, _workers, _search):
        make()


def downgrade() -> None:
    op.execute("DROP TABLE search")
    for name in ("workers", "source_hours", "group_hours", "group_sources", "redrive_items", "records", "events"):
        op.drop_table(name)
    for name in ("redrives", "groups", "sources"):
        op.drop_table(name)


def _reference(table: str, column: str, referred: str, *, nullable: bool = False) -> sa.Column[int]:
    key = sa.ForeignKey(f"{referred}.id", name=f"fk_{table}_{column}_{referred}")
    return sa.Column(column, ID, key, nullable=nullable)


def _sources() -> None:
    op.create_table(
        "sources",
        sa.Column("id", ID, nullable=False),
        sa.Column("arn", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("target_kind", sa.Text),
        sa.Column("target_arn", sa.Text),
        sa.Column("added_at", INSTANT, nullable=False),
        sa.Column("collected_total", sa.BigInteger, nullable=False),
        sa.Column("last_collected_at", INSTANT),
        sa.Column("depth", sa.Integer),
        sa.Column("in_flight", sa.Integer),
        sa.Column("retention_s", sa.Integer),
        sa.Column("oldest_sent_at", INSTANT),
        sa.Column("state_at", INSTANT),
        sa.Column("error", sa.Text),
        sa.Column("error_since", INSTANT),
        sa.Column("next_try_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_sources"),
        sa.UniqueConstraint("arn", name="uq_sources_arn"),
    )


def _groups() -> None:
    op.create_table(
        "groups",
        sa.Column("id", ID, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("fingerprint_version", sa.Integer, nullable=False),
        sa.Column("function_arn", sa.Text),
        sa.Column("function_name", sa.Text, nullable=False),
        sa.Column("error_type", sa.Text),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("masked_message", sa.Text),
        sa.Column("frames", sa.JSON, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("first_seen", INSTANT, nullable=False),
        sa.Column("last_seen", INSTANT, nullable=False),
        sa.Column("n_unresolved", sa.Integer, nullable=False),
        sa.Column("n_redriving", sa.Integer, nullable=False),
        sa.Column("n_resolved", sa.Integer, nullable=False),
        sa.Column("n_archived", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_groups"),
        sa.UniqueConstraint("fingerprint", name="uq_groups_fingerprint"),
    )
    op.create_index("ix_groups_first_seen_id", "groups", ["first_seen", "id"])
    op.create_index("ix_groups_last_seen_id", "groups", ["last_seen", "id"])
    op.create_index("ix_groups_status_last_seen_id", "groups", ["status", "last_seen", "id"])


def _redrives() -> None:
    op.create_table(
        "redrives",
        sa.Column("id", ID, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("selection", sa.JSON, nullable=False),
        sa.Column("targets", sa.JSON, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("invocation", sa.Text, nullable=False),
        sa.Column("rate", sa.Double, nullable=False),
        sa.Column("asked_by", sa.Text, nullable=False),
        sa.Column("planned_at", INSTANT, nullable=False),
        sa.Column("oldest_at", INSTANT),
        sa.Column("last_event_id", sa.BigInteger, nullable=False),
        sa.Column("started_at", INSTANT),
        sa.Column("started_by", sa.Text),
        sa.Column("sent_all_at", INSTANT),
        sa.Column("finished_at", INSTANT),
        sa.Column("cancelled_by", sa.Text),
        sa.Column("next_send_at", INSTANT),
        sa.Column("pauses", sa.JSON, nullable=False),
        sa.Column("busy_until", INSTANT),
        sa.Column("busy_reason", sa.Text),
        sa.Column("busy_count", sa.Integer, nullable=False),
        sa.Column("settle_s", sa.Double, nullable=False),
        sa.Column("n_planned", sa.Integer, nullable=False),
        sa.Column("n_waiting", sa.Integer, nullable=False),
        sa.Column("n_sending", sa.Integer, nullable=False),
        sa.Column("n_sent", sa.Integer, nullable=False),
        sa.Column("n_succeeded", sa.Integer, nullable=False),
        sa.Column("n_failed_again", sa.Integer, nullable=False),
        sa.Column("n_skipped", sa.Integer, nullable=False),
        sa.Column("n_unknown", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_redrives"),
    )
    op.create_index("ix_redrives_status", "redrives", ["status"])


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("id", ID, nullable=False),
        _reference("events", "group_id", "groups"),
        _reference("events", "source_id", "sources"),
        sa.Column("record_id", sa.BigInteger),
        sa.Column("status", sa.Text, nullable=False),
        _reference("events", "redrive_id", "redrives", nullable=True),
        sa.Column("label", sa.Text),
        sa.Column("producer", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text),
        sa.Column("function_arn", sa.Text),
        sa.Column("function_name", sa.Text, nullable=False),
        sa.Column("qualifier", sa.Text),
        sa.Column("condition", sa.Text),
        sa.Column("invoke_count", sa.Integer),
        sa.Column("error_type", sa.Text),
        sa.Column("error_message", sa.Text),
        sa.Column("occurred_at", INSTANT, nullable=False),
        sa.Column("last_failed_at", INSTANT, nullable=False),
        sa.Column("collected_at", INSTANT, nullable=False),
        sa.Column("payload_digest", sa.Text),
        sa.Column("payload_bytes", sa.Integer),
        sa.Column("target_kind", sa.Text),
        sa.Column("target_arn", sa.Text),
        sa.Column("redrivable", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("truncated", sa.Boolean, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("last_outcome", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sa.UniqueConstraint("request_id", name="uq_events_request_id"),
        sqlite_autoincrement=True,
    )


def _event_indexes() -> None:
    """Make one index for each way in which pages list events: equal on the first columns, newest first."""
    for columns in (
        ["error_type", "occurred_at", "id"],
        ["function_name", "occurred_at", "id"],
        ["function_name", "error_type", "occurred_at", "id"],
        ["function_name", "status", "occurred_at", "id"],
        ["group_id", "occurred_at", "id"],
        ["group_id", "status", "occurred_at", "id"],
        ["occurred_at", "id"],
        ["producer", "occurred_at", "id"],
        ["source_id", "occurred_at", "id"],
        ["status", "occurred_at", "id"],
    ):
        op.create_index(f"ix_events_{'_'.join(columns)}", "events", columns)
    op.create_index("ix_events_redrive_id", "events", ["redrive_id"])


def _records() -> None:
    op.create_table(
        "records",
        sa.Column("id", ID, nullable=False),
        _reference("records", "event_id", "events"),
        _reference("records", "source_id", "sources"),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("attributes", sa.JSON, nullable=False),
        sa.Column("message_attributes", sa.JSON, nullable=False),
        sa.Column("request_id", sa.Text),
        sa.Column("producer", sa.Text, nullable=False),
        _reference("records", "group_id", "groups"),
        sa.Column("occurred_at", INSTANT, nullable=False),
        sa.Column("collected_at", INSTANT, nullable=False),
        sa.Column("is_failure", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_records"),
        sa.UniqueConstraint("source_id", "message_id", name="uq_records_source_id_message_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_records_event_id", "records", ["event_id"])
    op.create_index("ix_records_message_id", "records", ["message_id"])
    op.create_index("ix_records_request_id", "records", ["request_id"])


def _redrive_items() -> None:
    op.create_table(
        "redrive_items",
        _reference("redrive_items", "redrive_id", "redrives"),
        sa.Column("position", sa.Integer, nullable=False),
        _reference("redrive_items", "event_id", "events"),
        sa.Column("target_kind", sa.Text),
        sa.Column("target_arn", sa.Text),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("claimed_by", sa.Text),
        sa.Column("sent_at", INSTANT),
        sa.Column("sent_id", sa.Text),
        sa.Column("settled_at", INSTANT),
        sa.Column("evidence", sa.Text),
        sa.Column("error_type", sa.Text),
        sa.Column("error_message", sa.Text),
        sa.Column("stack_trace", sa.JSON),
        _reference("redrive_items", "group_id", "groups", nullable=True),
        _reference("redrive_items", "record_id", "records", nullable=True),
        sa.PrimaryKeyConstraint("redrive_id", "position", name="pk_redrive_items"),
    )
    op.create_index("ix_redrive_items_claimed_by", "redrive_items", ["claimed_by"])
    op.create_index("ix_redrive_items_event_id", "redrive_items", ["event_id"])
    op.create_index(
        "ix_redrive_items_redrive_id_outcome_position", "redrive_items", ["redrive_id", "outcome", "position"]
    )
    op.create_index("ix_redrive_items_sent_id", "redrive_items", ["sent_id"])


def _group_sources() -> None:
    op.create_table(
        "group_sources",
        _reference("group_sources", "group_id", "groups"),
        _reference("group_sources", "source_id", "sources"),
        sa.Column("producer", sa.Text, nullable=False),
        sa.Column("n", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("group_id", "source_id", "producer", name="pk_group_sources"),
        sqlite_with_rowid=False,
    )


def _group_hours() -> None:
    op.create_table(
        "group_hours",
        _reference("group_hours", "group_id", "groups"),
        sa.Column("hour", sa.Integer, nullable=False),
        sa.Column("n", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("group_id", "hour", name="pk_group_hours"),
        sqlite_with_rowid=False,
    )


def _source_hours() -> None:
    op.create_table(
        "source_hours",
        _reference("source_hours", "source_id", "sources"),
        sa.Column("hour", sa.Integer, nullable=False),
        sa.Column("n", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("source_id", "hour", name="pk_source_hours"),
        sqlite_with_rowid=False,
    )


def _workers() -> None:
    op.create_table(
        "workers",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("seen_at", INSTANT, nullable=False),
        sa.Column("doing", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workers"),
    )


def _search() -> None:
    """Make the index of words, an event a row. FTS5 keeps the words themselves as well, so that a row can be deleted.

    `columnsize=0` leaves out what only ranking needs: results come newest first.
    """
    if op.get_bind().dialect.name == "sqlite":
        op.execute("CREATE VIRTUAL TABLE search USING fts5(words, tokenize='unicode61', columnsize=0)")
        return
    op.execute("CREATE TABLE search (event_id bigint PRIMARY KEY, words tsvector NOT NULL)")
    op.execute("CREATE INDEX ix_search_words ON search USING gin (words)")
