"""One of several processes that draw from one rate budget; each line that it reads is an order, as JSON."""

from __future__ import annotations

import json
import sys
import time

import django

django.setup()

from connectors.rate_budget import SharedBudget  # noqa: E402


def main() -> None:
    """Say ready; per order answer what each try was told to wait, and when it was told."""
    SharedBudget("", size=1, seconds=1).held()
    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        budget = SharedBudget(order["key"], size=order["size"], seconds=order["seconds"])
        if order.get("hold"):
            budget.hold(order["hold"])
        told = [(budget.reserve(1, order["patience"]), time.time()) for _ in range(order["tries"])]
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
