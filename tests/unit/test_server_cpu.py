"""A server on a processor that announces AMX and cannot do it."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from invokeai_py_client.server.inside import cpu

LIMIT = "ONEDNN_MAX_CPU_ISA"


def ones(*shape: int, dtype: str) -> tuple[int, ...]:
    return shape


def torch_that(product: Any) -> Any:
    return SimpleNamespace(bfloat16="bfloat16", ones=ones, mm=product)


def has_torch(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    def version_of(name: str) -> str:
        return version

    monkeypatch.setattr(cpu.metadata, "version", version_of)


def multiplies(*matrices: object) -> None:
    """What a processor does that keeps its promises."""


def dies(*matrices: object) -> None:
    faulthandler.disable()  # pytest's would tell of it at length
    os.kill(os.getpid(), signal.SIGILL)


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A file of processor flags, beside a torch for the CPU."""
    file = tmp_path / "cpuinfo"
    file.write_text("flags\t\t: fpu avx512f amx_bf16 amx_tile\n")
    monkeypatch.setattr(cpu, "_PROCESSOR", file)
    has_torch(monkeypatch, "2.13.0+cpu")
    monkeypatch.setitem(sys.modules, "torch", torch_that(dies))
    monkeypatch.setenv(LIMIT, "")
    monkeypatch.delenv(LIMIT)
    return file


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_torch_goes_without_what_kills_it(capfd: pytest.CaptureFixture[str]) -> None:
    assert cpu.avoid_broken_amx() is True
    assert os.environ[LIMIT] == "AVX512_CORE_FP16"
    assert "goes without" in capfd.readouterr().err


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_what_works_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", torch_that(multiplies))
    assert cpu.avoid_broken_amx() is False
    assert LIMIT not in os.environ


def test_nothing_is_tried_elsewhere(monkeypatch: pytest.MonkeyPatch, machine: Path) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # an import of it would raise
    has_torch(monkeypatch, "2.13.0+cu130")
    assert cpu.avoid_broken_amx() is False
    has_torch(monkeypatch, "2.13.0+cpu")
    machine.write_text("flags\t\t: fpu avx2\n")
    assert cpu.avoid_broken_amx() is False
    machine.unlink()
    assert cpu.avoid_broken_amx() is False


def test_the_users_own_limit_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setenv(LIMIT, "AVX2")
    assert cpu.avoid_broken_amx() is False
    assert os.environ[LIMIT] == "AVX2"
