"""Which server does which runs, rule by rule. ``test_pool_interleavings.py`` combines them."""

from __future__ import annotations

import itertools
import os
from collections.abc import Hashable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pool_world import CANCELED, DONE, FAILED, requests_of, simulate

from invokeai_py_client.errors import UsageError
from invokeai_py_client.pool.chunk import Chunk, chunk_size
from invokeai_py_client.pool.dispatch import Dispatcher

EXAMPLES = int(os.environ.get("POOL_EXAMPLES", "50"))

NUMBERS = itertools.count()


def new_pool(sizes: Sequence[int], affinities: Sequence[Hashable] | None = None, *servers: str) -> Dispatcher:
    """Return a pool in which all runs wait for the servers."""
    pool = Dispatcher(requests_of(sizes, affinities), new_batch_id=lambda: f"batch-{next(NUMBERS)}")
    pool.add(range(sum(sizes)))
    for server in servers:
        pool.join(server, 0)
    return pool


def order(pool: Dispatcher, now: float = 0) -> dict[str, list[Chunk]]:
    """Return the new chunks of each server."""
    found: dict[str, list[Chunk]] = {}
    for chunk in pool.orders(now):
        found.setdefault(chunk.server, []).append(chunk)
    return found


def end(pool: Dispatcher, chunk: Chunk, now: float, state: object = DONE) -> None:
    """Let all runs of a chunk end in the same way."""
    states = {} if state is None else dict.fromkeys(chunk.rows, state)
    pool.ended(chunk.batch_id, states, now)  # pyright: ignore[reportArgumentType]


def work(pool: Dispatcher, now: float, broken: str = "") -> list[int]:
    """Let the servers do everything, a second for each round. Return the released indexes."""
    released: list[int] = []
    for _ in range(1000):
        pool.orders(now)
        released += [index for index, _ in pool.released()]
        if pool.finished:
            return released
        now += 1
        chunks = [chunk for server in "abc" for chunk in pool.at(server)]
        for chunk in chunks:
            end(pool, chunk, now, FAILED if chunk.server == broken else DONE)
    raise AssertionError("it does not end")


# --- how much


def test_a_chunk_takes_about_the_wanted_time_and_leaves_work_for_the_others() -> None:
    assert chunk_size(left=1000, lanes=4, rate=3.0, seconds=5.0) == 15
    assert chunk_size(left=40, lanes=4, rate=3.0, seconds=5.0) == 5
    assert chunk_size(left=1, lanes=4, rate=3.0, seconds=5.0) == 1
    assert chunk_size(left=1000, lanes=4, rate=0.01, seconds=5.0) == 1


def test_the_first_chunks_are_small_but_have_a_run_for_each_gpu() -> None:
    assert chunk_size(left=1000, lanes=4, rate=None, seconds=5.0) == 2
    assert chunk_size(left=1000, lanes=4, rate=None, seconds=5.0, devices=4) == 4
    assert chunk_size(left=3, lanes=40, rate=0.01, seconds=5.0, devices=2) == 2


def test_a_server_has_two_chunks_and_the_first_chunks_come_first() -> None:
    found = order(new_pool([100], None, "a", "b"))
    assert {server: [chunk.rows for chunk in chunks] for server, chunks in found.items()} == {
        "a": [(0, 1), (4, 5)],
        "b": [(2, 3), (6, 7)],
    }


def test_each_server_gets_a_run_before_one_of_them_gets_a_second() -> None:
    assert {server: len(chunks) for server, chunks in order(new_pool([2], None, "a", "b")).items()} == {
        "a": 1,
        "b": 1,
    }


def test_two_overlapping_chunks_count_once_in_the_rate() -> None:
    pool = new_pool([100], None, "a")
    first, second = order(pool)["a"]
    assert pool.rate("a") is None
    end(pool, first, 2.0)
    assert pool.rate("a") == 1.0
    end(pool, second, 4.0)
    assert pool.rate("a") == pytest.approx(1.0)


def test_failed_runs_do_not_count_in_the_rate() -> None:
    pool = new_pool([100], None, "a", "b")
    first, second = order(pool)["a"]
    end(pool, first, 0.1, FAILED)
    assert pool.rate("a") is None
    pool.ended(second.batch_id, {second.rows[0]: DONE, second.rows[1]: FAILED}, 2.1)
    assert pool.rate("a") == pytest.approx(1.0)


