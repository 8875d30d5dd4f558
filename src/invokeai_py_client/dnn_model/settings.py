"""The default settings of models: which ones a type of model has, and which values they accept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from invokeai_py_client._text import close_names, did_you_mean, shown
from invokeai_py_client.errors import InputValueError

_LONGEST = 60


@dataclass(frozen=True, slots=True)
class Setting:
    """A default setting, as InvokeAI 6.14.2 checks it.

    Attributes:
        kind: The type of its values: ``int``, ``float``, ``bool`` or ``str``. For ``float``, whole numbers are valid.
        expected: The valid values, for messages.
        least: The smallest valid number.
        below: The smallest number that is too large.
        step: The number that valid numbers are multiples of.
        words: The valid texts. Empty if any text is valid.
    """

    kind: type
    expected: str
    least: float | None = None
    below: float | None = None
    step: int = 1
    words: tuple[str, ...] = ()

    def accepts(self, value: object) -> bool:
        """Whether a value is valid."""
        if isinstance(value, bool) or self.kind is bool:
            return self.kind is bool and isinstance(value, bool)
        if self.kind is str:
            return isinstance(value, str) and bool(value.strip()) and (not self.words or value in self.words)
        if not isinstance(value, int if self.kind is int else int | float):
            return False
        return (
            (self.least is None or value >= self.least)
            and (self.below is None or value < self.below)
            and (self.kind is float or value % self.step == 0)
        )


_SIZE = Setting(int, "a multiple of 8, at least 64", least=64, step=8)
_PIXELS = Setting(int, "a whole number greater than 0", least=1)
_NUMBER = Setting(float, "a number")
_SWITCH = Setting(bool, "true or false")
_TEXT = Setting(str, "a text")

_MAIN = {
    "vae": replace(_TEXT, expected="a VAE, as its name or key"),
    "vae_precision": replace(_TEXT, expected="'fp16' or 'fp32'", words=("fp16", "fp32")),
    "scheduler": replace(_TEXT, expected="a scheduler such as 'euler_a'"),
    "steps": _PIXELS,
    "cfg_scale": Setting(float, "a number of at least 1", least=1),
    "cfg_rescale_multiplier": Setting(float, "a number from 0 to less than 1", least=0, below=1),
    "width": _SIZE,
    "height": _SIZE,
    "guidance": Setting(float, "a number of at least 1", least=1),
    "cpu_only": _SWITCH,
    "fp8_storage": _SWITCH,
}
_LORA = {"weight": _NUMBER, "weight_min": _NUMBER, "weight_max": _NUMBER}
_CONTROL = {"preprocessor": replace(_TEXT, expected="the type of a node"), "fp8_storage": _SWITCH}
_EXTERNAL = {"num_images": _PIXELS, "width": _PIXELS, "height": _PIXELS}

SETTINGS: Mapping[str, Mapping[str, Setting]] = {
    "main": _MAIN,
    "lora": _LORA,
    "controlnet": _CONTROL,
    "t2i_adapter": _CONTROL,
    "control_lora": _CONTROL,
    "external_image_generator": _EXTERNAL,
}
"""The default settings of each type of model that has some."""

# The server (6.14.2) takes settings without these names for those of a main model, and then rejects them.
_ALWAYS = {
    "lora": "weight",
    "controlnet": "preprocessor",
    "t2i_adapter": "preprocessor",
    "control_lora": "preprocessor",
    "external_image_generator": "num_images",
}


def merged_settings(
    kind: str, current: Mapping[str, Any], changes: Mapping[str, Any], model: str
) -> dict[str, Any]:
    """Return the settings of a model after some of them were changed.

    Args:
        kind: The type of the model.
        current: Its settings.
        changes: The new values. None removes a setting.
        model: The name of the model, for messages.

    Raises:
        InputValueError: A setting does not exist, or a value is not valid.
    """
    known = SETTINGS.get(kind, {})
    for name, value in changes.items():
        setting = known.get(name)
        if setting is None and name not in current:
            names = sorted({*known, *current})
            raise InputValueError(
                f"No default setting {shown(name)} of {model}, which is of type {kind!r}; expected "
                + (f"{', '.join(names)}.{did_you_mean(close_names(name, names))}" if names else "none.")
            )
        if value is not None and setting is not None and not setting.accepts(value):
            raise InputValueError(
                f"default_settings[{name!r}] of {model}: {shown(value, _LONGEST)} is not valid; expected "
                f"{setting.expected}, or None to remove the setting."
            )
    always = {_ALWAYS[kind]: None} if kind in _ALWAYS else {}
    settings = {**always, **current, **changes}
    least, most = settings.get("weight_min"), settings.get("weight_max")
    if least is not None and most is not None and least >= most:
        raise InputValueError(
            f"default_settings of {model}: weight_min {least:g} is not less than weight_max {most:g}."
        )
    return settings


def parse_setting(text: str) -> tuple[str, Any]:
    """Return the name and the value of ``NAME=VALUE``, or None if there is no value.

    Raises:
        InputValueError: The text has no name or no ``=``.
    """
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not name:
        raise InputValueError(
            f"Invalid default setting {shown(text)}: expected NAME=VALUE, for example steps=30."
        )
    kind = next((known[name].kind for known in SETTINGS.values() if name in known), str)
    if not value:
        return name, None
    if kind is str:
        return name, value
    try:
        return name, json.loads(value.lower())
    except ValueError:
        return name, value  # the check of the value explains what was expected
