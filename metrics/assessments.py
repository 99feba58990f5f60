"""Credit assessments as rows: made once with everything they rest on, recomputed and verified at any time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from accounts.hours import hour_of
from accounts.models import Store, StoreKind, Tenant
from connectors.contracts import Platform
from connectors.tiktok_shop.regions import REGIONS
from metrics.credit import METHOD, Inputs, Result
from metrics.credit import assess as score
from metrics.credit_facts import SOURCES, Counts, Scope, Source, Tally, gather, inputs_of
from metrics.credit_reasons import ENOUGH_DAYS
from metrics.models import CreditAssessment, CreditEvidence, SourceCoverage, StoreCoverage
from metrics.sync.marketplace import AFFILIATE, RETURNS
from metrics.sync.products import PRODUCTS

DAY = timedelta(days=1)
PERIODS = range(ENOUGH_DAYS, 366)

METHODS: dict[str, Callable[[Inputs], Result]] = {METHOD: score}

Span = tuple[datetime, datetime]


class AssessmentError(ValueError):
    """An assessment that cannot be made, or whose stored inputs are not what they were; one clear line."""


@dataclass(frozen=True, slots=True)
class Verification:
    """How the evidence of an assessment stands now.

    By kind the keys of rows that are `gone`, and of those that are there and `dropped` out of what counts; and by
    name each input that the remaining rows give another value, before and now.
    """

    gone: dict[str, list[str]]
    dropped: dict[str, list[str]]
    changed: dict[str, tuple[Any, Any]]

    @property
    def holds(self) -> bool:
        return not (self.gone or self.dropped or self.changed)


def assess(tenant: Tenant, *, period_end: datetime, days: int = 90, actor: str) -> CreditAssessment:
    """Assess the tenant's TikTok Shop stores over `days` up to `period_end`; who may ask is for the door to check.

    A period that ends less than a day after what is known ends with that instead. Raises `AssessmentError` for a
    period that is none.
    """
    if days not in PERIODS or period_end.tzinfo is None:
        raise AssessmentError(f"expected {PERIODS[0]} to {PERIODS[-1]} days up to a moment with a zone, got {days}")
    scope, counts, end = _scope(tenant, hour_of(period_end), days)
    tally, keys = gather(scope)
    inputs = inputs_of(tally, counts)
    result = score(inputs)
    document = inputs.as_json()
    with transaction.atomic():
        made: CreditAssessment = CreditAssessment.objects.create(
            tenant=tenant,
            period_start=end - days * DAY,
            period_end=end,
            method=METHOD,
            inputs=document,
            inputs_sha256=digest(document),
            factors=[asdict(factor) for factor in result.factors],
            reasons=list(result.reasons),
            asked_by=actor[:150],
            **{name: getattr(result, name) for name in FIGURES},
        )
        CreditEvidence.objects.bulk_create(
            CreditEvidence(tenant=tenant, assessment=made, kind=kind, part=part, row_ids=[str(key) for key in chunk])
            for kind, chunks in keys.items()
            for part, chunk in enumerate(chunks)
        )
    return made


FIGURES = ("score_ppm", "tier", "monthly_revenue_micros", "confidence_ppm", "coverage_ppm")


def digest(document: dict[str, Any]) -> str:
    """SHA-256 of the inputs as canonical JSON: sorted names, no spaces, ASCII."""
    return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def recompute(assessment: CreditAssessment) -> Result:
    """The figures again, from the stored inputs alone.

    Raises `AssessmentError` where the inputs are not what they were, or for a method of another version.
    """
    if digest(assessment.inputs) != assessment.inputs_sha256:
        raise AssessmentError(f"the inputs of {assessment.pk} have been changed since they were stored")
    if assessment.method not in METHODS:
        raise AssessmentError(f"this version does not know method {assessment.method[:20]!r}")
    return METHODS[assessment.method](Inputs.from_json(assessment.inputs))


def verify(assessment: CreditAssessment) -> Verification:
    """Read the rows of the evidence again, and compare what they give now with the stored inputs.

    Rows that came later are left out; the dollar rates are the stored ones.
    """
    stored = Inputs.from_json(assessment.inputs)
    tally = Tally(_scope_of(assessment, stored))
    gone: dict[str, list[str]] = {}
    dropped: dict[str, list[str]] = {}
    for source in SOURCES:
        for evidence in assessment.evidence.filter(kind=source.name).iterator(chunk_size=1):
            rows = source.named(tally.scope, evidence.row_ids)
            source.add(tally, rows)
            missing = set(evidence.row_ids) - {str(row[0]) for row in rows}
            left = _existing(source, assessment.tenant_id, missing)
            _note(dropped, source.name, left)
            _note(gone, source.name, missing - left)
    counts = Counts(stored.period_days, stored.stores, stored.stores_unsupported)
    before, now = assessment.inputs, inputs_of(tally, counts).as_json()
    changed = {name: (before[name], now[name]) for name in now if before[name] != now[name]}
    return Verification(gone, dropped, changed)


def evidence_counts(assessment: CreditAssessment) -> dict[str, int]:
    """How many rows of each kind it was computed from."""
    counts: dict[str, int] = {}
    for kind, row_ids in assessment.evidence.values_list("kind", "row_ids").iterator(chunk_size=10):
        counts[kind] = counts.get(kind, 0) + len(row_ids)
    return counts


def _note(found: dict[str, list[str]], kind: str, keys: set[str]) -> None:
    if keys:
        found[kind] = sorted([*found.get(kind, ()), *keys])


def _existing(source: Source, tenant_id: UUID, keys: set[str]) -> set[str]:
    rows = source.model._default_manager.filter(tenant_id=tenant_id, pk__in=keys) if keys else ()
    return {str(row.pk) for row in rows}


def _scope_of(assessment: CreditAssessment, stored: Inputs) -> Scope:
    named = assessment.evidence.filter(kind=Store.__name__).values_list("row_ids", flat=True)
    return Scope(
        stores=tuple(UUID(key) for keys in named for key in keys),
        start=datetime.fromisoformat(stored.start),
        end=datetime.fromisoformat(stored.end),
        rates={purse.currency: purse.usd_rate for purse in stored.purses},
        knows_affiliates=all(purse.affiliate_months is not None for purse in stored.purses),
        knows_products=stored.products_now is not None,
    )


def _scope(tenant: Tenant, asked_end: datetime, days: int) -> tuple[Scope, Counts, datetime]:
    """Which stores can be taken in, over which stretch of the period all of them are known, and where it ends."""
    stores = Store.objects.filter(tenant=tenant, platform=Platform.TIKTOK_SHOP, is_active=True)
    served = [store for store in stores if store.region in ("", *REGIONS)]
    period = asked_end - days * DAY, asked_end
    known = {store: span for store in served if (span := _known(store, period)) is not None}
    end = min((high for _, high in known.values()), default=asked_end)
    whole_end = end if asked_end - end < DAY else asked_end
    low = max((low for low, _ in known.values()), default=end)
    start = end - max(0, (end - max(low, whole_end - days * DAY)).days) * DAY
    scope = Scope(
        stores=tuple(store.pk for store in known),
        start=start,
        end=end,
        rates={"USD": "1", **settings.USD_RATES},
        knows_affiliates=_all_cover(known, AFFILIATE, start, end),
        knows_products=_all_know_products([store for store in known if not _is_creator(store)]),
    )
    return scope, Counts(days, len(stores), len(stores) - len(served)), whole_end


def _known(store: Store, period: Span) -> Span | None:
    """What is known of the store's revenue, cut to the end of the period; `None` if that is under 30 days of it.

    Of a shop that is where orders and returns were read, of a creator the commissions.
    """
    further = SourceCoverage.objects.filter(store=store, kind=AFFILIATE if _is_creator(store) else RETURNS)
    tables: list[Any] = [further] if _is_creator(store) else [further, StoreCoverage.objects.filter(store=store)]
    spans = [row for rows in tables for row in rows.values_list("known_from", "known_to")]
    if len(spans) < len(tables):
        return None
    low, high = max(low for low, _ in spans), min(period[1], *(hour_of(high) for _, high in spans))
    return (low, high) if high - max(low, period[0]) >= ENOUGH_DAYS * DAY else None


def _is_creator(store: Store) -> bool:
    return store.kind == StoreKind.CREATOR


def _all_cover(stores: Iterable[Store], kind: str, start: datetime, end: datetime) -> bool:
    """Whether each of them knows this kind from `start` or earlier until `end` or later."""
    found = [SourceCoverage.objects.filter(store=store, kind=kind).first() for store in stores]
    return bool(found) and all(row is not None and row.known_from <= start and end <= row.known_to for row in found)


def _all_know_products(shops: list[Store]) -> bool:
    """Whether the products of each were read: when one was listed, it says itself."""
    read = SourceCoverage.objects.filter(store__in=shops, kind=PRODUCTS).count()
    return bool(shops) and read == len(shops)