def test_an_unknown_index_is_refused() -> None:
    with pytest.raises(UsageError, match="no run with the index 7"):
        new_pool([3, 4]).add([7])
    with pytest.raises(UsageError, match=r"\[0, 2\]"):
        new_pool([3, 4]).join("a", 0, fits=[2, 0])


# --- which models


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=8),
    st.integers(1, 8),
    st.sampled_from([0.5, 1.0, 5.0]),
)
def test_equal_servers_load_models_as_rarely_as_possible(
    sizes: list[int], servers: int, seconds: float
) -> None:
    sweep = simulate(sizes, [1.0] * servers, seconds=seconds)
    assert sweep.loads <= len(sizes) + servers - 1
    assert sweep.seconds <= sweep.best + 3.0


def test_a_server_stays_with_its_models() -> None:
    pool = new_pool([10, 10, 10], ["x", "y", "x"], "a")
    models: list[int] = []
    now = 0.0
    while not pool.finished:
        pool.orders(now)
        now += 1
        chunk = pool.at("a")[0]
        models.append(chunk.request)
        end(pool, chunk, now)
        pool.released()
    assert [request for request, _ in itertools.groupby(models)] == [0, 2, 1]


def test_servers_take_different_models_and_first_those_that_few_can_do() -> None:
    pool = new_pool([50, 10, 10])
    pool.join("a", 0, fits=[0, 1, 2])
    pool.join("b", 0, fits=[0, 1])
    pool.join("c", 0, fits=[0])
    assert {server: {chunk.request for chunk in chunks} for server, chunks in order(pool).items()} == {
        "a": {2},
        "b": {1},
        "c": {0},
    }


def test_a_server_that_can_do_only_a_part_of_what_the_others_do_is_not_idle() -> None:
    pool = new_pool([20, 20], ["x", "x"])
    pool.join("a", 0, fits=[0])
    pool.join("b", 0, fits=[1])
    assert {server: {chunk.request for chunk in chunks} for server, chunks in order(pool).items()} == {
        "a": {0},
        "b": {1},
    }


# --- slow servers


@pytest.mark.parametrize("runs", [40, 100, 400])
@pytest.mark.parametrize("seconds", [1.0, 5.0])
def test_a_slow_server_does_not_delay_the_end(runs: int, seconds: float) -> None:
    sweep = simulate([runs], [1.0, 0.25], seconds=seconds)
    assert sweep.seconds <= 1.15 * sweep.best
    assert sweep.runs["s1"] == pytest.approx(runs / 5, abs=3)


@pytest.mark.parametrize("runs", [60, 63])
def test_a_very_slow_server_gets_no_run_that_the_other_would_complete_before(runs: int) -> None:
    sweep = simulate([runs], [1.0, 0.1])
    assert sweep.seconds <= 1.05 * sweep.best


def test_a_server_whose_run_hangs_does_not_keep_the_last_runs() -> None:
    pool = new_pool([20], None, "a", "b")
    chunks = {server: found[0] for server, found in order(pool).items()}
    now = 0.0
    while pool.left > 4:  # a hangs, b does the rest
        now += 1
        end(pool, next(iter(pool.at("b"))), now)
        pool.orders(now)
    assert {chunk.batch_id for chunk in pool.at("a")} >= {chunks["a"].batch_id}
    assert len([row for chunk in pool.at("a") for row in chunk.rows]) == 4


# --- failures


def test_a_failed_run_is_tried_elsewhere_before_all_others() -> None:
    pool = new_pool([100], None, "a", "b")
    failed = order(pool)["a"][0]
    pool.ended(failed.batch_id, {failed.rows[0]: DONE, failed.rows[1]: FAILED}, 1)
    assert pool.released() == [(failed.rows[0], failed.batch_id)]
    assert not any(failed.rows[1] in chunk.rows for chunk in pool.orders(1))
    end(pool, pool.at("b")[0], 2)
    [again] = [chunk for chunk in pool.orders(2) if chunk.server == "b"]
    assert again.rows == (failed.rows[1],)
    end(pool, again, 3)
    assert (failed.rows[1], again.batch_id) in pool.released()


