"""Seeds, scales and files shared by all tiny models."""

# pyright: basic, reportMissingImports=false

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

SEED = 6142


class Unsupported(Exception):
    """This version of InvokeAI does not support the model."""


def seed(part: str) -> None:
    """Make the weights of a part depend on its name only, not on what was made before it."""
    torch.manual_seed(SEED ^ zlib.crc32(part.encode()))


@torch.no_grad()
def scale_output(layer: Any, run: Callable[[], torch.Tensor], spread: float, bias: float = 0.0) -> None:
    """Scale a network's last layer so that its output has the given standard deviation.

    Otherwise the output of random weights vanishes or explodes over the denoising steps.
    """
    layer.weight.mul_(spread / run().std().clamp(min=1e-9))
    if layer.bias is not None:
        layer.bias.fill_(bias)


def write_json(path: Path, data: Any) -> None:
    """Write JSON data, creating its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")


def write_tensors(path: Path, tensors: dict[str, torch.Tensor], **metadata: str) -> None:
    """Write a safetensors file."""
    from safetensors.torch import save_file

    save_file(
        {name: tensor.contiguous() for name, tensor in tensors.items()}, path, metadata=metadata or None
    )


class Pipeline:
    """Writes a model folder in the layout of diffusers, part by part."""

    def __init__(self, folder: Path, name: str, **extra: Any) -> None:
        import diffusers

        self.folder = folder
        self._index: dict[str, Any] = {
            "_class_name": name,
            "_diffusers_version": diffusers.__version__,
            **extra,
        }

    def add(self, part: str, thing: Any, dtype: torch.dtype | None = None) -> None:
        """Save a model, tokenizer or scheduler as a part."""
        if dtype is not None:
            thing = thing.to(dtype)
        thing.save_pretrained(self.folder / part)
        self.note(part, type(thing).__module__.partition(".")[0], type(thing).__name__)

    def note(self, part: str, library: str | None, kind: str | None) -> None:
        """Add a part to the index that is saved elsewhere or omitted on purpose."""
        self._index[part] = [library, kind]

    def close(self) -> None:
        """Write the index of the parts."""
        write_json(self.folder / "model_index.json", self._index)
