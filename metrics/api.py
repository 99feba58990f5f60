"""The partner API over what happened: KPIs and hours."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api_fields import STORE, IdField, MoneyField, SpanQuery, StrictSerializer, TimeField
from accounts.api_views import (
    PAGE_PARAMETERS,
    PartnerView,
    bad_parameter,
    one_of,
    page,
    page_of,
    path_id,
    read_query,
)
from accounts.clock import wall_now
from accounts.hours import hour_of
from accounts.models import Store, StoreKind, Tenant
from metrics.overview import DEFAULT_SPAN, newest_span, overview
from metrics.store_hours import store_hours

STORES = ["Stores"]
MAX_SPAN = timedelta(days=31)


@extend_schema_field({"type": "string", "pattern": r"^-?[0-9]+\.[0-9]{4}$"})
class RatioField(serializers.Field):
    """A decimal with four places, as text."""

    def to_representation(self, value: Decimal) -> str:
        return f"{value:.4f}"


class HourView(serializers.Serializer):
    """One hour. Null is unknown, never zero."""

    hour = TimeField(help_text="UTC start of the hour.")
    spend = MoneyField("spend_micros")
    revenue = MoneyField("revenue_micros")
    refunds = MoneyField("refunds_micros")
    cogs = MoneyField("cogs_micros")
    profit = MoneyField("profit_micros")
    orders = serializers.IntegerField(allow_null=True)
    new_customers = serializers.IntegerField(allow_null=True)

    class Meta:
        ref_name = "OverviewHour"


class Kpis(serializers.Serializer):
    """Sums over the span; null when fewer than 95 % of its hours are known, or over a zero."""

    spend = MoneyField("spend_micros")
    revenue = MoneyField("revenue_micros")
    refunds = MoneyField("refunds_micros")
    cogs = MoneyField("cogs_micros", help_text="Cost of goods.")
    profit = MoneyField("profit_micros", help_text="Revenue − refunds − spend − cost of goods.")
    orders = serializers.IntegerField(allow_null=True)
    attributed_orders = serializers.IntegerField(allow_null=True)
    new_customers = serializers.IntegerField(allow_null=True)
    roas = RatioField(allow_null=True, help_text="Attributed revenue, net of refunds, ÷ spend.")
    mer = RatioField(allow_null=True, help_text="All revenue, net of refunds, ÷ spend.")
    cpa = MoneyField("cpa_micros", help_text="Spend ÷ attributed orders.")
    aov = MoneyField("aov_micros", help_text="Revenue ÷ orders.")
    spend_coverage = RatioField(help_text="Share of the hours whose spend is known.")
    revenue_coverage = RatioField(help_text="Share of the hours whose orders are known.")


class OverviewView(serializers.Serializer):
    start = TimeField()
    end = TimeField()
    currency = serializers.CharField()
    kpis = Kpis(source="*")
    hours = HourView(many=True)

    class Meta:
        ref_name = "Overview"


class OverviewOfTenant(PartnerView):
    @extend_schema(operation_id="overview_retrieve", tags=["Metrics"], parameters=[SpanQuery], responses=OverviewView)
    def get(self, request: Request) -> Response:
        """KPIs and hours of a span of whole hours: up to 31 days, by default the newest seven."""
        wanted = read_query(request, SpanQuery)
        start, end = span_of(self.tenant, wanted.get("from"), wanted.get("to"))
        return Response(OverviewView(overview(self.tenant, start, end)).data)


class StoreView(serializers.Serializer):
    id = IdField(STORE, source="pk", read_only=True)
    platform = serializers.CharField()
    kind = serializers.ChoiceField(StoreKind.choices, help_text="A creator has commissions and no orders.")
    external_id = serializers.CharField(help_text="The platform's own id.")
    name = serializers.CharField()
    region = serializers.CharField(help_text="TikTok Shop's market, such as GB.")
    currency = serializers.CharField()
    timezone = serializers.CharField()
    is_active = serializers.BooleanField()
    problem = serializers.CharField(help_text="Why it cannot be read, and what to do.")
    notice = serializers.CharField(help_text="What is worth knowing about its figures.")
    known_from = TimeField(
        source="coverage.known_from", default=None, allow_null=True, help_text="Its orders are known from then on."
    )
    known_to = TimeField(source="coverage.known_to", default=None, allow_null=True)
    created_at = TimeField()

    class Meta:
        ref_name = "Store"


class StoreHourView(serializers.Serializer):
    """One hour of a store. Null is unknown, never zero."""

    hour = TimeField(help_text="UTC start of the hour.")
    revenue = MoneyField(
        "revenue_micros", help_text="Totals of the hour's orders, and what edits in the hour added or took off."
    )
    refunds = MoneyField("refunds_micros", help_text="What was refunded in the hour.")
    cogs = MoneyField("cogs_micros", help_text="Cost of goods of the hour's orders.")
    orders = serializers.IntegerField(allow_null=True)
    units = serializers.IntegerField(allow_null=True)
    new_customers = serializers.IntegerField(allow_null=True)

    class Meta:
        ref_name = "StoreHour"


class StoreHoursView(serializers.Serializer):
    store = StoreView()
    start = TimeField()
    end = TimeField()
    hours = StoreHourView(many=True)

    class Meta:
        ref_name = "StoreHours"


def stores() -> QuerySet[Store]:
    found: QuerySet[Store] = Store.objects.select_related("tenant", "coverage")
    return found


class Stores(PartnerView):
    @extend_schema(operation_id="stores_list", tags=STORES, parameters=PAGE_PARAMETERS, responses=page_of(StoreView))
    def get(self, request: Request) -> Response:
        """Stores, newest first."""
        read_query(request, StrictSerializer, "cursor", "limit")
        return page(request, stores(), StoreView)


class HoursOfStore(PartnerView):
    @extend_schema(
        operation_id="stores_hours_retrieve",
        tags=STORES,
        parameters=[path_id("id", STORE), SpanQuery],
        responses=StoreHoursView,
    )
    def get(self, request: Request, id: str) -> Response:
        """What a store sold in each hour of a span of whole hours: up to 31 days, by default the newest seven."""
        store = one_of(stores(), STORE, id)
        wanted = read_query(request, SpanQuery)
        start, end = span_of(self.tenant, wanted.get("from"), wanted.get("to"))
        hours = [
            SimpleNamespace(hour=hour, currency=store.currency, **{name: getattr(sales, name, None) for name in SOLD})
            for hour, sales in store_hours(store, start, end).items()
        ]
        return Response(StoreHoursView({"store": store, "start": start, "end": end, "hours": hours}).data)


SOLD = ("revenue_micros", "refunds_micros", "cogs_micros", "orders", "units", "new_customers")


def span_of(tenant: Tenant, start: datetime | None, end: datetime | None) -> tuple[datetime, datetime]:
    """The span asked for, checked; an end left out leads to seven days."""
    if start is not None:
        first, last = start, end or start + DEFAULT_SPAN
    elif end is not None:
        first, last = end - DEFAULT_SPAN, end
    else:
        first, last = newest_span(tenant, wall_now())
    for name, moment in (("from", first), ("to", last)):
        if hour_of(moment) != moment:
            raise bad_parameter(name, "expected the start of an hour, such as 2026-11-20T15:00:00Z")
    if not timedelta(0) < last - first <= MAX_SPAN:
        raise bad_parameter("to", "expected a time after `from`, at most 31 days later")
    return first, last
