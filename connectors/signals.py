"""What connectors tell the floors above."""

from __future__ import annotations

from django.dispatch import Signal

# A webhook is in the inbox (`store_id`). Sent after the row is committed; the row is the truth, this only wakes.
delivery_received = Signal()
