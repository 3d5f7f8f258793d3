"""Changing an event's payload before it is sent again: by hand, or by a reviewed transform. Pure.

The original is never changed. Secrets are masked for whoever edits, and are whole again in what is sent.
"""

from deadletter.editing.diff import Diff, diff
from deadletter.editing.form import editable, read_edited
from deadletter.editing.payload import with_payload, without_payload
from deadletter.editing.transforms import Transform, parse_transform

__all__ = ["Diff", "Transform", "diff", "editable", "parse_transform", "read_edited", "with_payload", "without_payload"]