@pytest.mark.parametrize("second", [DONE, FAILED, CANCELED])
def test_the_second_outcome_of_a_failed_run_counts(second: object) -> None:
    pool = new_pool([1], None, "a", "b")
    [first] = pool.orders(0)
    end(pool, first, 1, FAILED)
    assert pool.released() == []
    [again] = pool.orders(1)
    assert again.server != first.server
    end(pool, again, 2, second)
    assert pool.released() == [(0, again.batch_id)]


def test_a_failure_counts_if_no_other_server_fits() -> None:
    pool = new_pool([1, 1])
    pool.join("a", 0, fits=[0])
    pool.join("b", 0, fits=[1])
    chunk = order(pool)["a"][0]
    end(pool, chunk, 1, FAILED)
    assert pool.released() == [(0, chunk.batch_id)]


def test_a_failure_counts_when_the_other_servers_are_gone() -> None:
    pool = new_pool([1], None, "a", "b")
    [chunk] = pool.orders(0)
    end(pool, chunk, 1, FAILED)
    pool.leave("b" if chunk.server == "a" else "a", 1)
    assert pool.released() == [(0, chunk.batch_id)]
    assert pool.finished


@pytest.mark.parametrize("runs", [10, 30, 200])
@pytest.mark.parametrize("servers", [2, 3, 5])
def test_a_broken_server_spoils_nothing(runs: int, servers: int) -> None:
    """It fails in no time, so it would take all runs if it could."""
    sweep = simulate([runs], [1.0] * servers, broken=["s0"])
    assert sweep.failed == 0
    assert sweep.wasted <= 0.3
    assert sweep.excluded == ({"s0"} if runs >= 30 else sweep.excluded)


def test_a_server_on_probation_gets_nothing_new_until_others_tried_its_runs() -> None:
    pool = new_pool([100], None, "a", "b")
    chunks = order(pool)["a"]
    for chunk in chunks:
        end(pool, chunk, 1, FAILED)
    assert "a" not in order(pool, 1)
    for now in (2, 3):  # they fail at the other one, too: the request is to blame
        end(pool, pool.at("b")[0], now)
        pool.orders(now)
    served: set[str] = set()
    for now in (4, 5):
        end(pool, pool.at("b")[0], now, FAILED)
        served |= set(order(pool, now))
    assert "a" in served
    assert pool.excluded == set()


def test_a_server_that_worked_well_is_on_probation_after_three_failures() -> None:
    pool = new_pool([4000], None, "a", "b")
    now = 0.0
    pool.orders(now)
    while len(pool.at("a")[0].rows) < 10:
        now += 1
        for server in "ab":
            end(pool, pool.at(server)[0], now)
        pool.orders(now)
    first = pool.at("a")[0]
    states = {row: FAILED if place < 3 else DONE for place, row in enumerate(first.rows)}
    pool.ended(first.batch_id, states, now + 1)
    assert "a" not in order(pool, now + 1)
    assert pool.excluded == set()


def test_runs_that_fail_everywhere_exclude_no_server_and_end() -> None:
    pool = new_pool([40], None, "a", "b", "c")
    now, released = 0.0, 0
    while not pool.finished:
        pool.orders(now)
        now += 1
        for chunk in [chunk for server in "abc" for chunk in pool.at(server)]:
            end(pool, chunk, now, FAILED)
        released += len(pool.released())
        assert pool.excluded == set()
        assert now < 200
    assert released == 40


def test_the_last_server_that_fits_is_not_excluded() -> None:
    pool = new_pool([60], None, "a", "b")
    now = 0.0
    while "a" not in pool.excluded:
        pool.orders(now)
        now += 1
        for chunk in [chunk for server in "ab" for chunk in pool.at(server)]:
            end(pool, chunk, now, FAILED if chunk.server == "a" else DONE)
    assert "a" not in order(pool, now)
    pool.leave("b", now)
    assert pool.excluded == set()
    assert set(order(pool, now)) == {"a"}
    pool.join("b", now)
    assert pool.excluded == {"a"}


