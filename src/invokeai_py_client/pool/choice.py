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

MOST_COMPARED = 100
"""The number of affinities without a server that are compared."""
DEAR = 4.0
"""The factor for both when all servers but one have loaded the models of an affinity that another one was at.

Then the runs must also be at least a chunk: the last differences between servers are not worth loading models.
"""


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
    for rank in (_unserved, _short_of_servers):
        for affinity, share in rank(member, roster, backlog, now):
            found = _request(member, affinity, roster, backlog, now)
            if found is None:
                continue
            if affinity != member.home and roster.is_served(affinity, found, without=member):
                roster.spare_loads -= 1
            roster.settle(member, affinity, share)
            return found, waiting[affinity] if share is None else share
    return None


def _unserved(
    member: Member, roster: Roster, backlog: Backlog, now: float
) -> list[tuple[Hashable, int | None]]:
    """Return affinities that no other server is at: those first that few servers can do, then large ones."""
    found: list[tuple[int, int, Hashable]] = []
    for affinity, left in member.ability.waiting.items():
        request = backlog.first(member.ability, affinity)
        if not roster.is_served(affinity, request, without=member):
            found.append((backlog.able(request), -left, affinity))
            if len(found) == MOST_COMPARED:
                break
    found.sort(key=lambda one: one[:2])
    return [(affinity, None) for _, _, affinity in found]


def _short_of_servers(
    member: Member, roster: Roster, backlog: Backlog, now: float
) -> list[tuple[Hashable, int | None]]:
    """Return affinities whose servers need longer than all servers on average, with the runs that they are short of."""
    waiting = member.ability.waiting
    own = roster.pace(member, now)
    speeds = {affinity: roster.speed(affinity) for affinity in waiting}
    runs = {affinity: left + roster.runs(affinity) for affinity, left in waiting.items()}
    if member.station is not None and member.home in waiting:
        speeds[member.home] = max(speeds[member.home] - own, 0.0)
        runs[member.home] -= member.runs
    horizon = (member.runs + sum(runs.values())) / (own + sum(speeds.values()))
    least = LEAST_TO_MOVE if member.home in waiting else LEAST_EXCESS
    if roster.spare_loads <= 0:
        least = max(least * DEAR, own * roster.seconds)
    found: list[tuple[tuple[float, ...], Hashable, int]] = []
    for affinity, left in waiting.items():
        excess = min(left, runs[affinity] - horizon * speeds[affinity])
        home = affinity == member.home
        needed = excess >= (LEAST_EXCESS if home else least)
        if needed or home:
            # With nothing better to do, a server stays where its models are loaded.
            order = 0 if needed and home else 1 if needed else 2
            able = backlog.able(backlog.first(member.ability, affinity))
            found.append(((order, able, -excess), affinity, max(1, int(excess))))
    found.sort(key=lambda one: one[0])
    return [(affinity, share) for _, affinity, share in found]


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
