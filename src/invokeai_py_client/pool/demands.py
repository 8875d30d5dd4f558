"""The models and node types that the requests of a sweep need, and the servers that have them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from invokeai_py_client.errors import NotReadyError
from invokeai_py_client.pool.fit import Needs, misfits, needs_of

if TYPE_CHECKING:
    from invokeai_py_client.pool.servers import PoolServer
    from invokeai_py_client.sweep.requests import Request


class Demands:
    """The needs of the requests of a sweep, and the servers that meet them.

    Args:
        requests: The requests.
        reference: The URL of the server that the requests were made for. It can do what cannot be moved.
    """

    def __init__(self, requests: Sequence[Request], reference: str) -> None:
        self._requests = requests
        self._reference = reference
        # Most requests of a sweep differ in values that every server accepts.
        self._kinds: list[Needs] = []
        self._kind_of: list[int] = []
        known: dict[Any, int] = {}
        for request in requests:
            needs = needs_of(request.body)
            mark = (frozenset(needs.models), frozenset(needs.nodes.items()), needs.fixed)
            if mark not in known:
                known[mark] = len(self._kinds)
                self._kinds.append(needs)
            self._kind_of.append(known[mark])
        self._refused: dict[str, dict[int, str]] = {}

    def met_by(self, server: PoolServer) -> set[int]:
        """Return the indexes of the requests that a server can do."""
        refused = self._refused.get(server.name, {})
        fitting = {kind for kind in range(len(self._kinds)) if not self._problems(server, kind)}
        return {
            number for number, kind in enumerate(self._kind_of) if kind in fitting and number not in refused
        }

    def refuse(self, server: PoolServer, request: int, why: str) -> None:
        """Note that a server refused a request, so that it does not get it again."""
        self._refused.setdefault(server.name, {})[request] = why

    def accept(self, server: PoolServer) -> None:
        """Forget what a server refused, because it was restarted and may be another one now."""
        self._refused.pop(server.name, None)

    def check(self, servers: Iterable[PoolServer]) -> None:
        """Check that for each request there is a server that can do it.

        Raises:
            NotReadyError: No server can do some requests. The error says why, for each server.
        """
        known = list(servers)
        met = set[int]().union(*(self.met_by(server) for server in known))
        missing = sorted(set(range(len(self._requests))) - met)
        if not missing:
            return
        findings = self._findings(known, missing[0])
        of = "" if len(self._requests) == 1 else f" {len(missing)} of the {len(self._requests)} requests of"
        raise NotReadyError(
            f"No server of the pool can do{of} this sweep:\n" + "\n".join(f"  {one}" for one in findings),
            findings,
        )

    def problems(self, server: PoolServer) -> list[str]:
        """Return why a server cannot do some requests, a sentence for each reason. Empty if it can do all."""
        found = [reason for kind in range(len(self._kinds)) for reason in self._problems(server, kind)]
        return list(dict.fromkeys(found))

    def reasons(self, servers: Iterable[PoolServer], index: int) -> str:
        """Return why no server can do a run, with a line for each server."""
        number = next(place for place, one in enumerate(self._requests) if 0 <= index - one.first < one.count)
        return "\n".join(f"  {one}" for one in self._findings(servers, number))

    def _findings(self, servers: Iterable[PoolServer], number: int) -> list[str]:
        found: list[str] = []
        for server in servers:
            refused: Mapping[int, str] = self._refused.get(server.name, {})
            why = [server.why] if server.why else self._problems(server, self._kind_of[number])
            if number in refused:
                why.append(refused[number])
            found.append(f"{server.name}: {' '.join(why) or f'It is {server.state.value}.'}")
        return found

    def _problems(self, server: PoolServer, kind: int) -> list[str]:
        if server.info is None:
            return [server.why or "It has not responded yet."]
        needs = self._kinds[kind]
        found = misfits(needs, server.info)
        if needs.fixed and server.url == self._reference:
            return [reason for reason in found if reason not in needs.fixed]
        return found
