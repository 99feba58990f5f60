"""How the admin looks and what its sidebar offers, for django-unfold."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy


def _file(name: str) -> Any:
    return lambda request: static(f"bursar/{name}")


def _page(title: str, icon: str, url_name: str, **more: Any) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse_lazy(f"admin:{url_name}"), **more}


def _rows(title: str, icon: str, model: str) -> dict[str, Any]:
    """The list page of a model. Active on its own pages only, however other models' names begin."""
    url_name = f"{model}_changelist"

    def is_active(request: HttpRequest) -> bool:
        return request.path.startswith(str(reverse_lazy(f"admin:{url_name}")))

    return _page(title, icon, url_name, active=is_active)


# The theme's login form drops the way to the index that Django offers it.
LOGIN_REDIRECT_URL = "admin:index"
FORMAT_MODULE_PATH = "config.formats"

NAVIGATION: list[dict[str, Any]] = [
    {
        "items": [
            _page("Overview", "monitoring", "index"),
            _page("Approvals", "approval_delegation", "approvals"),
            _page("Kill switch", "emergency_home", "kill_switch"),
            _rows("Alerts", "notifications", "accounts_alert"),
        ],
    },
    {
        "title": "Decisions",
        "separator": True,
        "items": [
            _rows("Actions", "bolt", "automation_action"),
            _rows("Proposals", "lightbulb", "automation_proposalrecord"),
            _rows("Runs", "schedule", "automation_policyrun"),
            _rows("Verdicts", "gavel", "automation_verdict"),
            _rows("Decisions by people", "how_to_reg", "automation_approval"),
            _rows("Action log", "receipt_long", "automation_logentry"),
        ],
    },
    {
        "title": "Rules and limits",
        "separator": True,
        "items": [
            _rows("Rules", "rule", "rules_rule"),
            _rows("Limits", "shield", "automation_limits"),
        ],
    },
    {
        "title": "Results",
        "separator": True,
        "items": [
            _rows("Orders", "shopping_bag", "metrics_order"),
            _rows("Hourly metrics", "bar_chart", "metrics_hourlymetric"),
            _rows("Rewards", "savings", "metrics_reward"),
            _rows("Product costs", "sell", "metrics_productcost"),
            _rows("Refunds", "undo", "metrics_refund"),
            _rows("Order edits", "edit_note", "metrics_orderedit"),
            _rows("Products", "inventory_2", "metrics_product"),
        ],
    },
    {
        "title": "TikTok Shop",
        "separator": True,
        "collapsible": True,
        "items": [
            _page("Shops and creators", "storefront", "tiktok_shop"),
            _page("Credit assessment", "credit_score", "credit"),
            _rows("Affiliate sales", "handshake", "metrics_affiliatesale"),
            _rows("Returns", "assignment_return", "metrics_shopreturn"),
            _rows("Statements", "receipt", "metrics_statement"),
            _rows("Payments", "payments", "metrics_payment"),
            _rows("Shop health", "health_and_safety", "metrics_shophealth"),
        ],
    },
    {
        "title": "Accounts",
        "separator": True,
        "collapsible": True,
        "items": [
            _rows("Ad sets", "ads_click", "accounts_adset"),
            _rows("Campaigns", "campaign", "accounts_campaign"),
            _rows("Ads", "image", "accounts_ad"),
            _rows("Creatives", "palette", "accounts_creative"),
            _rows("Ad accounts", "account_balance_wallet", "accounts_adaccount"),
            _rows("Stores", "storefront", "accounts_store"),
            _rows("Credentials", "key", "accounts_credential"),
            _rows("API keys", "api", "accounts_apikey"),
            _rows("Tenants", "domain", "accounts_tenant"),
            _rows("Members", "badge", "accounts_membership"),
            _rows("People", "group", "accounts_user"),
        ],
    },
    {
        "title": "Records",
        "separator": True,
        "collapsible": True,
        "items": [
            _rows("Past days", "manage_history", "metrics_backfill"),
            _rows("Past orders", "manage_search", "metrics_orderbackfill"),
            _rows("Deliveries", "inbox", "connectors_delivery"),
            _rows("Privacy requests", "policy", "connectors_privacyrequest"),
            _rows("Token uses", "vpn_key", "connectors_tokenuse"),
            _rows("Shop hours", "schedule", "metrics_shophour"),
            _rows("Shop days", "calendar_month", "metrics_shopday"),
            _rows("Further coverage", "event_note", "metrics_sourcecoverage"),
            _rows("Ad days", "calendar_today", "metrics_adday"),
            _rows("Ad day purchases", "shopping_cart", "metrics_addaypurchases"),
            _rows("Metric revisions", "history", "metrics_hourlymetricrevision"),
            _rows("Synced hours", "sync", "metrics_syncedhour"),
            _rows("Store coverage", "event_available", "metrics_storecoverage"),
            _rows("Order lines", "list_alt", "metrics_orderline"),
            _rows("Kill switch rows", "toggle_off", "automation_killswitch"),
            _rows("Log heads", "link", "automation_loghead"),
            _rows("Idempotent requests", "repeat_one", "accounts_idempotentrequest"),
        ],
    },
]

# Green of a ledger's cover, in oklch like the theme's own scales.
_PRIMARY = {
    "50": "oklch(97.9% .021 166.1)",
    "100": "oklch(95% .052 163.1)",
    "200": "oklch(90.5% .093 164.2)",
    "300": "oklch(84.5% .143 165)",
    "400": "oklch(76.5% .177 163.2)",
    "500": "oklch(63% .14 163)",
    "600": "oklch(50.8% .112 165)",
    "700": "oklch(45% .1 165.6)",
    "800": "oklch(39.5% .085 167)",
    "900": "oklch(34% .07 168)",
    "950": "oklch(26.2% .051 172.6)",
}

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Bursar",
    "SITE_HEADER": "Bursar",
    "SITE_SUBHEADER": "Lets money out for good reason",
    "SITE_SYMBOL": "account_balance",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": _file("bursar.svg")}],
    "SITE_URL": None,
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "8px",
    "COLORS": {"primary": _PRIMARY},
    "STYLES": [_file("bursar.css")],
    "SCRIPTS": [_file("bursar.js")],
    "GLOBAL_CALLBACK": "config.dashboard.banner",
    "DASHBOARD_CALLBACK": "config.dashboard.dashboard",
    "SIDEBAR": {"show_search": True, "navigation": "config.dashboard.navigation"},
}
