"""A database of stores whose platform pushes, and the workers of its inbox, as processes of their own.

`python -m tests.metrics.inbox connect URL | subscribe | work COUNT | digest`
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import django
import httpx


def connect(url: str) -> None:
    """A tenant with its stores for each merchant of the sandbox; the apps' own secrets are stored with them."""
    from django.core.management import call_command

    from accounts.models import Credential, Store, Tenant
    from accounts.scoping import all_tenants

    call_command("migrate", verbosity=0)
    call_command("createcachetable", verbosity=0)
    with all_tenants():
        for number, who in enumerate(httpx.get(f"{url}/_control/credentials", trust_env=False).json()["tenants"]):
            tenant = Tenant.objects.create(name=who["name"], slug=f"shop-{number}", currency=who["currency"])
            for platform, names in NAMES.items():
                given = {ours: who[platform].get(theirs, "") for ours, theirs in names.items()}
                shop, cipher = given.pop("external_id"), given.pop("cipher", "")
                credential = Credential.objects.create(tenant=tenant, platform=platform, label=shop, **given)
                Store.objects.create(
                    tenant=tenant,
                    platform=platform,
                    external_id=shop,
                    name=who["name"],
                    currency=who["currency"],
                    timezone=who["timezone"],
                    cipher=cipher,
                    region=who[platform].get("region", ""),
                    credential=credential,
                )


NAMES = {
    "shopify": {
        "external_id": "shop",
        "access_token": "access_token",
        "app_id": "client_id",
        "app_secret": "client_secret",
    },
    "tiktok_shop": {
        "external_id": "shop_id",
        "access_token": "access_token",
        "app_id": "app_key",
        "app_secret": "app_secret",
        "cipher": "shop_cipher",
    },
}


def subscribe() -> None:
    from connectors.webhooks import subscribe_stores

    print(subscribe_stores())


def work(count: str) -> None:
    """So many workers, whose ids are printed; one that is killed is replaced at once."""
    from metrics import deliveries

    deliveries.LEASE, deliveries.PAUSE = timedelta(seconds=3), timedelta(seconds=0.2)
    deliveries.BATCH = 20
    workers: set[int] = set()
    while True:
        while len(workers) < int(count):
            worker = os.fork()
            if worker == 0:
                _work_off()
            workers.add(worker)
            print(worker, flush=True)
        workers.discard(os.wait()[0])


def _work_off() -> None:
    """As the schedule and the queue do it: look for what waits, and work it off."""
    from accounts.clock import wall_now
    from metrics import deliveries

    while True:
        try:
            for store_id in deliveries.stores_waiting():
                deliveries.work_off(store_id, until=wall_now() + timedelta(seconds=5))
        except Exception:
            traceback.print_exc()
        time.sleep(0.1)


def digest() -> None:
    """What is stored of orders, by shop, how the deliveries stand, and which stores have ended."""
    from django.db.models import Count

    from accounts.models import Store
    from accounts.scoping import all_tenants
    from connectors.models import Delivery
    from metrics.models import Order

    with all_tenants():
        rows = Order.objects.order_by("external_id").values_list("store__external_id", "external_id", "total_micros")
        states = Delivery.objects.order_by().values_list("state").annotate(Count("pk"))
        found: dict[str, Any] = {"orders": list(map(list, rows)), "deliveries": dict(states)}
        for name in ("problem", "topic"):
            values = Delivery.objects.order_by(name).values_list(name, flat=True)
            found[f"{name}s"] = list(values.exclude(**{name: ""}).distinct())
        ended = Store.objects.filter(uninstalled_at__isnull=False, is_active=False).order_by("name")
        found["ended"] = list(ended.values_list("platform", "name"))
    print(json.dumps(found))


if __name__ == "__main__":
    django.setup()
    commands: dict[str, Callable[..., None]] = {
        "connect": connect,
        "subscribe": subscribe,
        "work": work,
        "digest": digest,
    }
    commands[sys.argv[1]](*sys.argv[2:])
