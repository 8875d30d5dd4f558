"""The servers of a pool: what each is doing, how fast it is, and whether it can be trusted."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.pool.backlog import Ability, Backlog
from invokeai_py_client.pool.chunk import Chunk

EXCLUDED = 2
"""The tier of servers that failed where others did not."""
PROBATION = 3
"""The number of failures without a second opinion that make a server get nothing new while another one can do it."""
STRIKES = 3
"""The number of failures that went well elsewhere and exclude a server for the rest of the sweep."""
FORGIVE = 50
"""The number of completed runs that cancel a strike: each server fails now and then in a long sweep."""
NOWHERE = object()
"""The home of a server that has not done anything yet."""
FORGET = 0.8
"""The weight of earlier chunks in a rate, for each new one."""
PAUSE, LONGEST_PAUSE = 0.1, 10.0
"""Seconds for which a server that did nothing of a chunk gets no other one, at first and at most."""


@dataclass(slots=True, eq=False)
class Member:
    """A server, and the dispatcher's record of it.

    Attributes:
        name: The name.
        ability: The requests that it can do.
        devices: The number of its GPUs.
        present: Whether it takes part.
        work: The chunks at work there, the oldest first.
        held: The chunks that are kept for it: until ``until`` if it is away, else to be ordered again.
        until: When its chunks are given to others. None if it is not away or has none.
        disowned: The batches that were given to others while it could not be asked.
        home: The affinity of its last chunk.
        share: The number of runs it may take at home before it chooses again. None for all of them.
        unsettled: Its failures that no other server has tried yet.
        strikes: Its failures that went well elsewhere.
        resting: Until when it gets nothing, because it did nothing of its last chunk.
        rests: How many chunks in a row it did nothing of.
        runs: The number of runs in the chunks at work.
        done: The number of completed runs, of which earlier ones count less.
        failed: The number of failed runs, of which earlier ones count less.
        good: The number of completed runs since a strike was canceled.
        seconds: The time that they took.
        since: When a chunk ended last, or when the first one started.
        counted: Where the roster has counted it, so that it can be counted elsewhere.
        station: The station where it is counted.
        weight: The rate with which it is counted there.
    """

    name: str
    ability: Ability
    devices: int = 1
    present: bool = False
    work: dict[str, Chunk] = field(default_factory=dict[str, Chunk])
    held: dict[str, Chunk] = field(default_factory=dict[str, Chunk])
    until: float | None = None
    disowned: dict[str, Chunk] = field(default_factory=dict[str, Chunk])
    home: Hashable = NOWHERE
    share: int | None = 0
    unsettled: int = 0
    strikes: int = 0
    resting: float | None = None
    rests: int = 0
    runs: int = 0
    failed: float = 0.0
    good: int = 0
    done: float = 0.0
    seconds: float = 0.0
    since: float = 0.0
    counted: tuple[Ability, int] | None = None
    station: Station | None = None
    weight: float | None = None

    @property
    def tier(self) -> int:
        """0 for a server that is trusted, 1 on probation, 2 excluded."""
        return EXCLUDED if self.strikes >= STRIKES else int(self.unsettled >= PROBATION)

    @property
    def rate(self) -> float | None:
        """The measured number of runs per second. None if nothing was completed yet."""
        return self.done / self.seconds if self.done and self.seconds else None

    def start(self, chunk: Chunk, now: float) -> None:
        """Note that a chunk is at work."""
        if not self.work:
            self.since = now
        self.work[chunk.batch_id] = chunk
        self._count(len(chunk.rows))

    def end(self, batch_id: str) -> Chunk:
        """Note that a chunk is no longer at work."""
        chunk = self.work.pop(batch_id)
        self._count(-len(chunk.rows))
        return chunk

    def _count(self, change: int) -> None:
        self.runs += change
        if self.station is not None:
            self.station.runs += change

    def measure(self, now: float, ended: Mapping[int, JobStatus]) -> None:
        """Update the rate. Failed runs do not count: a broken server is the fastest."""
        completed = sum(state is JobStatus.COMPLETED for state in ended.values())
        failed = sum(state is JobStatus.FAILED for state in ended.values())
        if completed or failed:
            self.done = FORGET * self.done + completed
            self.failed = FORGET * self.failed + failed
            # Two chunks overlap, so time counts from the end of the other one.
            self.seconds = FORGET * self.seconds + max(now - self.since, 0.0) * completed / len(ended)
            self.good += completed
            if self.good >= FORGIVE and 0 < self.strikes < STRIKES:
                self.strikes -= 1
                self.good = 0
        self.since = now

    @property
    def trial(self) -> int | None:
        """How many more runs it may be given until those that failed were tried elsewhere. None for any number.

        It is limited if more runs failed there than not, lately.
        """
        if self.failed <= self.done or self.tier == EXCLUDED:
            return None
        return STRIKES - self.strikes - self.unsettled - self.runs

    def rest(self, now: float) -> None:
        """Give it nothing for a while, longer each time, so that handing chunks back and forth ends."""
        self.resting = now + min(PAUSE * 2**self.rests, LONGEST_PAUSE)
        self.rests = min(self.rests + 1, 20)


@dataclass(slots=True, eq=False)
class Station:
    """The servers that have the models of one affinity loaded and can get work.

    Attributes:
        members: The servers.
        speed: The sum of their rates.
        unknown: The number of servers without a rate.
        runs: The number of runs at work there.
    """

    members: dict[Member, None] = field(default_factory=dict[Member, None])
    speed: float = 0.0
    unknown: int = 0
    runs: int = 0


class Roster:
    """All servers, with counts that make each choice cheap."""

    def __init__(self, backlog: Backlog, seconds: float) -> None:
        self._backlog = backlog
        self.seconds = seconds
        """The wanted duration of a chunk."""
        self.members: dict[str, Member] = {}
        self.stations: dict[Hashable, Station] = {}
        self.present = 0
        self.changed = True
        """Whether servers came, left, or became more or less trusted."""
        self.spare_loads = -1
        """How many servers may still load the models of an affinity that another one is at."""
        self._speed = 0.0
        self._known = 0

    def member(self, name: str) -> Member:
        """Return the record of a server, a new one if necessary."""
        found = self.members.get(name)
        if found is None:
            found = self.members[name] = Member(name, self._backlog.ability(()))
        return found

    @property
    def mean(self) -> float:
        """The mean rate of the servers that have one. 1 if none has."""
        return self._speed / self._known if self._known else 1.0

    def speed(self, affinity: Hashable) -> float:
        """Return the sum of the rates of the servers at an affinity."""
        station = self.stations.get(affinity)
        return station.speed + station.unknown * self.mean if station is not None else 0.0

    def runs(self, affinity: Hashable) -> int:
        """Return the number of runs at work at an affinity."""
        station = self.stations.get(affinity)
        return station.runs if station is not None else 0

    def update(self, member: Member) -> None:
        """Bring the counts up to date after a change of a server."""
        counted = (member.ability, member.tier) if member.present else None
        if counted != member.counted:
            if member.counted is not None:
                member.counted[0].servers[member.counted[1]] -= 1
                self.present -= 1
            if counted is not None:
                counted[0].servers[counted[1]] += 1
                self.present += 1
            member.counted = counted
            self.changed = True
        self._leave_station(member)
        if member.present and member.tier == 0 and member.resting is None:
            self._enter_station(member)

    def _enter_station(self, member: Member) -> None:
        station = self.stations.get(member.home)
        if station is None:
            station = self.stations[member.home] = Station()
        rate = member.rate
        station.members[member] = None
        station.runs += member.runs
        member.station, member.weight = station, rate
        if rate is None:
            station.unknown += 1
        else:
            station.speed += rate
            self._speed += rate
            self._known += 1

    def _leave_station(self, member: Member) -> None:
        station = member.station
        if station is None:
            return
        del station.members[member]
        station.runs -= member.runs
        if member.weight is None:
            station.unknown -= 1
        else:
            station.speed -= member.weight
            self._speed -= member.weight
            self._known -= 1
        if not station.members:
            station.speed = 0.0  # no rounding error stays
        member.station = None

    def has_better(self, request: int, tier: int, *, without: Member | None = None) -> bool:
        """Return whether a more trusted server takes part and can do a request."""
        number = sum(sum(one.servers[:tier]) for one in self._backlog.abilities(request))
        if without is not None and without.present and request in without.ability and without.tier < tier:
            number -= 1
        return number > 0

    def is_excluded(self, member: Member) -> bool:
        """Return whether a server gets nothing more, because it failed where others did not.

        A server that is needed for a run that is left is not excluded.
        """
        if member.tier != EXCLUDED:
            return False
        waiting = [(request, None) for request in self._backlog.waiting_requests()]
        aside = [(request, self.members[name]) for name, request in self._backlog.aside]
        return all(
            self.has_better(request, EXCLUDED, without=avoided)
            for request, avoided in (*waiting, *aside)
            if request in member.ability and avoided is not member
        )

    def others(self, request: int, member: Member) -> int:
        """Return how many other servers take part and can do a request."""
        return self._backlog.able(request) - int(member.present and request in member.ability)

    def pace(self, member: Member, now: float) -> float:
        """Return the expected runs per second of a server, less if its oldest chunk takes longer than expected."""
        rate = member.rate or self.mean
        if member.work:
            oldest = len(next(iter(member.work.values())).rows)
            if (now - member.since) * rate > oldest:
                rate = oldest / (now - member.since)
        return rate

    def ahead(self, member: Member, now: float, rate: float) -> float:
        """Return how many runs a server does before a new one."""
        if not member.work:
            return 0.0
        oldest = len(next(iter(member.work.values())).rows)
        return member.runs - min((now - member.since) * rate, oldest)

    def settle(self, member: Member, affinity: Hashable, share: int | None) -> None:
        """Send a server to an affinity."""
        member.share = share
        if member.home != affinity:
            member.home = affinity
            self.update(member)

    def is_served(self, affinity: Hashable, request: int, *, without: Member) -> bool:
        """Return whether another server is at an affinity and can do a request of it."""
        station = self.stations.get(affinity)
        return station is not None and any(
            one is not without and request in one.ability for one in station.members
        )
