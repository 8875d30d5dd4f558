"""Fields with a fixed list of choices: enumerations and schedulers."""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import Enum, StrEnum
from typing import Any, Self

from invokeai_py_client.ivk_fields.base import NO_VALUE, IvkField
from invokeai_py_client.ivk_fields.plain import Mismatch, guess, is_truth, short_list, text_of


class SchedulerName(StrEnum):
    """The schedulers of InvokeAI 6.14, with aliases.

    Older names are aliases of the server's name: ``SchedulerName.DPM_2`` and ``SchedulerName("dpm_2")`` are
    ``SchedulerName.KDPM_2``. The spellings of other programs are also accepted: ``SchedulerName("DPM++ 2M Karras")``
    is ``SchedulerName.DPMPP_2M_K``.
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
"""Names from older clients and other programs, in the normalized spelling of ``_bare()``."""


def scheduler_on_wire(name: str, choices: Collection[str]) -> str | None:
    """Return the server's name for a scheduler, or None if it has no such scheduler."""
    text = str(name)
    if text in choices:
        return text
    known = {_bare(choice): choice for choice in choices}
    word = _bare(text)
    # k-diffusion and services based on it prefix every name with "k_".
    for candidate in (word, _ALIASES.get(word, word), word.removeprefix("k")):
        if candidate in known:
            return known[candidate]
    return None


def _bare(name: str) -> str:
    """Normalize the spelling of a scheduler: ``DPM++ 2M Karras`` and ``dpmpp_2m_k`` become ``dpmpp2mk``."""
    word = re.sub(r"[^a-z0-9]", "", name.casefold().replace("++", "pp"))
    for long, short in (("ancestral", "a"), ("discrete", ""), ("scheduler", ""), ("karras", "k")):
        word = word.replace(long, short)
    return word


SCHEDULER_NAMES = [name.value for name in SchedulerName]
"""The schedulers of InvokeAI 6.14."""
INTERPOLATION_MODES = ["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
"""The interpolation modes of the nodes of InvokeAI 6.14."""
COLOR_MODES = ["L", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "F"]
"""The color modes of the nodes of InvokeAI 6.14."""


class IvkEnumField(IvkField[Any]):
    """One of several choices. The editor's labels are accepted too. Case does not matter."""

    type_name_default = "EnumField"

    @property
    def allowed(self) -> str:
        """A short description of the choices."""
        choices = self.choices
        return f"one of {short_list(choices, self.choice_labels)}" if choices else "one of the node's choices"

    def get_choices(self) -> list[Any]:
        """Return the choices as a list, an empty list if they are not known."""
        return list(self.choices or ())

    def _convert(self, value: Any) -> Any:
        if isinstance(value, Enum):
            value = value.value
        if is_truth(value):
            value = bool(value)
        if not isinstance(value, str | int | float | bool):
            raise Mismatch(self.allowed)
        choices = self.choices
        if choices is None:
            return text_of(value) if isinstance(value, str) else value
        for choice in choices:
            if choice == value and isinstance(choice, bool) == isinstance(value, bool):
                return choice
        found = self._named(value, choices) if isinstance(value, str) else []
        if len(found) == 1:
            return found[0]
        names = [*map(str, choices), *self.choice_labels.values()]
        raise Mismatch(self.allowed, hint=guess(str(value), names))

    def _named(self, value: str, choices: tuple[Any, ...]) -> list[Any]:
        """Return the choices that match a text: by their spelling, or else by their labels."""
        word = value.strip().casefold()
        labels = self.choice_labels
        return [choice for choice in choices if str(choice).casefold() == word] or [
            choice for choice in choices if labels.get(choice, "").casefold() == word
        ]

    def _takes_null_word(self) -> bool:
        return NO_VALUE not in map(str, self.choices or ())

    def _from_text(self, text: str) -> Any:
        # Choices are not always strings, but on the command line they are written as text.
        by_text = {str(choice): choice for choice in self.choices or ()}
        return by_text.get(text, text)


class IvkSchedulerField(IvkEnumField):
    """A scheduler. The names that other programs use are accepted too."""

    type_name_default = "SchedulerField"

    @property
    def choices(self) -> tuple[Any, ...] | None:
        """The schedulers of the server."""
        return super().choices or tuple(name.value for name in SchedulerName)

    @staticmethod
    def normalize_alias(name: str) -> str:
        """Return InvokeAI's name for a scheduler, or the name unchanged if it is not known."""
        return scheduler_on_wire(name, SCHEDULER_NAMES) or str(name)

    def _convert(self, value: Any) -> Any:
        known = scheduler_on_wire(value, self.choices or ()) if isinstance(value, str) else None
        return super()._convert(value if known is None else known)


class IvkInterpolationField(IvkEnumField):
    """An interpolation mode for resizing."""

    @property
    def choices(self) -> tuple[Any, ...] | None:
        """The node's choices, or those that most nodes have if there are no others."""
        return super().choices or tuple(INTERPOLATION_MODES)


class IvkColorModeField(IvkEnumField):
    """A color mode, by its name in Pillow."""

    @property
    def choices(self) -> tuple[Any, ...] | None:
        """The node's choices, or those that most nodes have if there are no others."""
        return super().choices or tuple(COLOR_MODES)


class IvkLiteralField(IvkEnumField):
    """One of several literal values."""

    def get_literals(self) -> list[Any]:
        """Return the choices as a list, an empty list if they are not known."""
        return self.get_choices()
