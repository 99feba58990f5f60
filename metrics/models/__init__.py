"""What happened: orders and refunds, hourly metrics with their revisions, costs, and rewards."""

from metrics.models.backfills import Backfill, OrderBackfill
from metrics.models.hours import (
    AdDay,
    AdDayPurchases,
    HourFigures,
    HourlyMetric,
    HourlyMetricRevision,
    Reward,
    SyncedHour,
)
from metrics.models.marketplace import (
    AffiliateSale,
    CreditAssessment,
    CreditEvidence,
    Payment,
    ShopDay,
    ShopHealth,
    ShopHour,
    ShopReturn,
    Statement,
)
from metrics.models.orders import (
    AttributionMethod,
    Order,
    OrderEdit,
    OrderLine,
    Product,
    ProductCost,
    Refund,
    SourceCoverage,
    StoreCoverage,
)

__all__ = [
    "AdDay",
    "AdDayPurchases",
    "AffiliateSale",
    "AttributionMethod",
    "Backfill",
    "CreditAssessment",
    "CreditEvidence",
    "HourFigures",
    "HourlyMetric",
    "HourlyMetricRevision",
    "Order",
    "OrderBackfill",
    "OrderEdit",
    "OrderLine",
    "Payment",
    "Product",
    "ProductCost",
    "Refund",
    "Reward",
    "ShopDay",
    "ShopHealth",
    "ShopHour",
    "ShopReturn",
    "SourceCoverage",
    "Statement",
    "StoreCoverage",
    "SyncedHour",
]
