"""The page of a connected TikTok Shop or creator: revenue, commissions, and the health of the connection."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from accounts.admin.connections import LOGIN_COLOURS, login_of, state_of, told_of, with_login
from accounts.admin_base import actor_of, many_tenants
from accounts.clock import wall_now
from accounts.hours import local_day
from accounts.login_states import LoginState
from accounts.models import Store, StoreKind
from accounts.money import MICROS, money_text
from accounts.permissions import CONFIGURE, VIEW, may
from connectors.contracts import Platform
from connectors.models import Delivery, TokenUse
from connectors.token_uses import DONE
from metrics.marketplace import (
    ShopFigures,
    Sold,
    Split,
    commission_days,
    hour_checks,
    newest_known,
    shop_figures,
    split_of,
)
from metrics.models import Payment, Statement
from metrics.store_hours import store_days

SPANS = {7: "7 days", 30: "30 days", 90: "90 days"}
DEFAULT_SPAN = 30
CHECKED = timedelta(days=7)
APART = Decimal("0.01")  # more than that, and somebody should look
SHOWN = 6


@dataclass(frozen=True, slots=True)
class Tile:
    title: str
    hint: str
    text: str


@dataclass(frozen=True, slots=True)
class SplitRow:
    """One line of the split; a range has two ends."""

    name: str
    hint: str
    orders: str
    money: str
    share: str


def shop_page(request: HttpRequest) -> HttpResponse:
    """`?store=` names the store, `?days=` the span; both have defaults."""
    if not may(actor_of(request), VIEW):
        raise PermissionDenied
    rows = Store.objects.filter(platform=Platform.TIKTOK_SHOP, tenant__is_active=True).order_by("-kind", "name")
    stores = list(with_login(rows))
    store = _chosen(stores, request.GET.get("store", ""))
    context: dict[str, Any] = {
        "title": "TikTok Shop",
        "stores": stores,
        "store": store,
        "is_named": many_tenants(),
        "spans": SPANS,
    }
    if store is not None:
        days = _days(request.GET.get("days", ""))
        may_configure = may(actor_of(request), CONFIGURE, store.tenant)
        context |= {"days": days, **_connection(store, may_configure=may_configure), **_figures(store, days)}
    return TemplateResponse(request, "bursar/shop.html", {**admin.site.each_context(request), **context})


def _chosen(stores: list[Store], wanted: str) -> Store | None:
    if not wanted:
        active = [store for store in stores if store.is_active]
        return next(iter(active or stores), None)
    found = next((store for store in stores if str(store.pk) == wanted), None)
    if found is None:
        raise Http404
    return found


def _days(text: str) -> int:
    return next((days for days in SPANS if str(days) == text), DEFAULT_SPAN)


def _connection(store: Any, *, may_configure: bool) -> dict[str, Any]:
    """How the connection stands, what can be done about it, and what it was used for lately."""
    credential = store.credential
    state = state_of(credential, has_token=store.has_access_token)
    shown, label = login_of(store)
    uses = TokenUse.objects.filter(credential=credential)
    day = uses.filter(at__gte=wall_now() - timedelta(days=1))
    return {
        "credential": credential,
        "state": label,
        "state_colour": LOGIN_COLOURS[shown],
        "trouble": "" if state is LoginState.CONNECTED else told_of(credential, state),
        "way_back": _way_back(store, state) if may_configure else "",
        "is_over": state in (LoginState.NEEDED, LoginState.DISCONNECTED),
        "authorisation_ends": credential.refresh_expires_at or credential.expires_at,
        "uses_today": day.count(),
        "refused_today": day.exclude(outcome__in=("", "200", DONE)).count(),
        "last_use": uses.first(),
        "last_news": Delivery.objects.filter(store=store).first(),
        "failed_news": Delivery.objects.filter(store=store, state=Delivery.State.FAILED).count(),
        "health": store.health.first(),
    }


def _way_back(store: Store, state: LoginState) -> str:
    """Where the store is connected again; "" where that would not help."""
    works = state in (LoginState.CONNECTED, LoginState.ENDING)
    if works and not store.is_active:
        return reverse("connect:choose", args=[store.credential_id])
    is_told = "connect" in store.problem.lower()
    return reverse("connect:again", args=[store.credential_id]) if is_told or not works else ""


def _figures(store: Store, days: int) -> dict[str, Any]:
    end = newest_known(store)
    if end is None:
        return {"has_figures": False}
    start = end - timedelta(days=days)
    if store.kind == StoreKind.CREATOR:
        return {"has_figures": True, "as_of": end, **_of_creator(store, end, days)}
    figures, split = shop_figures(store, start, end), split_of(store, start, end)
    return {
        "has_figures": True,
        "as_of": end,
        "tiles": tiles_of(figures),
        "split": split,
        "split_rows": split_rows(split),
        "roi": _ratio(split.reported_not_incremental_roi),
        "chart": _chart(store, end, days),
        "check": _check(store, end),
        "statements": [
            (row, money_text(row.settlement_micros, row.currency), money_text(row.fee_micros, row.currency))
            for row in Statement.objects.filter(store=store)[:SHOWN]
        ],
        "payments": [
            (row, money_text(row.amount_micros, row.currency)) for row in Payment.objects.filter(store=store)[:SHOWN]
        ],
    }


@dataclass(frozen=True, slots=True)
class Check:
    """Our GMV of some hours beside TikTok's own: which of the two hours at a boundary an order is in may differ."""

    hours: int
    ours: str
    theirs: str
    apart: str
    is_close: bool


