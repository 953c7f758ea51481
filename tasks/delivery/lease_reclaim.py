"""Releases the leases of killed processes at once, instead of waiting until they expire."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from shared.resilience.lease_records import ASKED, LeaseRecord, Left, reclaim_from_dead
from shared.store.answers import turns
from shared.store.delivery import outbound
from shared.store.models import budgets
from tasks.delivery import metrics, recording
from tasks.delivery.resources import DeliveryResources

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Reclaimed:
    """How many turns and parts are due again. stations: those of the dead processes."""

    turns: int = 0
    parts: int = 0
    stations: set[str] = field(default_factory=set)


def reclaim_dead(r: DeliveryResources, may_serve: Callable[[str], bool] = lambda station: True) -> Reclaimed:
    """Release the leases of this machine's dead processes.

    Their turns are due at once, and so are parts whose sending had not begun. A part whose sending had begun gets an
    unknown outcome, because nobody will record its result. What they had reserved in a budget is free again where no
    model was asked yet, and charged where one may have been. may_serve: whether the caller can do a station's work; the
    record of a dead process whose work it cannot do is left for others. Raises DatabaseUnavailable.
    """
    reclaimed = Reclaimed()

    def release(station: str, pieces: list[LeaseRecord]) -> Left:
        all_given = _release(r, pieces, reclaimed)
        serves = may_serve(station)
        if serves:
            reclaimed.stations.add(station)
        if not all_given:
            return Left.WHAT_IT_HELD
        return Left.NOTHING if serves else Left.ITS_DEATH

    reclaim_from_dead(r.settings.lease_folder, release)
    return reclaimed


def _release(r: DeliveryResources, pieces: Sequence[LeaseRecord], reclaimed: Reclaimed) -> bool:
    """Release leases; False if some rows are still locked. A statement of the dead process may hold them for a moment
    longer: they are tried again at the next look."""
    if not pieces:
        return True
    held_turns = [turns.Claim(*piece[1:]) for piece in pieces if piece.kind == "turn"]
    held_parts = [outbound.Claim(*piece[1:]) for piece in pieces if piece.kind == "part"]
    reserved = [piece for piece in pieces if piece.kind == "budget"]
    with r.db.transaction(*{piece.company_id for piece in pieces}) as conn:
        ended = budgets.end(conn, [(piece.company_id, piece.id, piece.epoch == ASKED) for piece in reserved])
        freed_turns = turns.reclaim(conn, held_turns)
        freed_parts = outbound.reclaim(conn, held_parts)
        still_held = 0
        if freed_turns + freed_parts < len(held_turns) + len(held_parts):
            still_held = turns.still_held(conn, held_turns) + outbound.still_held(conn, held_parts)
    if freed_parts:
        recording.expire_unrecorded(r)
    reclaimed.turns += freed_turns
    reclaimed.parts += freed_parts
    metrics.LEASES_RECLAIMED.inc("turn", by=freed_turns)
    metrics.LEASES_RECLAIMED.inc("part", by=freed_parts)
    metrics.LEASES_RECLAIMED.inc("budget", by=ended)
    if freed_turns or freed_parts or not still_held:
        log.warning("leases_reclaimed", held=len(pieces), turns=freed_turns, parts=freed_parts, locked=still_held)
    return still_held == 0
