"""Webhooks that the platforms push: real HTTP requests to the addresses that were subscribed."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.sandbox.faults import Faults


class Pushes:
    """Sends each delivery from a thread of its own, in order, and again when it is not taken."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def send(self, platform: str, address: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Queue one delivery; returns at once. Faults `webhook_duplicate` and `webhook_late` apply to it."""