def _check(store: Store, end: datetime) -> Check | None:
    known = [check for check in hour_checks(store, end - CHECKED, end) if check.is_equal is not None]
    ours, theirs = (sum(getattr(check, name) for check in known) for name in ("gmv_micros", "platform_gmv_micros"))
    if not known or not theirs:
        return None
    apart = Decimal(abs(ours - theirs)) / theirs
    return Check(
        hours=len(known),
        ours=money_text(ours, store.currency),
        theirs=money_text(theirs, store.currency),
        apart=f"{apart * 100:.1f} %",
        is_close=apart <= APART,
    )


def tiles_of(figures: ShopFigures) -> list[Tile]:
    def money(micros: int | None) -> str:
        return money_text(micros, figures.currency)

    rate = figures.return_rate
    return [
        Tile(
            "GMV",
            "Paid orders placed in the span, those that were cancelled later included.",
            money(figures.gmv_micros),
        ),
        Tile("Orders", "Paid orders placed in the span.", _count(figures.orders)),
        Tile("Average order", "GMV ÷ orders.", money(figures.average_order_micros)),
        Tile("Items sold", "Units of those orders.", _count(figures.units)),
        Tile("Return rate", "Units returned and refunded by now ÷ units sold; it grows for weeks.", _percent(rate)),
        Tile("Refunds", "Booked in the span, of orders of any time.", money(figures.refunds_micros)),
        Tile("Commissions", "Paid to creators for the span's orders.", money(figures.commission_paid_micros)),
        Tile("Commissions to come", "Expected, not settled yet.", money(figures.commission_expected_micros)),
        Tile("Settled", "By the statements of the span.", money(figures.settled_micros)),
        Tile("Paid out", "By payments that began in the span.", money(figures.paid_out_micros)),
    ]


def split_rows(split: Split) -> list[SplitRow]:
    """Whose doing the orders are said to be; the rest is a range, because GMV Max names no orders."""

    def row(name: str, hint: str, *ends: Sold) -> SplitRow:
        shares = [_share(end.micros, split.total.micros) for end in ends]
        return SplitRow(
            name,
            hint,
            _range([_count(end.orders) for end in ends]),
            _range([money_text(end.micros, split.currency) for end in ends]),
            _range(shares),
        )

    return [
        row("Affiliate", "Orders that a creator brought, by TikTok Shop's affiliate list.", split.affiliate),
        row("Credited to GMV Max", "What GMV Max claims: organic and affiliate orders among them.", split.credited),
        row("The rest", "Neither of the two: how far they overlap is not told.", split.rest_low, split.rest_high),
        row("All", "Paid orders of the shop.", split.total),
    ]


def _of_creator(store: Store, end: datetime, days: int) -> dict[str, Any]:
    by_day = commission_days(store, *_whole_days(store, end, days))
    known = [day for day in by_day.values() if day is not None]

    def total(name: str) -> int | None:
        values = [getattr(day, name) for day in known]
        return sum(values) if known and None not in values else None

    tiles = [
        Tile("Commissions", "Settled, for sales of these days.", money_text(total("paid_micros"), store.currency)),
        Tile("To come", "Expected, not settled yet.", money_text(total("expected_micros"), store.currency)),
        Tile("Sales", "Of other shops, that you brought.", money_text(total("sales_micros"), store.currency)),
        Tile("Orders", "With such sales.", _count(total("orders"))),
        Tile("Days known", "Of the span.", f"{len(known)} of {days}"),
    ]
    series: dict[str, list[float | None]] = {
        "Paid": [_units(day, "paid_micros") for day in by_day.values()],
        "Expected": [_units(day, "expected_micros") for day in by_day.values()],
    }
    labels = [f"{day:%d %b}" for day in by_day]
    return {"tiles": tiles, "chart": {"labels": labels, "currency": store.currency, "series": series}}


def _whole_days(store: Store, end: datetime, days: int) -> tuple[date, date]:
    """The first and the last of the newest days, in the store's calendar, that were over by then."""
    last = local_day(end, store.timezone) - timedelta(days=1)
    return last - timedelta(days=days - 1), last


def _units(day: Any, name: str) -> float | None:
    micros = getattr(day, name) if day is not None else None
    return None if micros is None else micros / MICROS


def _chart(store: Store, end: datetime, days: int) -> dict[str, Any]:
    """Revenue and refunds by the shop's own days, in currency units, `None` where unknown: what the script draws."""
    sold = store_days(store, *_whole_days(store, end, days))
    series = {
        name: [_units(day, field) for day in sold.values()]
        for name, field in (("Revenue", "revenue_micros"), ("Refunds", "refunds_micros"))
    }
    return {"labels": [f"{day:%d %b}" for day in sold], "currency": store.currency, "series": series}


def _range(ends: list[str]) -> str:
    low, high = ends[0], ends[-1]
    return low if low == high else f"{low} to {high}"


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _ratio(value: Decimal | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _percent(value: Decimal | None) -> str:
    return "–" if value is None else f"{value * 100:.1f} %"


def _share(part: int | None, whole: int | None) -> str:
    return "–" if part is None or not whole else f"{Decimal(part) * 100 / whole:.0f} %"


def urls() -> list[URLPattern]:
    return [path("tiktok-shop/", admin.site.admin_view(shop_page), name="tiktok_shop")]
