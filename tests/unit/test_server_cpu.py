"""Servers on processors that report AMX but do not support it."""

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
    """Do nothing, as a processor that supports AMX."""


def dies(*matrices: object) -> None:
    faulthandler.disable()  # otherwise pytest prints a long traceback
    os.kill(os.getpid(), signal.SIGILL)


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Create a file of processor flags, and pretend that torch is a CPU build."""
    file = tmp_path / "cpuinfo"
    file.write_text("flags\t\t: fpu avx512f amx_bf16 amx_tile\n")
    monkeypatch.setattr(cpu, "_PROCESSOR", file)
    has_torch(monkeypatch, "2.13.0+cpu")
    monkeypatch.setitem(sys.modules, "torch", torch_that(dies))
    monkeypatch.setenv(LIMIT, "")
    monkeypatch.delenv(LIMIT)
    return file


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_amx_is_disabled_if_it_crashes(capfd: pytest.CaptureFixture[str]) -> None:
    assert cpu.avoid_broken_amx() is True
    assert os.environ[LIMIT] == "AVX512_CORE_FP16"
    assert "runs without it" in capfd.readouterr().err


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_amx_is_kept_if_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", torch_that(multiplies))
    assert cpu.avoid_broken_amx() is False
    assert LIMIT not in os.environ


def test_other_machines_are_not_probed(monkeypatch: pytest.MonkeyPatch, machine: Path) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # importing torch would raise
    has_torch(monkeypatch, "2.13.0+cu130")
    assert cpu.avoid_broken_amx() is False
    has_torch(monkeypatch, "2.13.0+cpu")
    machine.write_text("flags\t\t: fpu avx2\n")
    assert cpu.avoid_broken_amx() is False
    machine.unlink()
    assert cpu.avoid_broken_amx() is False


def test_the_users_limit_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setenv(LIMIT, "AVX2")
    assert cpu.avoid_broken_amx() is False
    assert os.environ[LIMIT] == "AVX2"
