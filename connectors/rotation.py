"""Creative rotation: one ad is enabled, another paused."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.contracts import AdPlatform, DeliveryStatus, Held, Level, Target
from connectors.errors import ConfigurationError, ConnectorError


@dataclass(frozen=True, slots=True)
class Rotation:
    """What the platform holds afterwards. `outgoing` is `None` when it was not paused; `problem` says why."""

    incoming: Held
    outgoing: Held | None
    problem: ConnectorError | None = None


def rotate_creative(ads: AdPlatform, *, outgoing: Target, incoming: Target) -> Rotation:
    """Enable one ad, then pause the other: in this order the ad set is never without an ad that delivers.

    Two writes, each sent once. Raises what the first raises: then the second was not sent. When the second
    fails, both ads deliver, which costs nothing more: budgets stand above them.
    """
    if {outgoing.level, incoming.level} != {Level.AD} or outgoing == incoming:
        raise ConfigurationError("a rotation is between two ads")
    enabled = ads.set_status(incoming, DeliveryStatus.ACTIVE)
    if enabled.status is not DeliveryStatus.ACTIVE:
        return Rotation(enabled, None, ConfigurationError("the platform did not keep the ad enabled"))
    try:
        paused = ads.set_status(outgoing, DeliveryStatus.PAUSED)
    except ConnectorError as error:
        return Rotation(enabled, None, error)
    if paused.status is DeliveryStatus.ACTIVE:
        return Rotation(enabled, None, ConfigurationError("the platform did not keep the ad paused"))
    return Rotation(enabled, paused)
