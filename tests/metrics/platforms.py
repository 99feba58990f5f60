"""An ad platform that serves what a test says, for what the sandbox cannot be made to say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from connectors.contracts import (
    AccountRecord,
    AdDayRecord,
    AdRecord,
    AdSetRecord,
    CampaignRecord,
    CreativeRecord,
    DeliveryStatus,
    Held,
    HourRecord,
    Platform,
    Target,
)
from tests.factories import House


class ReadOnly:
    """An empty ad account that takes no writes."""

    platform: Platform = Platform.META

    def account(self) -> AccountRecord:
        raise NotImplementedError

    def campaigns(self) -> Iterator[CampaignRecord]:
        return iter(())

    def ad_sets(self) -> Iterator[AdSetRecord]:
        return iter(())

    def ads(self) -> Iterator[AdRecord]:
        return iter(())

    def creatives(self) -> Iterator[CreativeRecord]:
        return iter(())

    def read(self, target: Target, *changes: Any) -> Held:
        raise NotImplementedError

    def guard_writes(self, may_write: Callable[[], bool]) -> None:
        pass

    set_daily_budget = set_lifetime_budget = set_status = set_bid = set_target_roi = read


@dataclass
class Served(ReadOnly):
    """`hours_of` and `days_of` hold what each account-local day answers; `asked` the days asked for."""

    hours_of: dict[date, list[HourRecord]] = field(default_factory=dict)
    days_of: dict[date, list[AdDayRecord]] = field(default_factory=dict)
    fails_on: date | None = None
    failure: Exception | BaseException = field(default_factory=lambda: RuntimeError("told to fail"))
    asked: list[date] = field(default_factory=list)

    def hours(self, first_day: date, last_day: date) -> Iterator[HourRecord]:
        self.asked.append(first_day)
        if first_day == self.fails_on:
            raise self.failure
        yield from self._between(self.hours_of, first_day, last_day)

    def ad_days(self, first_day: date, last_day: date) -> Iterator[AdDayRecord]:
        yield from self._between(self.days_of, first_day, last_day)

    @staticmethod
    def _between(table: dict[date, Any], first_day: date, last_day: date) -> Iterable[Any]:
        return (record for day, found in sorted(table.items()) if first_day <= day <= last_day for record in found)


@dataclass
class WholePlatform(Served):
    """One that answers for its tree as well: the house's own, but for what `says` says of the account."""

    house: House | None = None
    trees: list[str] = field(default_factory=list)
    says: dict[str, Any] = field(default_factory=dict)

    def account(self) -> AccountRecord:
        assert self.house is not None
        self.trees.append("account")
        account = self.house.account
        record = AccountRecord(account.external_id, account.name, account.currency, account.timezone, "1", 1_000_000)
        return replace(record, **self.says)

    def campaigns(self) -> Iterator[CampaignRecord]:
        assert self.house is not None
        yield CampaignRecord(self.house.campaign.external_id, "Campaign", DeliveryStatus.ACTIVE, "", "", None, None)

    def ad_sets(self) -> Iterator[AdSetRecord]:
        assert self.house is not None
        for row in self.house.ad_sets:
            yield AdSetRecord(
                row.external_id,
                self.house.campaign.external_id,
                row.name,
                DeliveryStatus.ACTIVE,
                "",
                row.daily_budget_micros,
                None,
                None,
            )
