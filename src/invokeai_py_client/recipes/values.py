"""The values of an image's workflow: its size, its strength, and its seeds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from invokeai_py_client._text import shown
from invokeai_py_client.engine.seeds import LARGEST_SEED, draw_seed, is_random
from invokeai_py_client.errors import UnknownInputError, UsageError
from invokeai_py_client.ivk_fields.plain import as_integer, as_number

if TYPE_CHECKING:
    from invokeai_py_client.engine.inputs import InputSet

_SIZE = re.compile(r"\s*(\d{1,6})\s*[xX×]\s*(\d{1,6})\s*")
_LEAST_SIDE = 64
STRENGTH = 0.7
"""How much an image is changed, unless the caller says otherwise."""


def image_values(
    inputs: InputSet,
    prompt: str,
    *,
    negative_prompt: str | None = None,
    size: Any = None,
    strength: float = STRENGTH,
    board: Any = None,
    image: bool = False,
    mask: bool = False,
) -> dict[str, Any]:
    """Return the values of an image's workflow by the names of its inputs.

    Args:
        inputs: The inputs of the workflow.
        prompt: The prompt.
        negative_prompt: The negative prompt. Defaults to None.
        size: The size: ``"1024x768"``, a pair, or ``"auto"``. Defaults to that of the image or the model.
        strength: How much an image without a mask is changed, from 0 to 1. Defaults to 0.7.
        board: The board. Defaults to none.
        image: Whether there is an image. Defaults to False.
        mask: Whether there is a mask. Defaults to False.

    Raises:
        UsageError: A value is not valid, or the model has no such input.
    """
    check_prompt(prompt)
    values: dict[str, Any] = {"positive_prompt": prompt}
    if negative_prompt is not None:
        _check_negative(inputs)
        values["negative_prompt"] = negative_prompt
    values |= size_values(inputs, parse_size(size))
    if image and not mask:
        values["denoising_start"] = _start_of(strength)
    if board is not None:
        values["board"] = board
    return values


def check_prompt(prompt: Any) -> None:
    """Check that a prompt is a text.

    Raises:
        UsageError: It is not a text, or it is empty.
    """
    if not isinstance(prompt, str) or not prompt.strip():
        raise UsageError(f"Invalid prompt {shown(prompt)}: expected a text that is not empty.")


def parse_size(size: Any) -> tuple[int, int] | None:
    """Return a width and a height, or None for the size of the image or the model.

    Raises:
        UsageError: The size is not valid.
    """
    if size is None or (isinstance(size, str) and size.strip().casefold() == "auto"):
        return None
    sides: Sequence[Any] = ()
    if isinstance(size, str):
        found = _SIZE.fullmatch(size)
        sides = found.groups() if found else ()
        sides = [int(side) for side in sides]
    elif isinstance(size, list | tuple):
        sides = cast("Sequence[Any]", size)
    pixels = [number for number in map(as_integer, sides) if number is not None]
    if len(pixels) != 2 or len(sides) != 2:
        raise UsageError(
            f"Invalid size {shown(size)}: expected WIDTHxHEIGHT in pixels, such as 1024x768, or 'auto'."
        )
    if min(pixels) < _LEAST_SIDE:
        raise UsageError(
            f"Invalid size {shown(size)}: expected at least {_LEAST_SIDE} pixels in each direction."
        )
    return pixels[0], pixels[1]


def size_values(inputs: InputSet, size: tuple[int, int] | None) -> dict[str, int]:
    """Return the values for a size, rounded to what the model supports."""
    return (
        {}
        if size is None
        else {
            side: _rounded(inputs, side, pixels)
            for side, pixels in zip(("width", "height"), size, strict=True)
        }
    )


def first_seed(seed: Any, count: Any) -> int:
    """Return the first seed of some images. None and ``"random"`` draw a seed.

    Raises:
        UsageError: The count or the seed is not valid.
    """
    number = as_integer(count)
    if number is None or number < 1:
        raise UsageError(f"Invalid n {shown(count)}: expected a whole number of at least 1.")
    largest = LARGEST_SEED - number + 1
    if seed is None or is_random(seed):
        return min(draw_seed(), largest)
    first = as_integer(seed)
    if first is None or not 0 <= first <= largest:
        raise UsageError(
            f"Invalid seed {shown(seed)}: expected a whole number from 0 to {largest}, or 'random'."
        )
    return first


def check_mask(*, image: bool, mask: bool) -> None:
    """Check that there is an image if there is a mask.

    Raises:
        UsageError: There is a mask but no image.
    """
    if mask and not image:
        raise UsageError(
            "A mask needs an image. Pass the image that the mask belongs to, or leave out the mask."
        )


def _rounded(inputs: InputSet, side: str, pixels: int) -> int:
    step = int(inputs.find(side).field.limits.multiple_of or 1)
    least = -(-_LEAST_SIDE // step) * step
    return max(least, round(pixels / step) * step)


def _start_of(strength: Any) -> float:
    share = as_number(strength)
    if share is None or not 0 < share <= 1:
        raise UsageError(
            f"Invalid strength {shown(strength)}: expected a number greater than 0, up to 1 for a new image."
        )
    return round(1 - share, 6)


def _check_negative(inputs: InputSet) -> None:
    try:
        inputs.find("negative_prompt")
    except UnknownInputError:
        raise UsageError("This model takes no negative prompt. Leave it out.") from None


def joined_values(inputs: InputSet, values: Mapping[str, Any], more: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return values together with others, which replace those of the same inputs.

    Raises:
        UnknownInputError: The workflow has no input of one of the names.
    """
    replaced = {inputs.find_settable(name).key for name in more}
    kept = {name: value for name, value in values.items() if inputs.find_settable(name).key not in replaced}
    return {**kept, **more}