def test_rare_failures_in_a_long_sweep_exclude_no_server() -> None:
    pool = new_pool([3000], None, "a", "b")
    now, failures = 0.0, 0
    for number in itertools.count():
        pool.orders(now)
        pool.released()
        if pool.finished:
            break
        now += 5
        for server in "ab":
            for chunk in pool.at(server)[:1]:
                states = dict.fromkeys(chunk.rows, DONE)
                if server == "a" and number % 120 == 119:
                    states[chunk.rows[0]] = FAILED
                    failures += 1
                pool.ended(chunk.batch_id, states, now)
        assert pool.excluded == set()
    assert failures > 3


# --- losses


def test_chunks_of_a_lost_server_are_ordered_again_there() -> None:
    pool = new_pool([8], None, "a", "b")
    before = order(pool)["a"]
    pool.leave("a", 1)
    assert pool.at("a") == []
    assert pool.next_time() == 11
    pool.join("a", 10.9)
    found = [chunk for chunk in pool.orders(10.9) if chunk.server == "a"]
    assert [(chunk.batch_id, chunk.rows, chunk.again) for chunk in found] == [
        (chunk.batch_id, chunk.rows, True) for chunk in before
    ]
    assert pool.disowned("a") == []
    assert sorted(work(pool, 11)) == list(range(8))
    assert pool.twice == 0


def test_after_the_grace_others_do_the_runs_of_a_lost_server() -> None:
    pool = new_pool([4], None, "a", "b")
    lost = order(pool)["a"][0]
    pool.leave("a", 1)
    released = work(pool, 2)
    assert sorted(released) == [0, 1, 2, 3]
    assert pool.disowned("a") == [lost.batch_id, *pool.disowned("a")[1:]]
    pool.withdrawn("a", pool.disowned("a"))
    assert pool.disowned("a") == []


def test_runs_that_no_other_server_has_begun_stay_at_the_lost_server() -> None:
    """All servers were lost for longer than the grace, for example because the scheduler had to be restarted."""
    pool = new_pool([40], None, "a", "b")
    before = order(pool)
    first = before["a"][0]
    assert len(first.rows) == 2
    pool.ended(first.batch_id, {first.rows[0]: DONE}, 1, asked=False)
    pool.leave("a", 1)
    pool.leave("b", 1)
    assert pool.orders(20) == []
    for name in ("a", "b"):
        assert {*pool.disowned(name)} == {chunk.batch_id for chunk in before[name]}
        pool.reclaim(name, 21)
        assert pool.disowned(name) == []
        pool.join(name, 21)
        found = [replace(chunk, again=False) for chunk in pool.orders(21) if chunk.again]
        assert sorted(found, key=lambda chunk: chunk.rows) == before[name]
    assert sorted([index for index, _ in pool.released()] + [*work(pool, 22)]) == list(range(40))
    assert pool.twice == 0


def test_a_chunk_of_which_others_have_a_run_is_not_ordered_again() -> None:
    pool = new_pool([8], None, "a")
    lost, other = pool.orders(0)
    pool.leave("a", 0)
    pool.join("b", 1)
    [chunk, *_] = pool.orders(10)
    assert {*chunk.rows} & {*lost.rows}
    pool.ended(chunk.batch_id, {}, 10)  # also if it was not done there
    pool.leave("b", 10)
    pool.reclaim("a", 11)
    assert lost.batch_id in pool.disowned("a")
    assert lost.rows != other.rows


def test_a_late_result_is_used_and_the_copy_is_dropped() -> None:
    pool = new_pool([1], None, "a", "b")
    [lost] = pool.orders(0)
    pool.leave(lost.server, 0)
    [copy] = pool.orders(10)
    assert copy.server != lost.server
    end(pool, lost, 11)
    assert pool.released() == [(0, lost.batch_id)]
    end(pool, copy, 12)
    assert (pool.released(), pool.twice) == ([], 1)


def test_a_late_failure_is_no_result() -> None:
    pool = new_pool([1], None, "a", "b")
    [lost] = pool.orders(0)
    pool.leave(lost.server, 0)
    [copy] = pool.orders(10)
    end(pool, lost, 11, FAILED)
    assert pool.released() == []
    end(pool, copy, 12)
    assert pool.released() == [(0, copy.batch_id)]


def test_a_late_cancel_of_a_delivered_run_is_no_execution() -> None:
    pool = new_pool([1], None, "a", "b")
    [lost] = pool.orders(0)
    pool.leave(lost.server, 0)
    [copy] = pool.orders(10)
    end(pool, copy, 11)
    end(pool, lost, 12, CANCELED)
    assert (pool.released(), pool.twice) == ([(0, copy.batch_id)], 0)


