"""Which server does which runs."""

from __future__ import annotations

from invokeai_py_client.models import JobStatus
from invokeai_py_client.pool.chunk import RequestInfo
from invokeai_py_client.pool.dispatch import Dispatcher


def test_each_run_is_released_once() -> None:
    pool = Dispatcher([RequestInfo(0, 10), RequestInfo(10, 5)])
    pool.add(range(15))
    pool.join("a", 0)
    pool.join("b", 0)
    released: list[int] = []
    now = 0.0
    while not pool.finished:
        chunks = [*pool.at("a"), *pool.at("b"), *pool.orders(now)]
        now += 1
        for chunk in chunks:
            pool.ended(chunk.batch_id, dict.fromkeys(chunk.rows, JobStatus.COMPLETED), now)
        released += [index for index, _ in pool.released()]
    assert sorted(released) == list(range(15))
