"""Everything that can happen to the servers of a sweep, in any order: each run is delivered once, and it always ends.

``POOL_EXAMPLES=10000 pytest tests/unit/test_pool_interleavings.py`` tries 10,000 sequences of events.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pool_world import CANCELED, DONE, FAILED, World

EXAMPLES = int(os.environ.get("POOL_EXAMPLES", "200"))
SERVERS = "abc"
OUTCOMES = (DONE, DONE, FAILED, CANCELED, None)

anything = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow],
)

# What may happen, as often as it is listed.
EVENTS = (
    *("done",) * 8,
    *("mixed",) * 3,
    *("failed",) * 2,
    *("join",) * 4,
    *("wait", "wait long", "nothing", "silent", "late", "leave", "cancel", "add", "restart"),
)
steps = st.lists(
    st.tuples(st.sampled_from(EVENTS), st.integers(0, 59), st.integers(0, 2**20)), min_size=10, max_size=60
)
sweeps = st.tuples(
    st.lists(st.integers(1, 12), min_size=1, max_size=3), st.lists(st.integers(0, 1), min_size=3, max_size=3)
)


def play(world: World, what: str, which: int, bits: int, *, broken: str | None) -> None:
    """Let something happen. Steps that are impossible now do nothing."""
    server = SERVERS[which % 3]
    # Chunks come back through agents that are there, or through those of a silent server.
    chunks = list(world.at_work)
    if what in ("done", "mixed", "failed", "nothing", "silent"):
        if not chunks:
            return
        batch_id = chunks[which % len(chunks)]
        rows = world.batches[batch_id].chunk.rows
        world.now += 0.1 * (bits % 20)
        if what in ("mixed", "silent"):
            picked = {row: OUTCOMES[(bits >> 2 * place) % 5] for place, row in enumerate(rows)}
            states = {row: state for row, state in picked.items() if state is not None}
        else:
            good = what == "done" and world.batches[batch_id].chunk.server != broken
            states = {} if what == "nothing" else dict.fromkeys(rows, DONE if good else FAILED)
        silent = world.batches[batch_id].chunk.server not in world.present
        world.end(batch_id, states, asked=what != "silent" and not silent)
    elif what == "late":
        lost = [batch_id for name in SERVERS for batch_id in world.pool.disowned(name)]
        if lost:
            batch = world.batches[lost[which % len(lost)]]
            rows = [row for place, row in enumerate(batch.chunk.rows) if bits >> place & 1]
            world.end(batch.chunk.batch_id, dict.fromkeys(rows, DONE), asked=False)
    elif what == "leave":
        world.leave(server)
    elif what == "join":
        number = len(world.requests)
        fits = None if which % 4 else {request for request in range(number) if bits >> request & 1}
        world.join(server, fits, devices=1 + bits % 3)
    elif what == "wait":
        world.wait(0.2 * (which % 15))
    elif what == "wait long":
        world.wait(8.0 + which % 8)
    elif what == "cancel" and which < 10:
        world.cancel()
    elif what == "add":
        total = sum(one.count for one in world.requests)
        world.add(index for index in range(total) if bits >> index & 1)
    elif what == "restart" and which < 20:
        world.restart()


@anything
@given(sweeps, steps, st.integers(0, 7), st.integers(0, 7), st.sampled_from(["a", None]))
def test_each_run_is_delivered_once_and_the_sweep_ends(
    sweep: tuple[list[int], list[int]],
    events: list[tuple[str, int, int]],
    first: int,
    last: int,
    broken: str | None,
) -> None:
    sizes, affinities = sweep
    world = World(sizes, affinities[: len(sizes)])
    for number, server in enumerate(SERVERS):
        if not first >> number & 1:
            world.join(server)
    for event in events:
        play(world, *event, broken=broken)
    # In the end some of the servers are there, and one of them fits everything.
    for number, server in enumerate(SERVERS):
        if last >> number & 1:
            world.leave(server)
    world.join(SERVERS[last % 3])
    world.finish()
