"""Pulling what happened: the ad tree, the hours that may still change, orders and refunds, products and costs.

Each function is idempotent and commits in slices (an account day, a batch of orders), so a killed sync
starts again without loss or doubling. `as_of` is business time: the end of the slot that the sync is for.
"""

from metrics.sync.counts import SyncCounts
from metrics.sync.hours import lock, restatement_days, sync_ad_days, sync_hours
from metrics.sync.orders import store_records, sync_orders
from metrics.sync.products import sync_products
from metrics.sync.tree import sync_tree

__all__ = [
    "SyncCounts",
    "lock",
    "restatement_days",
    "store_records",
    "sync_ad_days",
    "sync_hours",
    "sync_orders",
    "sync_products",
    "sync_tree",
]