def test_a_run_that_is_added_again_waits_for_its_copy() -> None:
    pool = new_pool([1], None, "a", "b")
    [lost] = pool.orders(0)
    pool.leave(lost.server, 0)
    [copy] = pool.orders(10)
    end(pool, lost, 11)
    assert pool.released() == [(0, lost.batch_id)]
    pool.add([0])
    assert pool.orders(11) == []
    end(pool, copy, 12)
    assert pool.released() == [(0, copy.batch_id)]


def test_a_late_result_of_a_run_that_waits_spares_the_copy() -> None:
    pool = new_pool([1], None, "a")
    [lost] = pool.orders(0)
    pool.leave("a", 0)
    assert pool.orders(10) == []
    end(pool, lost, 11)
    assert pool.released() == [(0, lost.batch_id)]
    pool.join("b", 12)
    assert pool.orders(12) == []


def test_a_server_that_leaves_and_returns_its_chunk_keeps_nothing() -> None:
    pool = new_pool([20], None, "a", "b")
    chunks = order(pool)["a"]
    pool.leave("a", 1)
    for chunk in chunks:
        pool.ended(chunk.batch_id, {chunk.rows[0]: DONE}, 1)
    firsts = [index for index, _ in pool.released()]
    assert firsts == [chunk.rows[0] for chunk in chunks]
    assert pool.next_time() is None, "nothing is held"
    assert sorted([*firsts, *work(pool, 2)]) == list(range(20))
    assert pool.disowned("a") == []


def test_a_silent_server_is_disowned_and_gets_nothing_until_it_joins() -> None:
    pool = new_pool([20], None, "a", "b")
    chunk = order(pool)["a"][0]
    pool.ended(chunk.batch_id, {chunk.rows[0]: DONE}, 1, asked=False)
    assert pool.disowned("a") == [chunk.batch_id]
    assert "a" not in order(pool, 1)
    for now in (2, 3):
        end(pool, pool.at("b")[0], now)
        order(pool, now)
    assert any(chunk.rows[1] in other.rows for other in pool.at("b"))
    pool.ended(chunk.batch_id, dict.fromkeys(chunk.rows, DONE), 4)
    assert (chunk.rows[1], chunk.batch_id) in pool.released()
    assert pool.twice == 0
    pool.withdrawn("a", pool.disowned("a"))
    pool.join("a", 5)
    assert "a" in order(pool, 5)


def test_runs_that_a_server_returns_again_and_again_go_elsewhere() -> None:
    pool = new_pool([1], None, "a")
    now, times = 0.0, 0
    while times < 4:
        for chunk in pool.orders(now):
            end(pool, chunk, now, None)
            times += 1
            assert pool.orders(now) == [], "it rests, or this would never end"
        now = pool.next_time() or now
    pool.join("b", now, fits=[])
    [chunk] = pool.orders(now)
    end(pool, chunk, now, None)  # no other server fits
    pool.join("b", now)
    [chunk] = pool.orders(now)
    assert chunk.server == "b"


def test_a_run_that_one_server_returns_is_left_to_the_other() -> None:
    pool = new_pool([1], None, "a")
    now = 0.0
    for _ in range(4):
        [chunk] = pool.orders(now)
        end(pool, chunk, now, None)
        now = pool.next_time() or now
    [chunk] = pool.orders(now)
    pool.join("b", now)
    end(pool, chunk, now, None)
    now = pool.next_time() or now
    [chunk] = pool.orders(now)
    assert chunk.server == "b"


# --- resuming, canceling, waiting


def test_restored_chunks_are_ordered_again_at_their_server() -> None:
    before = new_pool([8], None, "a", "b")
    sent = [chunk for chunks in order(before).values() for chunk in chunks]
    pool = new_pool([8])
    pool.restore(sent, 100)
    pool.join("a", 101)
    found = pool.orders(101)
    assert {chunk.server for chunk in found} == {"a"}
    again = {chunk.batch_id for chunk in found if chunk.again}
    assert again == {chunk.batch_id for chunk in sent if chunk.server == "a"}
    assert sorted(work(pool, 102)) == list(range(8))
    assert pool.disowned("b") == [chunk.batch_id for chunk in sent if chunk.server == "b"]


