"""A proposal: a change that someone suggests. A plain value; nothing happens by making one."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID


class Source(StrEnum):
    RULE = "rule"
    POLICY = "policy"
    BRAIN = "brain"
    PERSON = "person"


class ChangeKind(StrEnum):
    SET_BUDGET = "set_budget"
    SET_STATUS = "set_status"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change of one ad set, from a base that was read to a target.

    For `set_budget` the two are daily budgets in micros of the ad account's currency; for `set_status`
    they are `accounts.models.Status` values. `priority` orders rules, 1 first. `evidence` is JSON.
    """

    ad_set_id: UUID
    kind: ChangeKind
    base: int | str
    target: int | str
    source: Source
    source_name: str
    reason: str
    source_id: str = ""
    source_version: int = 1
    priority: int = 50
    is_safety: bool = False
    may_run_alone: bool = False
    evidence: dict[str, Any] = field(default_factory=dict)

    @property
    def is_raise(self) -> bool:
        """Whether it may lead to more spend."""
        if isinstance(self.base, int) and isinstance(self.target, int):
            return self.target > self.base
        return self.target == "active"
