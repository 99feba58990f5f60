"""Who we work for, what they own on the platforms, and what we tell them."""

from accounts.models.ad_tree import (
    Ad,
    AdAccount,
    AdSet,
    BidStrategy,
    Campaign,
    Creative,
    Family,
    RolloutStage,
    Status,
)
from accounts.models.alerts import Alert
from accounts.models.api_keys import ApiKey, IdempotentRequest
from accounts.models.base import TenantOwned, UuidModel, money_constraint
from accounts.models.credentials import Credential, Store, StoreKind
from accounts.models.tenants import Membership, Role, Tenant, User

__all__ = [
    "Ad",
    "AdAccount",
    "AdSet",
    "Alert",
    "ApiKey",
    "BidStrategy",
    "Campaign",
    "Creative",
    "Credential",
    "Family",
    "IdempotentRequest",
    "Membership",
    "Role",
    "RolloutStage",
    "Status",
    "Store",
    "StoreKind",
    "Tenant",
    "TenantOwned",
    "User",
    "UuidModel",
    "money_constraint",
]
