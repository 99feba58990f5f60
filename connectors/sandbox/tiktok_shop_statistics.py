"""A shop's own statistics: by hour, by day, and how the platform scores it.

GMV is what buyers paid in orders that were paid for in that time, samples left out and later cancellations and returns
left in, so that it agrees with the orders. Days and hours are of the shop's zone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from connectors.sandbox.currencies import decimal_text
from connectors.sandbox.market import HOUR
from connectors.sandbox.orders import DAY
from connectors.sandbox.tenants import profile
from connectors.sandbox.tiktok_shop_order import ShopOrder
from connectors.sandbox.tiktok_shop_sales import STREAM
from connectors.sandbox.tiktok_shop_terms import BAD_REQUEST, Asked, Data, ShopError, choice

HOURLY_DAYS = 30
DAILY_DAYS = 366
VISITORS = 31  # of the pages, for each order
EVALUATED_DAYS = 60
TIERS = (
    (4.0, "EXCELLENT", "Excellent"),
    (3.0, "GOOD", "Good"),
    (2.0, "POOR", "Normal"),
    (0.0, "CRITICAL", "Attention"),
)
METRICS = (  # code, name, dimension, unit, usual value, excellent, poor
    ("NRR", "Negative review rate", "Product satisfaction", "PERCENT", 0.6, "0.5", "1.5"),
    ("NBFR", "Non-buyer fault return rate", "Product satisfaction", "PERCENT", 1.1, "1.0", "3.0"),
    ("SFCR", "Seller-fault cancellation rate", "Fulfillment and logistics", "PERCENT", 1.0, "0.5", "2.5"),
    ("OTDR", "On-time delivery rate", "Fulfillment and logistics", "PERCENT", 96.0, "97.0", "90.0"),
    ("AHT", "After-sales handling time", "Customer service", "HOURS", 14.0, "12.0", "36.0"),
    ("IM_DSAT", "Chat dissatisfaction rate", "Customer service", "PERCENT", 8.0, "7.0", "20.0"),
)
WEIGHTS = {"Product satisfaction": "50", "Fulfillment and logistics": "35", "Customer service": "15"}


class Sold:
    """Sums over the sales of some time; `rate` is how much of the told currency one unit of the shop's is."""

    def __init__(self, orders: Iterable[ShopOrder], currency: str, level: int) -> None:
        self.orders, self._currency, self._level = list(orders), currency, level

    def money(self, micros: int) -> Data:
        return {
            "amount": decimal_text(micros // self._level // 10_000 * 10_000, self._currency),
            "currency": self._currency,
        }

    def gmv(self, *content: str, by_creator: bool | None = None) -> Data:
        """Of all orders, or of those of some content and side."""
        counted = (
            order.total
            for order in self.orders
            if (not content or order.content in content) and by_creator in (None, bool(order.creator))
        )
        return self.money(sum(counted))

    def told(self) -> Data:
        """What the hourly and the daily figures have in common."""
        count, units = len(self.orders), sum(len(order.units) for order in self.orders)
        skus = sum(len({unit.product for unit in order.units}) for order in self.orders)
        total, customers = sum(order.total for order in self.orders), len({order.buyer for order in self.orders})
        return {
            "gmv": self.gmv(),
            "orders_count": count,
            "sku_orders_count": skus,
            "items_sold": units,
            "customers_count": customers,
            "avg_order_value": self.money(total // count if count else 0),
            "avg_sku_order_value": self.money(total // skus if skus else 0),
            "live_attributed_gmv": self.gmv("LIVE"),
            "video_attributed_gmv": self.gmv("VIDEO"),
            "product_card_attributed_gmv": self.gmv("SHOP", "LINKSHARE", "PROMOTION_PAGE"),
        }

    def traffic(self) -> Data:
        count = len(self.orders)
        return {
            "product_impressions": count * VISITORS * 12,
            "product_clicks": count * VISITORS * 2,
            "unique_product_impressions": count * VISITORS * 9,
            "unique_clicks": count * VISITORS,
        }


def by_hour(asked: Asked) -> Data:
    """GET /analytics/202510/shop/performance/{date}/performance_per_hour: the hours of a day that have ended."""
    zone, day = ZoneInfo(asked.store.zone), _day(asked.path["date"], "date")
    today = datetime.fromtimestamp(asked.now, UTC).astimezone(zone).date()
    if not today - timedelta(days=HOURLY_DAYS) < day <= today:
        raise ShopError(BAD_REQUEST, f"Invalid parameter. 'date' must be one of the last {HOURLY_DAYS} days.")
    start, end = _midnight(day, zone), _midnight(day + timedelta(days=1), zone)
    ready = min(end, asked.now // HOUR * HOUR)
    by_index: dict[int, list[ShopOrder]] = {
        datetime.fromtimestamp(at, UTC).astimezone(zone).hour: [] for at in range(start, ready, HOUR)
    }
    for order in _sales(asked, start, ready):
        by_index[datetime.fromtimestamp(order.paid_at or 0, UTC).astimezone(zone).hour].append(order)
    told = {index: _sold(asked, orders) for index, orders in by_index.items()}
    overall = _sold(asked, [order for sold in told.values() for order in sold.orders])
    return {
        "performance": {
            "latest_available_timestamp": ready,
            "overall": _hourly(overall),
            "intervals": [{"index": index, **_hourly(sold)} for index, sold in told.items()],
        }
    }


def by_day(asked: Asked) -> Data:
    """GET /analytics/202609/shop/performance: whole days up to yesterday, one by one or all together."""
    zone = ZoneInfo(asked.store.zone)
    first, end = (_day(asked.args.get(name, ""), name) for name in ("start_date_ge", "end_date_lt"))
    if not 0 < (end - first).days <= DAILY_DAYS:
        raise ShopError(BAD_REQUEST, f"Invalid parameter. The dates must span 1 to {DAILY_DAYS} days.")
    is_daily = choice(asked.args.get("granularity", "ALL"), "granularity", ("ALL", "1D")) == "1D"
    today = datetime.fromtimestamp(asked.now, UTC).astimezone(zone).date()
    begun = datetime.fromtimestamp(asked.world.market.first_hour * HOUR, UTC).astimezone(zone).date()
    days = [first + timedelta(days=k) for k in range((end - first).days)]
    known = [day for day in days if begun <= day < today]
    spans = [(day, day + timedelta(days=1)) for day in known] if is_daily else [(first, end)] if known else []
    intervals = [_interval(asked, zone, start, stop, today) for start, stop in spans]
    return {
        "latest_available_date": (today - timedelta(days=1)).isoformat(),
        "performance": {"intervals": intervals},
    }


def score(asked: Asked) -> Data:
    """GET /analytics/202606/shop_performances/overview"""
    metrics = _scores(asked)
    dimensions = []
    for name, weight in WEIGHTS.items():
        members = [points for *_, dimension, points in metrics if dimension == name]
        mean = sum(members) / len(members)
        dimensions.append({"name": name, "score": f"{mean:.1f}", "weight": weight, **_tier(mean, "status")})
    total = sum(float(each["score"]) * int(each["weight"]) for each in dimensions) / 100
    evaluated = _evaluated(asked)
    return {
        "sps_score": f"{total:.1f}",
        **_tier(total, "sps_tier"),
        "dimensions": dimensions,
        "benefits": [],
        "peer_percentile": f"{min(total * 20, 99.0):.0f}",
        "primary_category": {"category_id": "600001", "category_name": "Home Supplies"},
        "top_issues": {"summary": "", "issues": []},
        "update_time": evaluated["end_evaluation_time"],
        **evaluated,
    }


def metrics(asked: Asked) -> Data:
    """GET /analytics/202606/shop_performances/metrics"""
    told = []
    for (code, name, dimension, unit, _, excellent, poor), (value, _, points) in zip(
        METRICS, _scores(asked), strict=True
    ):
        told.append(
            {
                "metric_code": code,
                "metric_name": name,
                "dimension": dimension,
                "value": f"{value:.2f}",
                "value_unit": unit,
                "score": f"{points:.1f}",
                **_tier(points, "status"),
                "benchmarks": {"excellent_threshold": excellent, "poor_threshold": poor},
                **_evaluated(asked),
            }
        )
    return {"metrics": told}


def _sold(asked: Asked, orders: Iterable[ShopOrder]) -> Sold:
    """In the shop's currency, or in US dollars at the sandbox's plain rate."""
    in_dollars = choice(asked.args.get("currency", "LOCAL"), "currency", ("LOCAL", "USD")) == "USD"
    level = profile(asked.store.tenant).price_level if in_dollars else 1
    return Sold(orders, "USD" if in_dollars else asked.store.currency, level)


def _sales(asked: Asked, start: int, end: int) -> list[ShopOrder]:
    """What was paid for in `[start, end)`."""
    placed = asked.world.shop_sales.placed(asked.store, start - HOUR, end)
    return [o for o in placed if o.is_sale(asked.now) and o.paid_at is not None and start <= o.paid_at < end]


def _hourly(sold: Sold) -> Data:
    told = sold.told()
    return {**told, "customers": told["customers_count"], "visitors": len(sold.orders) * VISITORS, **sold.traffic()}


def _interval(asked: Asked, zone: ZoneInfo, first: date, end: date, today: date) -> Data:
    start, stop = _midnight(first, zone), _midnight(min(end, today), zone)
    sold = _sold(asked, _sales(asked, start, stop))
    back = [
        returned for o in sold.orders if (returned := o.returned) and (returned.refunded_at() or asked.now) < asked.now
    ]
    ended = [order for order in sold.orders if order.status(asked.now) == "CANCELLED"]
    visitors = len(sold.orders) * VISITORS
    days = max((min(end, today) - first).days, 1)
    sales = {
        **sold.told(),
        "gmv_with_tax": sold.gmv(),
        "refunds": sold.money(sum(each.amount for each in back) + sum(order.total for order in ended)),
        "cancellations_and_returns": len(back) + len(ended),
        "creator_live_attributed_gmv": sold.gmv("LIVE", by_creator=True),
        "creator_video_attributed_gmv": sold.gmv("VIDEO", by_creator=True),
        "seller_live_attributed_gmv": sold.gmv("LIVE", by_creator=False),
        "seller_video_attributed_gmv": sold.gmv("VIDEO", by_creator=False),
        "shipping_fees": sold.money(sum(order.shipping for order in sold.orders)),
        "tax": sold.money(0),
    }
    return {
        "start_date": first.isoformat(),
        "end_date": end.isoformat(),
        "sales": sales,
        "breakdowns": _breakdowns(sold),
        "traffic": {**sold.traffic(), "avg_visitors": visitors // days, "avg_page_views": 2 * visitors // days},
    }


def _breakdowns(sold: Sold) -> Data:
    cards = ("SHOP", "LINKSHARE", "PROMOTION_PAGE")
    contents = [
        {"channel": channel, "content_type": content, "gmv": sold.gmv(content, by_creator=channel == "CREATOR")}
        for channel in ("CREATOR", "SELLER")
        for content in ("LIVE", "VIDEO")
    ]
    return {
        "content_breakdown": contents,
        "affiliate_product_card_attributed_gmv": sold.gmv(*cards, by_creator=True),
        "seller_product_card_gmv": sold.gmv(*cards, by_creator=False),
    }


def _scores(asked: Asked) -> list[tuple[float, str, float]]:
    """Value, dimension and points of every metric on this day; only shops in the US are scored."""
    store = asked.store
    if store.region != "US":
        raise ShopError(BAD_REQUEST, "Invalid request. The shop performance score is available in the US only.")
    luck = np.random.default_rng([asked.world.config.seed, STREAM, store.tenant, asked.now // DAY, store.number, 1])
    found = []
    for (_, _, dimension, _, usual, excellent, poor), noise in zip(
        METRICS, luck.standard_normal(len(METRICS)), strict=True
    ):
        value = round(usual * (1 + 0.02 * float(noise)), 2)
        share = (value - float(poor)) / (float(excellent) - float(poor))
        found.append((value, dimension, min(max(2 + 2 * share, 0.0), 5.0)))
    return found


def _tier(points: float, name: str) -> Data:
    tier, text = next((tier, text) for least, tier, text in TIERS if points >= least)
    return {name: tier, f"{name}_text": text}


def _evaluated(asked: Asked) -> Data:
    end = asked.now // DAY * DAY
    return {
        "start_evaluation_time": end - EVALUATED_DAYS * DAY,
        "end_evaluation_time": end,
        "evaluate_duration_days": EVALUATED_DAYS,
    }


def _day(text: str, name: str) -> date:
    try:
        if not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            raise ValueError("no calendar date")  # Python also knows dates of weeks
        return date.fromisoformat(text)
    except ValueError as error:
        raise ShopError(BAD_REQUEST, f"Invalid parameter. '{name}' is not a date.") from error


def _midnight(day: date, zone: ZoneInfo) -> int:
    return int(datetime.combine(day, time(), zone).timestamp())
