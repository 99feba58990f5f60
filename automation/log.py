"""The action log: append-only and hash-chained, one chain per tenant.

Each entry's hash is SHA-256 over the canonical JSON of its content and the hash before it, so a changed,
removed, inserted or reordered entry breaks the chain. Entries are written in the caller's transaction,
together with what they record.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.models import Tenant
from automation.models import Action, LogEntry, LogHead

GENESIS = "0" * 64


def hold(tenant_id: Any) -> LogHead:
    """Take the tenant's turn until the transaction ends. Whoever moves an action holds the head of the log
    first, so that two who move several of them wait for each other and never in a circle."""
    LogHead.objects.get_or_create(tenant_id=tenant_id)
    head: LogHead = LogHead.objects.select_for_update().get(tenant_id=tenant_id)
    return head


def append(
    *,
    tenant_id: Any,
    event: str,
    actor: str,
    action: Action | None = None,
    from_state: str = "",
    to_state: str = "",
    details: dict[str, Any] | None = None,
) -> LogEntry:
    """Add one entry to the tenant's chain. `details` must be JSON without floats."""
    with transaction.atomic():
        head = hold(tenant_id)
        entry = LogEntry(
            tenant_id=tenant_id,
            number=head.number + 1,
            at=timezone.now(),
            event=event,
            actor=actor[:200],
            action=action,
            from_state=from_state,
            to_state=to_state,
            details=details or {},
            previous_hash=head.hash,
        )
        entry.hash = entry_hash(entry)
        entry.save(force_insert=True)
        LogHead.objects.filter(tenant_id=tenant_id).update(number=entry.number, hash=entry.hash)
    return entry


def entry_hash(entry: LogEntry) -> str:
    content = {
        "id": str(entry.pk),
        "tenant": str(entry.tenant_id),
        "number": entry.number,
        "at": entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "event": entry.event,
        "actor": entry.actor,
        "action": str(entry.action_id) if entry.action_id else None,
        "from": entry.from_state,
        "to": entry.to_state,
        "details": entry.details,
        "previous": entry.previous_hash,
    }
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def verify(tenant: Tenant) -> Iterator[str]:
    """What is wrong with the tenant's chain, one line each; nothing when it is whole."""
    previous, number = GENESIS, 0
    for entry in LogEntry.objects.filter(tenant=tenant).order_by("number").iterator(chunk_size=2000):
        number += 1
        if entry.number != number:
            yield f"entry #{entry.number} stands where #{number} was expected"
            number = entry.number
        if entry.previous_hash != previous:
            yield f"entry #{entry.number} does not follow the entry before it"
        if entry.hash != entry_hash(entry):
            yield f"entry #{entry.number} was changed after it was written"
        previous = entry.hash
    head = LogHead.objects.filter(tenant=tenant).first()
    if (head.number, head.hash) != (number, previous) if head else number:
        yield f"the head of the chain is not its last entry #{number}: entries are missing at the end"
