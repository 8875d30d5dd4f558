"""The names of schedulers: those of InvokeAI, and what others call them."""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import StrEnum
from typing import Self


class SchedulerName(StrEnum):
    """The schedulers of InvokeAI 6.14, and older names for some of them.

    Names that servers lack are aliases of the member they have: ``SchedulerName.DPM_2`` and
    ``SchedulerName("dpm_2")`` are ``SchedulerName.KDPM_2``. So are other programs' spellings:
    ``SchedulerName("DPM++ 2M Karras")`` is ``SchedulerName.DPMPP_2M_K``.
    """

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

    DPM_2 = KDPM_2
    DPM_2_A = KDPM_2_A
    EULER_ANCESTRAL = EULER_A

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        known = scheduler_on_wire(value, [member.value for member in cls])
        return None if known is None else cls(known)


_ALIASES = {
    "dpm2": "kdpm2",
    "dpm2k": "kdpm2k",
    "dpm2a": "kdpm2a",
    "dpm2ak": "kdpm2ak",
    "dpmpp2sa": "dpmpp2s",
    "dpmpp2sak": "dpmpp2sk",
    "plms": "pndm",
}
"""Names of older clients and other programs, without what spellings differ in."""


def scheduler_on_wire(name: str, choices: Collection[str]) -> str | None:
    """The server's name for a scheduler; None where it has none."""
    text = str(name)
    if text in choices:
        return text
    known = {_bare(choice): choice for choice in choices}
    word = _bare(text)
    # k-diffusion, and some services after it, put a "k_" before every name.
    for candidate in (word, _ALIASES.get(word, word), word.removeprefix("k")):
        if candidate in known:
            return known[candidate]
    return None


def _bare(name: str) -> str:
    """``DPM++ 2M Karras`` and ``dpmpp_2m_k`` as ``dpmpp2mk``."""
    word = re.sub(r"[^a-z0-9]", "", name.casefold().replace("++", "pp"))
    for long, short in (("ancestral", "a"), ("discrete", ""), ("scheduler", ""), ("karras", "k")):
        word = word.replace(long, short)
    return word
