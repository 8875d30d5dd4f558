"""The names of schedulers: those of InvokeAI, and what others call them."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import Self


class SchedulerName(StrEnum):
    """Schedulers of InvokeAI 6.14, and older names for some of them (see :attr:`wire`)."""

    EULER = "euler"
    EULER_K = "euler_k"
    EULER_A = "euler_a"
    DEIS = "deis"
    DEIS_K = "deis_k"
    DDIM = "ddim"
    DDPM = "ddpm"
    DPMPP_SDE = "dpmpp_sde"
    DPMPP_SDE_K = "dpmpp_sde_k"
    DPMPP_2S = "dpmpp_2s"
    DPMPP_2S_K = "dpmpp_2s_k"
    DPMPP_2M = "dpmpp_2m"
    DPMPP_2M_K = "dpmpp_2m_k"
    DPMPP_2M_SDE = "dpmpp_2m_sde"
    DPMPP_2M_SDE_K = "dpmpp_2m_sde_k"
    DPMPP_3M = "dpmpp_3m"
    DPMPP_3M_K = "dpmpp_3m_k"
    ER_SDE = "er_sde"
    HEUN = "heun"
    HEUN_K = "heun_k"
    KDPM_2 = "kdpm_2"
    KDPM_2_K = "kdpm_2_k"
    KDPM_2_A = "kdpm_2_a"
    KDPM_2_A_K = "kdpm_2_a_k"
    LMS = "lms"
    LMS_K = "lms_k"
    PNDM = "pndm"
    UNIPC = "unipc"
    UNIPC_K = "unipc_k"
    LCM = "lcm"
    TCD = "tcd"
    DPM_2 = "dpm_2"
    DPM_2_A = "dpm_2_a"

    @property
    def wire(self) -> str:
        """The name that servers take."""
        return _ALIASES.get(self.value, self.value)

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        word = _word(value)
        word = _ALIASES.get(word, word)
        return next((member for member in cls if member.value == word), None)


_ALIASES = {
    "dpm_2": "kdpm_2",
    "dpm_2_a": "kdpm_2_a",
    "dpm_2_ancestral": "kdpm_2_a",
    "kdpm_2_ancestral": "kdpm_2_a",
    "euler_ancestral": "euler_a",
    "euler_karras": "euler_k",
    "heun_karras": "heun_k",
    "lms_karras": "lms_k",
    "dpm2": "kdpm_2",
    "dpm2_a": "kdpm_2_a",
    "dpmpp_2s_a": "dpmpp_2s",
    "plms": "pndm",
}
"""Names that others use: older clients, diffusers, other user interfaces."""


def scheduler_on_wire(name: str, choices: Collection[str]) -> str | None:
    """The server's name for a scheduler; None where it has none."""
    if name in choices:
        return name
    word = _word(name)
    found = _ALIASES.get(word, word)
    return found if found in choices else None


def _word(name: str) -> str:
    """``DPM++ 2M Karras`` as ``dpmpp_2m_k``."""
    word = name.strip().casefold().replace("++", "pp").replace("-", "_").replace(" ", "_")
    if word.endswith("_karras"):
        word = word.removesuffix("karras") + "k"
    return word.removesuffix("_scheduler")
