"""One winner per ad set and kind of change; losers keep the name of who beat them and why. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from rules.proposals import ChangeKind, Proposal, Source

SOURCE_RANK = {Source.PERSON: 1, Source.RULE: 2, Source.POLICY: 3, Source.BRAIN: 4}


@dataclass(frozen=True, slots=True)
class Outcome:
    proposal: Proposal
    won: bool
    lost_to: str = ""


def _direction_rank(proposal: Proposal) -> int:
    """Pause beats decrease beats hold beats increase beats start."""
    if proposal.kind == ChangeKind.SET_STATUS:
        return 4 if proposal.target == "active" else 0
    if proposal.target == proposal.base:
        return 2
    return 3 if proposal.is_raise else 1


def _size(proposal: Proposal) -> int:
    if isinstance(proposal.base, int) and isinstance(proposal.target, int):
        return abs(proposal.target - proposal.base)
    return 0


LEVELS = (
    ("a safety rule", lambda p: 0 if p.is_safety else 1),
    ("its source", lambda p: SOURCE_RANK[p.source]),
    ("priority", lambda p: p.priority if p.source is Source.RULE else 0),
    ("the more careful change", _direction_rank),
    ("the smaller change", _size),
    ("age", lambda p: p.source_id),
)


def arbitrate(proposals: Iterable[Proposal]) -> list[Outcome]:
    """Winners first within each ad set. A pause also beats every budget change of the same ad set."""
    by_ad_set: dict[object, list[Proposal]] = defaultdict(list)
    for proposal in proposals:
        by_ad_set[proposal.ad_set_id].append(proposal)
    outcomes = []
    for group in by_ad_set.values():
        ranked = sorted(group, key=lambda p: tuple(rank(p) for _, rank in LEVELS))
        winner = ranked[0]
        outcomes.append(Outcome(winner, won=True))
        outcomes.extend(Outcome(loser, won=False, lost_to=_why(winner, loser)) for loser in ranked[1:])
    return outcomes


def _why(winner: Proposal, loser: Proposal) -> str:
    for name, rank in LEVELS:
        if rank(winner) != rank(loser):
            return f"{winner.source_name}, by {name}"
    return f"{winner.source_name}, which proposed the same"
