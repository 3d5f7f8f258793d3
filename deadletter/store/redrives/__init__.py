"""Redrives in the database: plan, claim, record, settle. An outcome and its counter change in one transaction."""

from deadletter.store.redrives.rows import get_redrive, items_of_event, list_items, list_redrives, redrive_row

__all__ = ["get_redrive", "items_of_event", "list_items", "list_redrives", "redrive_row"]
