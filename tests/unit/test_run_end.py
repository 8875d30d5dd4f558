"""The compact storage of ended runs returns what was stored."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from invokeai_py_client.run.end import RunEnd, removed_item
from invokeai_py_client.run.packed import Packed
from invokeai_py_client.run.results import CalledResults, results_of_item, seeds_of_item

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "text-to-image-run.json").read_text())
ITEM: dict[str, Any] = RECORDED["item"]


def test_item_and_results_are_returned_as_they_were() -> None:
    for _ in range(2):  # the second is stored as the difference from the first
        end = RunEnd()
        end.take(ITEM, {"noise": "Grain"})
        assert end.item == ITEM
        assert end.results == results_of_item(ITEM, {"noise": "Grain"})
        assert end.seeds == seeds_of_item(ITEM) == {("noise", "seed"): 1}
        assert end.seconds == pytest.approx(5.422)


def test_nothing_is_known_before_the_end() -> None:
    end = RunEnd()
    assert (end.taken, end.item, end.results, end.seconds, dict(end.seeds)) == (False, None, None, None, {})


def test_item_of_a_sweep_lacks_its_session() -> None:
    end = RunEnd()
    end.take(ITEM, {}, whole=False)
    assert end.item == {key: value for key, value in ITEM.items() if key not in ("session", "workflow")}
    assert end.results == results_of_item(ITEM, {})


def test_results_of_called_workflows_are_kept() -> None:
    inner = results_of_item(ITEM)
    deeper = (CalledResults("a", "p-a", "w-1", 7, inner),)
    called = (CalledResults("b", "p-b", "w-2", 8, results_of_item(ITEM, called=deeper)),)
    end = RunEnd()
    end.take(ITEM, {}, called)
    assert end.results == results_of_item(ITEM, {}, called)


def test_pickle_has_the_same_values() -> None:
    end = RunEnd()
    end.take(ITEM, {})
    copy: RunEnd = pickle.loads(pickle.dumps(end))
    assert (copy.item, copy.results, copy.seeds, copy.seconds) == (
        end.item,
        end.results,
        end.seeds,
        end.seconds,
    )


def test_changing_a_returned_item_changes_nothing() -> None:
    end = RunEnd()
    end.take(ITEM, {})
    item: Any = end.item
    item["session"].clear()
    assert end.item == ITEM


def test_a_first_small_value_does_not_spoil_the_later_ones() -> None:
    first = Packed(removed_item(1, "b"), "kind")
    later = [Packed({**ITEM, "item_id": number}, "kind") for number in range(3)]
    assert first.value() == removed_item(1, "b")
    assert [one.value()["item_id"] for one in later] == [0, 1, 2]
    assert len(later[-1]._data) < 400


def test_values_larger_than_the_sample_are_complete() -> None:
    large = {"text": [f"line {number * 7919}" for number in range(20_000)]}
    one, other = Packed(large, "large"), Packed(large, "large")
    assert one.value() == other.value() == large