def test_rows_with_a_result_are_not_restored() -> None:
    pool = Dispatcher(requests_of([4]))
    pool.add([1, 2, 3])
    pool.restore([Chunk("empty", "a", 0, (0,)), Chunk("old", "a", 0, (0, 1))], 0)
    pool.join("a", 1)
    [again, *_] = pool.orders(1)
    assert (again.batch_id, again.rows) == ("old", (0, 1))
    pool.ended("old", {0: DONE, 1: DONE}, 2)
    assert pool.released() == [(1, "old")]
    assert pool.twice == 0


def test_a_restored_chunk_that_others_did_is_withdrawn() -> None:
    """Its server was lost, others got its runs, and then the client crashed twice."""
    pool = new_pool([4])
    old, new = Chunk("old", "a", 0, (0, 1, 2)), Chunk("new", "b", 0, (0, 1), again=True)
    pool.restore([old, new], 0)
    assert pool.disowned("a") == ["old"]
    pool.withdrawn("a", ["old"])
    pool.join("a", 1)
    found = pool.orders(1)
    assert {row for chunk in found for row in chunk.rows} == {2, 3}, "runs that came back and were not sent wait"
    pool.join("b", 1)
    assert pool.orders(1) == [new]
    for chunk in [*found, new]:
        pool.ended(chunk.batch_id, dict.fromkeys(chunk.rows, DONE), 2)
    assert sorted(index for index, _ in pool.released()) == [0, 1, 2, 3]
    assert (pool.finished, pool.twice) == (True, 0)


def test_cancel_closes_what_is_at_no_server() -> None:
    pool = new_pool([20], None, "a", "b")
    sent = [chunk for chunks in order(pool).values() for chunk in chunks]
    pool.leave("b", 1)
    assert pool.cancel() == sorted(set(range(20)) - {row for chunk in sent for row in chunk.rows})
    assert sorted(pool.dropped()) == sorted(
        row for chunk in sent if chunk.server == "b" for row in chunk.rows
    )
    assert pool.disowned("b") == [chunk.batch_id for chunk in sent if chunk.server == "b"]
    first, second = pool.at("a")
    pool.ended(first.batch_id, {first.rows[0]: DONE, first.rows[1]: CANCELED}, 2)
    assert [index for index, _ in pool.released()] == [*first.rows]
    pool.ended(second.batch_id, {second.rows[0]: FAILED}, 3)
    assert pool.released() == [(second.rows[0], second.batch_id)]
    assert pool.dropped() == [second.rows[1]]
    pool.join("b", 4)
    assert pool.orders(4) == []
    assert pool.finished


def test_cancel_releases_failures_that_wait_for_another_server() -> None:
    pool = new_pool([10], None, "a", "b")
    chunk = order(pool)["a"][0]
    end(pool, chunk, 1, FAILED)
    assert not set(chunk.rows) & set(pool.cancel())
    assert pool.released() == [(row, chunk.batch_id) for row in chunk.rows]


def test_failed_runs_can_be_added_again() -> None:
    pool = new_pool([3], None, "a")
    now = 0.0
    while not pool.finished:
        for chunk in pool.orders(now):
            end(pool, chunk, now + 1, FAILED)
        now += 1
        pool.released()
    pool.add([0, 2])
    assert (pool.left, pool.finished) == (2, False)
    assert sorted(work(pool, now)) == [0, 2]


def test_stranded_runs_are_those_that_no_server_fits() -> None:
    pool = new_pool([2, 3])
    assert pool.stranded(0) == [0, 1, 2, 3, 4]
    pool.join("a", 0, fits=[1])
    assert pool.stranded(0) == [0, 1]
    pool.orders(0)
    assert pool.stranded(0) == []  # something is at work
    pool.leave("a", 1)
    assert pool.stranded(10) == []  # something is held
    assert pool.stranded(11) == [0, 1, 2, 3, 4]


def test_a_server_that_joins_in_the_middle_takes_its_part() -> None:
    pool = new_pool([40], None, "a")
    end(pool, order(pool)["a"][0], 2)
    pool.join("b", 2)
    assert "b" in order(pool, 2)
    assert sorted(work(pool, 2)) == list(range(40))
