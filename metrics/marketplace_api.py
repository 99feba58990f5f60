"""The partner API over TikTok Shops and creators, and over credit assessments."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api_fields import ASSESSMENT, STORE, IdField, Money, MoneyField, SpanQuery, StrictSerializer, TimeField
from accounts.api_views import PAGE_PARAMETERS, PartnerView, bad_parameter, one_of, page, page_of, path_id, read_query
from accounts.clock import wall_now
from accounts.hours import hour_of
from accounts.models import Store, StoreKind
from connectors.contracts import Platform
from metrics.api import STORES, RatioField
from metrics.assessments import evidence_counts
from metrics.credit_reasons import REASONS
from metrics.marketplace import Split, newest_known, shop_figures, split_of
from metrics.models import CreditAssessment

CREDIT = ["Credit"]
DEFAULT_SPAN, MAX_SPAN = timedelta(days=30), timedelta(days=92)


class ShopFiguresView(serializers.Serializer):
    """A shop's figures over a span. Null is unknown, never zero."""

    start = TimeField()
    end = TimeField()
    currency = serializers.CharField()
    gmv = MoneyField("gmv_micros", help_text="Totals of the paid orders placed in the span, later cancelled included.")
    orders = serializers.IntegerField(allow_null=True, help_text="Paid orders, later cancelled included.")
    cancelled_orders = serializers.IntegerField(allow_null=True)
    average_order = MoneyField("average_order_micros", help_text="GMV ÷ orders.")
    units = serializers.IntegerField(allow_null=True, help_text="Items sold.")
    refunds = MoneyField("refunds_micros", help_text="Booked in the span, of orders of any time.")
    returned_units = serializers.IntegerField(allow_null=True, help_text="Of the span's orders, returned and refunded.")
    return_rate = RatioField(allow_null=True, help_text="Returned units ÷ units; it grows for weeks.")
    affiliate_orders = serializers.IntegerField(allow_null=True)
    affiliate_sales = MoneyField("affiliate_sales_micros")
    commission_paid = MoneyField("commission_paid_micros")
    commission_expected = MoneyField("commission_expected_micros", help_text="Not settled yet.")
    settled = MoneyField("settled_micros", help_text="By the statements of the span.")
    fees = MoneyField("fees_micros")
    paid_out = MoneyField("paid_out_micros", help_text="Payments that began in the span.")

    class Meta:
        ref_name = "ShopFigures"


class SoldView(serializers.Serializer):
    orders = serializers.IntegerField(allow_null=True)
    value = Money(allow_null=True)

    class Meta:
        ref_name = "Sold"


@extend_schema_field(SoldView)
class SoldField(serializers.Field):
    """One part of a split, with the split's currency."""

    def __init__(self, name: str, **kwargs: Any) -> None:
        self.name = name
        super().__init__(source="*", read_only=True, **kwargs)

    def to_representation(self, value: Split) -> dict[str, Any]:
        orders, micros = getattr(value, self.name)
        return {"orders": orders, "value": money(micros, value.currency)}


def money(micros: int | None, currency: str) -> dict[str, Any] | None:
    return None if micros is None else {"amount_micros": micros, "currency": currency}


class SplitView(serializers.Serializer):
    """Paid orders by whose doing they are said to be. GMV Max claims orders of creators and organic ones as well and
    names none: what neither accounts for is a range."""

    start = TimeField()
    end = TimeField()
    currency = serializers.CharField()
    total = SoldField("total")
    affiliate = SoldField("affiliate")
    credited_to_gmv_max = SoldField("credited")
    rest_at_least = SoldField("rest_low")
    rest_at_most = SoldField("rest_high")
    gmv_max_spend = MoneyField("spend_micros")
    reported_not_incremental_roi = RatioField(
        allow_null=True, help_text="What GMV Max claims ÷ its spend: not what the ads added."
    )

    class Meta:
        ref_name = "ShopSplit"


class ScoredPartView(serializers.Serializer):
    name = serializers.CharField()
    weight_ppm = serializers.IntegerField()
    score_ppm = serializers.IntegerField(allow_null=True)
    read = serializers.DictField(help_text="What the part was computed from.")

    class Meta:
        ref_name = "CreditPart"


class ScoredFactorView(serializers.Serializer):
    name = serializers.CharField()
    weight_ppm = serializers.IntegerField()
    score_ppm = serializers.IntegerField(allow_null=True)
    parts = ScoredPartView(many=True)

    class Meta:
        ref_name = "CreditFactor"


class ReasonView(serializers.Serializer):
    code = serializers.CharField()
    sentence = serializers.CharField()

    class Meta:
        ref_name = "CreditReason"


