"""Ids of batches tell the items that this client sent from others."""

from __future__ import annotations

import uuid

import pytest

from invokeai_py_client.run import batch_ids
from invokeai_py_client.run.batch_ids import is_sent_from_here, new_batch_id


def test_batch_ids_are_random_uuids_of_the_sender() -> None:
    first, second = new_batch_id(), new_batch_id()
    assert first != second
    assert str(uuid.UUID(first)) == first
    assert uuid.UUID(first).version == 4
    assert is_sent_from_here(first) and is_sent_from_here(second)


@pytest.mark.parametrize("other", [None, "", "x", str(uuid.UUID(int=0))])
def test_other_batch_ids(other: str | None) -> None:
    assert not is_sent_from_here(other)


def test_another_machine_has_other_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = new_batch_id()
    batch_ids._sender.cache_clear()  # pyright: ignore[reportPrivateUsage]
    with monkeypatch.context() as patch:
        patch.setattr("socket.gethostname", lambda: "another")
        assert not is_sent_from_here(theirs)
    batch_ids._sender.cache_clear()  # pyright: ignore[reportPrivateUsage]
    assert is_sent_from_here(theirs)


def test_user_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> str:
        raise KeyError("getpwuid(): uid not found: 1234")

    batch_ids._sender.cache_clear()  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr("getpass.getuser", fail)
    assert is_sent_from_here(new_batch_id())
    batch_ids._sender.cache_clear()  # pyright: ignore[reportPrivateUsage]
