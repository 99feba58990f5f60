"""The TikTok for Business API as an `AdPlatform`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from functools import cached_property, partial
from itertools import starmap
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from connectors.contracts import (
    AccountRecord,
    AdDayRecord,
    AdRecord,
    AdSetRecord,
    Bid,
    CampaignRecord,
    CreativeRecord,
    DeliveryStatus,
    Family,
    Held,
    HourRecord,
    Level,
    Platform,
    Target,
)
from connectors.errors import (
    BelowMinimumError,
    ConfigurationError,
    NotFoundError,
    RefusedError,
)
from connectors.fields import Row, identifier, rows
from connectors.hours import days_between, in_order, spans, zone_named
from connectors.money import micros_to_tiktok
from connectors.pace import Pace
from connectors.tiktok import bids, parse, reports, settings
from connectors.tiktok.api import Api, digits
from connectors.tiktok.errors import judge_write
from connectors.tiktok.families import endpoints
from connectors.tiktok.floors import floor as least
from connectors.tiktok.tree import Tree
from connectors.writing import nothing_sent, reading_back


class TikTokAds:
    """One advertiser. With `full_update` an ad group is written back whole, not the changed field alone."""

    platform = Platform.TIKTOK

    def __init__(
        self,
        *,
        base_url: str,
        version: str,
        access_token: str,
        advertiser_id: str,
        stop_file: Path | None = None,
        pace: Pace | None = None,
        full_update: bool = False,
        **transport: Any,
    ) -> None:
        self._advertiser_id = digits(advertiser_id)
        self._api = Api(
            base_url=base_url,
            version=version,
            access_token=access_token,
            stop_file=stop_file,
            pace=pace,
            **transport,
        )
        self._transport = self._api.transport
        self._tree = Tree(self._api, self._advertiser_id)
        self._full_update = full_update

    def account(self) -> AccountRecord:
        data = self._api.get(
            "advertiser/info/", urgent=True, advertiser_ids=[self._advertiser_id], fields=parse.ACCOUNT_FIELDS
        )
        for source in rows(data.get("list"), "list"):
            if identifier(source, "advertiser_id") == self._advertiser_id:
                return parse.account(source)
        raise NotFoundError("tiktok: no such advertiser for this token", platform=Platform.TIKTOK)

    def campaigns(self) -> Iterator[CampaignRecord]:
        yield from starmap(parse.campaign, self._tree.rows(Level.CAMPAIGN))
        yield from map(parse.gmv_max_campaign, self._tree.gmv_max())

    def ad_sets(self) -> Iterator[AdSetRecord]:
        yield from starmap(parse.ad_set, self._tree.rows(Level.AD_SET))
        yield from map(parse.gmv_max_ad_set, self._tree.gmv_max())

    def ads(self) -> Iterator[AdRecord]:
        return starmap(parse.ad, self._tree.rows(Level.AD))

    def creatives(self) -> Iterator[CreativeRecord]:
        """What each ad shows, under the ad's own id (NOTES.md)."""
        return starmap(parse.creative, self._tree.rows(Level.AD))

    def hours(self, first_day: date, last_day: date) -> Iterator[HourRecord]:
        """Hourly figures by ad group, one report a day: TikTok refuses hours over more than one."""
        for day in days_between(first_day, last_day):
            zone = zone_named(self._facts.timezone)
            found = reports.hours(self._api, self._advertiser_id, day, zone, self._tree.objectives())
            from_shops = [record for store in self._tree.stores() for record in self._shop_hours(store, day, zone)]
            yield from in_order(found + from_shops) if from_shops else found

    def ad_days(self, first_day: date, last_day: date) -> Iterator[AdDayRecord]:
        """Daily figures by ad; GMV Max campaigns have no ads, and so no figures here."""
        for first, last in spans(first_day, last_day, reports.DAYS_PER_REPORT):
            yield from reports.ad_days(self._api, self._advertiser_id, first, last, self._tree.objectives())

    def read(self, target: Target) -> Held:
        return _held(target, self._tree.found(target))

    def guard_writes(self, may_write: Callable[[], bool]) -> None:
        self._transport.may_write = may_write

    def set_daily_budget(self, target: Target, budget_micros: int) -> Held:
        return self._set_budget(target, budget_micros, "daily_budget_micros")

    def set_lifetime_budget(self, target: Target, budget_micros: int) -> Held:
        return self._set_budget(target, budget_micros, "lifetime_budget_micros")

    def set_status(self, target: Target, status: DeliveryStatus) -> Held:
        if status not in parse.STATUS_WORDS:
            raise _refusal(f"{status} is not a status to set")
        place = endpoints(target)
        change = {f"{place.key}s": [digits(target.external_id)], "operation_status": parse.STATUS_WORDS[status]}
        return self._written(target, place.status, change)

    def set_bid(self, target: Target, bid: Bid) -> Held:
        bids.check(bid)
        if target.family is Family.GMV_MAX and bid.roas_ppm is not None:
            return self.set_target_roi(target, bid.roas_ppm)
        if target.level is not Level.AD_SET or target.family is Family.GMV_MAX:
            raise _refusal(f"a {target.level} of {target.family} does not bid so")
        source = self._before_writing(target)
        change = bids.change(bid, self._currency(), bids.read(source), target.family)
        return self._update(target, change, source)

    def set_target_roi(self, target: Target, roas_ppm: int) -> Held:
        if target.family is not Family.GMV_MAX:
            raise _refusal("only GMV Max campaigns aim at a return of their own")
        place = endpoints(target)
        change = {place.key: digits(target.external_id), "roas_bid": bids.roi(roas_ppm)}
        return self._written(target, place.update, change)

    def _shop_hours(self, store_id: str, day: date, zone: ZoneInfo) -> list[HourRecord]:
        read = partial(reports.gmv_max_hours, self._api, self._advertiser_id, store_id, day, zone)
        return self._tree.allowed(Family.GMV_MAX, read)

    @cached_property
    def _facts(self) -> AccountRecord:
        """Currency and zone, which an advertiser keeps for life."""
        return self.account()

    def _before_writing(self, target: Target) -> Row:
        """What TikTok tells now: which of its meanings one field has depends on what is held."""
        with nothing_sent(Platform.TIKTOK):
            try:
                return self._tree.found(target)
            except NotFoundError as error:
                raise RefusedError(str(error), platform=Platform.TIKTOK, code=error.code) from error

    def _currency(self) -> str:
        with nothing_sent(Platform.TIKTOK):
            return self._facts.currency

    def _set_budget(self, target: Target, micros: int, kind: str) -> Held:
        """Write the one field for both kinds of budget; refused here when the object carries none of this kind."""
        source = self._before_writing(target)
        with nothing_sent(Platform.TIKTOK):
            held = _held(target, source)
        if getattr(held, kind, None) is None:
            raise _refusal(f"that {target.level} carries no such budget")
        currency = self._currency()
        amount = micros_to_tiktok(micros, currency)
        with nothing_sent(Platform.TIKTOK):
            floor = least(target, source, currency, is_lifetime=kind == "lifetime_budget_micros")
        if floor is not None and micros < floor:
            message = f"tiktok: {micros} micros are less than the least budget, {floor}"
            raise BelowMinimumError(message, platform=Platform.TIKTOK)
        # A float of at most fifteen digits is written to JSON with exactly those digits.
        return self._update(target, {"budget": float(amount)}, source)

    def _update(self, target: Target, change: dict[str, Any], source: Row) -> Held:
        place = endpoints(target)
        is_whole = self._full_update and target.level is Level.AD_SET and target.family is not Family.GMV_MAX
        kept = settings.kept(source, change) if is_whole else {}
        return self._written(target, place.update, {place.key: digits(target.external_id), **kept, **change})

    def _written(self, target: Target, path: str, change: dict[str, Any]) -> Held:
        """Send the change, once, and tell what TikTok holds then."""
        body = {"advertiser_id": self._advertiser_id, **change}
        self._transport.write(
            self._api.root + path, json=body, judge=partial(judge_write, external_id=target.external_id)
        )
        with reading_back(Platform.TIKTOK):
            return self.read(target)


RECORDS: dict[Level, Callable[[Row, Family], Held]] = {
    Level.CAMPAIGN: parse.campaign,
    Level.AD_SET: parse.ad_set,
    Level.AD: parse.ad,
}
GMV_MAX_RECORDS: dict[Level, Callable[[Row], Held]] = {
    Level.CAMPAIGN: parse.gmv_max_campaign,
    Level.AD_SET: parse.gmv_max_ad_set,
}


def _held(target: Target, source: Row) -> Held:
    if target.family is Family.GMV_MAX:
        return GMV_MAX_RECORDS[target.level](source)
    return RECORDS[target.level](source, target.family)


def _refusal(why: str) -> ConfigurationError:
    return ConfigurationError(f"tiktok: {why}", platform=Platform.TIKTOK)
