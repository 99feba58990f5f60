"""How far a store was read: what is known of its orders, and where each further kind of reading goes on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import TypeVar

from django.db.models.functions import Greatest, Least

from accounts.models import Store
from metrics.models import SourceCoverage, StoreCoverage

BATCH = 200

Record = TypeVar("Record")


def batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    """The records in lists of `BATCH`, read from the platform as they are asked for."""
    source = iter(records)
    while batch := list(islice(source, BATCH)):
        yield batch


def cover(store: Store, low: datetime, high: datetime) -> None:
    """The orders of `[low, high)` are known. A stretch that does not touch what was known before is not added."""
    values = {"tenant_id": store.tenant_id, "known_from": low, "known_to": high}
    StoreCoverage.objects.get_or_create(store=store, defaults=values)
    touching = StoreCoverage.objects.filter(store=store, known_from__lte=high, known_to__gte=low)
    touching.update(known_from=Least("known_from", low), known_to=Greatest("known_to", high))


def note(store: Store, kind: str, low: datetime, high: datetime) -> None:
    """Of this kind, `[low, high)` is read."""
    values = {"tenant_id": store.tenant_id, "known_from": low, "known_to": high}
    SourceCoverage.objects.update_or_create(store=store, kind=kind, defaults=values)


def noted(store: Store, kind: str, low: datetime) -> datetime | None:
    """How far this kind was read from `low` on; `None` where nobody noted that."""
    reached: datetime | None = (
        SourceCoverage.objects.filter(store=store, kind=kind, known_from=low).values_list("known_to", flat=True).first()
    )
    return reached


def reach(store: Store, kind: str, low: datetime, high: datetime) -> None:
    """Move on what was noted from `low` on, unless somebody has noted another beginning meanwhile."""
    SourceCoverage.objects.filter(store=store, kind=kind, known_from=low, known_to__lt=high).update(known_to=high)
