from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from connectors.contracts import AdPlatform, AdRecord, DeliveryStatus, Level, Platform, Target
from connectors.errors import ConfigurationError, OutcomeUnknownError, RateLimitedError
from connectors.rotation import rotate_creative
from tests.connectors.control import Control

pytestmark = pytest.mark.usefixtures("quick_retries")


@pytest.fixture(params=[Platform.META, Platform.TIKTOK])
def platform(request: pytest.FixtureRequest) -> Platform:
    return Platform(request.param)


@pytest.fixture
def ads(sandbox: Control, platform: Platform) -> AdPlatform:
    return sandbox.ads(platform)


@pytest.fixture
def pair(ads: AdPlatform) -> Iterator[tuple[Target, Target]]:
    """An ad that delivers and one of the same ad set that is paused; both deliver again afterwards."""
    first = next(ads.ads())
    second = next(ad for ad in ads.ads() if ad.ad_set_external_id == first.ad_set_external_id and ad != first)
    outgoing, incoming = (Target(Level.AD, ad.external_id, ad.family) for ad in (first, second))
    ads.set_status(incoming, DeliveryStatus.PAUSED)
    yield outgoing, incoming
    for target in (outgoing, incoming):
        if ads.read(target).status is not DeliveryStatus.ACTIVE:
            ads.set_status(target, DeliveryStatus.ACTIVE)


def test_one_is_enabled_before_the_other_is_paused(
    sandbox: Control, ads: AdPlatform, pair: tuple[Target, Target]
) -> None:
    outgoing, incoming = pair
    with sandbox.written() as rows:
        done = rotate_creative(ads, outgoing=outgoing, incoming=incoming)
    assert done.outgoing is not None and done.problem is None
    assert (done.incoming.status, done.outgoing.status) == (DeliveryStatus.ACTIVE, DeliveryStatus.PAUSED)
    assert [row["object_id"] for row in rows] == [incoming.external_id, outgoing.external_id]
    assert {row["result"] for row in rows} == {"applied"}


def test_when_enabling_fails_nothing_is_paused(
    sandbox: Control, ads: AdPlatform, platform: Platform, pair: tuple[Target, Target]
) -> None:
    outgoing, incoming = pair
    with sandbox.fault("rate_limit", platform, method="POST"), pytest.raises(RateLimitedError):
        rotate_creative(ads, outgoing=outgoing, incoming=incoming)
    assert ads.read(outgoing).status is DeliveryStatus.ACTIVE


def test_when_pausing_fails_it_says_so_and_the_new_one_delivers(
    sandbox: Control, ads: AdPlatform, platform: Platform, pair: tuple[Target, Target]
) -> None:
    outgoing, incoming = pair
    enable, calls = ads.set_status, []

    def second_is_lost(target: Target, status: DeliveryStatus) -> object:
        calls.append(target)
        if len(calls) == 1:
            return enable(target, status)
        with sandbox.fault("drop_before_apply", platform, method="POST"):
            return enable(target, status)

    ads.set_status = second_is_lost  # type: ignore[method-assign, assignment]
    done = rotate_creative(ads, outgoing=outgoing, incoming=incoming)
    del ads.set_status
    assert done.outgoing is None and isinstance(done.problem, OutcomeUnknownError)
    assert {ads.read(target).status for target in pair} == {DeliveryStatus.ACTIVE}


def test_only_ads_rotate(ads: AdPlatform, pair: tuple[Target, Target]) -> None:
    for one, other in ((pair[0], pair[0]), (pair[0], Target(Level.AD_SET, "5"))):
        with pytest.raises(ConfigurationError):
            rotate_creative(ads, outgoing=one, incoming=other)


class Stubborn:
    """A platform on which every ad stays enabled."""

    def set_status(self, target: Target, status: DeliveryStatus) -> Any:
        return AdRecord(target.external_id, "1", "Ad", DeliveryStatus.ACTIVE, "ACTIVE")


def test_an_ad_that_stays_enabled_is_not_told_as_paused() -> None:
    done = rotate_creative(Stubborn(), outgoing=Target(Level.AD, "1"), incoming=Target(Level.AD, "2"))  # type: ignore[arg-type]
    assert done.outgoing is None and isinstance(done.problem, ConfigurationError)