class AssessmentView(serializers.Serializer):
    """A score from verified revenue. Scores, weights, coverage and confidence are in millionths; null is unknown."""

    id = IdField(ASSESSMENT, source="pk", read_only=True)
    period_start = TimeField()
    period_end = TimeField()
    method = serializers.CharField(help_text="Version of the formulas.")
    score_ppm = serializers.IntegerField(allow_null=True)
    tier = serializers.CharField(help_text="By monthly revenue; empty when that is unknown.")
    monthly_revenue = serializers.SerializerMethodField()
    coverage_ppm = serializers.IntegerField(help_text="Share of all weights whose parts are known.")
    confidence_ppm = serializers.IntegerField()
    reasons = serializers.SerializerMethodField()
    created_at = TimeField()

    class Meta:
        ref_name = "CreditAssessment"

    @extend_schema_field(Money(allow_null=True))
    def get_monthly_revenue(self, row: CreditAssessment) -> dict[str, Any] | None:
        return money(row.monthly_revenue_micros, "USD")

    @extend_schema_field(ReasonView(many=True))
    def get_reasons(self, row: CreditAssessment) -> list[dict[str, str]]:
        """A code of a later version has no sentence here."""
        return [{"code": code, "sentence": REASONS[code].sentence if code in REASONS else ""} for code in row.reasons]


class AssessmentDetailView(AssessmentView):
    factors = ScoredFactorView(many=True)
    inputs = serializers.DictField(help_text="The figures that the score is a function of.")
    inputs_sha256 = serializers.CharField(help_text="Of the inputs as canonical JSON.")
    evidence = serializers.SerializerMethodField(help_text="Rows that it was computed from, by kind.")

    class Meta:
        ref_name = "CreditAssessmentDetail"

    @extend_schema_field({"type": "object", "additionalProperties": {"type": "integer"}})
    def get_evidence(self, row: CreditAssessment) -> dict[str, int]:
        return evidence_counts(row)


class FiguresOfShop(PartnerView):
    @extend_schema(
        operation_id="stores_figures_retrieve",
        tags=STORES,
        parameters=[path_id("id", STORE), SpanQuery],
        responses=ShopFiguresView,
    )
    def get(self, request: Request, id: str) -> Response:
        """Of a TikTok Shop: figures of a span of whole hours, up to 92 days, by default the newest thirty."""
        store = one_of(shops(), STORE, id)
        return Response(ShopFiguresView(shop_figures(store, *span_of(request, store))).data)


class SplitOfShop(PartnerView):
    @extend_schema(
        operation_id="stores_split_retrieve",
        tags=STORES,
        parameters=[path_id("id", STORE), SpanQuery],
        responses=SplitView,
    )
    def get(self, request: Request, id: str) -> Response:
        """Of a TikTok Shop: orders of a span by whose doing they are said to be: creators, GMV Max, the rest."""
        store = one_of(shops().filter(kind=StoreKind.SHOP), STORE, id)
        return Response(SplitView(split_of(store, *span_of(request, store))).data)


class CreditAssessments(PartnerView):
    @extend_schema(
        operation_id="credit_assessments_list",
        tags=CREDIT,
        parameters=PAGE_PARAMETERS,
        responses=page_of(AssessmentView),
    )
    def get(self, request: Request) -> Response:
        """Credit assessments, newest first."""
        read_query(request, StrictSerializer, "cursor", "limit")
        return page(request, CreditAssessment.objects.all(), AssessmentView)


class CreditAssessmentDetail(PartnerView):
    @extend_schema(
        operation_id="credit_assessments_retrieve",
        tags=CREDIT,
        parameters=[path_id("id", ASSESSMENT)],
        responses=AssessmentDetailView,
    )
    def get(self, request: Request, id: str) -> Response:
        """One credit assessment with its factors, reasons and evidence."""
        return Response(AssessmentDetailView(one_of(CreditAssessment.objects.all(), ASSESSMENT, id)).data)


def shops() -> QuerySet[Store]:
    rows: QuerySet[Store] = Store.objects.filter(platform=Platform.TIKTOK_SHOP, is_active=True)
    return rows


def span_of(request: Request, store: Store) -> tuple[datetime, datetime]:
    """The span asked for, checked; an end left out leads to thirty days, both to the newest that are known."""
    wanted = read_query(request, SpanQuery)
    start, end = wanted.get("from"), wanted.get("to")
    last = end or (start + DEFAULT_SPAN if start else newest_known(store) or hour_of(wall_now()))
    first = start or last - DEFAULT_SPAN
    for name, moment in (("from", first), ("to", last)):
        if hour_of(moment) != moment:
            raise bad_parameter(name, "expected the start of an hour, such as 2026-11-20T15:00:00Z")
    if not timedelta(0) < last - first <= MAX_SPAN:
        raise bad_parameter("to", f"expected a time after `from`, at most {MAX_SPAN.days} days later")
    return first, last


urls: list[tuple[str, type[PartnerView]]] = [
    ("stores/<str:id>/figures", FiguresOfShop),
    ("stores/<str:id>/split", SplitOfShop),
    ("credit-assessments", CreditAssessments),
    ("credit-assessments/<str:id>", CreditAssessmentDetail),
]
