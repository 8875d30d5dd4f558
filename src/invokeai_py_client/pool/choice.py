"""Which runs a server should do next."""

from __future__ import annotations

from collections.abc import Hashable
from math import ceil

from invokeai_py_client.pool.backlog import Backlog
from invokeai_py_client.pool.roster import Member, Roster

LEAST_EXCESS = 1.0
"""The number of runs that the servers at an affinity must be short of, so that an idle one loads its models."""
LEAST_TO_MOVE = 2.0
"""The same for a server that could go on where it is."""

DEAR = 2.0
"""The factor for both when all servers but one have loaded the models of an affinity that another one was at."""


def choose(member: Member, roster: Roster, backlog: Backlog, now: float) -> tuple[int, int] | None:
    """Return the request that a server should do runs of, and how many at most. None if it should wait.

    A server stays at the affinity whose models it has loaded. Otherwise it takes one that no server is at. After that,
    it helps the servers at an affinity that would need longer than all servers on average, and only with what they are
    short of. So the models are loaded at most M + N - 1 times for M affinities on N servers of equal speed.
    """
    waiting = member.ability.waiting
    if member.home in waiting and (member.share is None or member.share > 0):
        found = _request(member, member.home, roster, backlog, now)
        if found is not None:
            return found, waiting[member.home] if member.share is None else member.share
    ranked = _ranked(member, roster, backlog, now)
    for _, affinity, share in ranked:
        found = _request(member, affinity, roster, backlog, now)
        if found is not None:
            if roster.is_served(affinity, found, without=member) and affinity != member.home:
                roster.spare_loads -= 1
            roster.settle(member, affinity, share)
            return found, waiting[affinity] if share is None else share
    return None


def _ranked(
    member: Member, roster: Roster, backlog: Backlog, now: float
) -> list[tuple[tuple[float, ...], Hashable, int | None]]:
    """Return the affinities that a server could go to, the best first, with the number of runs it should take."""
    waiting = member.ability.waiting
    own = roster.pace(member, now)
    at_home = member.station is not None and member.home in waiting
    speeds = {affinity: roster.speed(affinity) for affinity in waiting}
    if at_home:
        speeds[member.home] = max(speeds[member.home] - own, 0.0)
    horizon = member.ability.total / (own + sum(speeds.values()))
    dear = 1.0 if roster.spare_loads > 0 else DEAR
    least = dear * (LEAST_TO_MOVE if member.home in waiting else LEAST_EXCESS)
    found: list[tuple[tuple[float, ...], Hashable, int | None]] = []
    for affinity, left in waiting.items():
        request = backlog.first(member.ability, affinity)
        alone = not roster.is_served(affinity, request, without=member)
        excess = left if alone else left - horizon * speeds[affinity]
        home = affinity == member.home
        needed = alone or excess >= (LEAST_EXCESS if home else least)
        if needed or home:
            # With nothing better to do, it stays where its models are loaded.
            order = 0 if needed and home else 1 if needed else 2
            rank = (order, not alone, backlog.able(request), -excess)
            found.append((rank, affinity, None if alone else max(1, ceil(excess))))
    found.sort(key=lambda one: one[0])
    return found


def _request(member: Member, affinity: Hashable, roster: Roster, backlog: Backlog, now: float) -> int | None:
    """Return the request of an affinity that a server may do runs of. None if others should do them."""
    request = backlog.first(member.ability, affinity)
    if member.tier and roster.has_better(request, member.tier):
        return None
    if _is_too_slow(member, request, affinity, roster, now):
        return None
    return request


def _is_too_slow(member: Member, request: int, affinity: Hashable, roster: Roster, now: float) -> bool:
    """Return whether the others at an affinity do all its waiting runs before a server did one more.

    The server that is the first to complete one more run is never too slow, so there is always one that does it.
    """
    left = member.ability.waiting[affinity]
    own = roster.pace(member, now)
    end = (roster.ahead(member, now, own) + 1) / own
    if end * roster.speed(affinity) < left:
        return False
    station = roster.stations.get(affinity)
    for other in station.members if station is not None else ():
        if other is not member and request in other.ability:
            rate = roster.pace(other, now)
            # The runs that it completes strictly earlier. Rounding makes no difference between equal servers.
            left -= max(0, ceil(end * rate - roster.ahead(other, now, rate) - 1e-9) - 1)
            if left <= 0:
                return True
    return False
