"""Models for the recipes of all architectures, and the graphs of all recipes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from invokeai_py_client.engine.inputs import InputSet
from invokeai_py_client.engine.request import build_request
from invokeai_py_client.engine.workflow import LoadedWorkflow
from invokeai_py_client.recipes.kinds import KINDS, Kind
from invokeai_py_client.recipes.wiring import build_recipe
from invokeai_py_client.schema.template import Schema

MODES: dict[str, dict[str, bool]] = {
    "text": {},
    "image": {"image": True},
    "mask": {"image": True, "mask": True},
}


def model(name: str, base: str, kind: str = "main", **more: Any) -> dict[str, Any]:
    """Return the record of a model."""
    return {
        "key": f"{base}/{kind}/{name}",
        "hash": f"hash of {name}",
        "name": name,
        "base": base,
        "type": kind,
        **more,
    }


PARTS = [
    *(
        model(f"VAE of {base}", base, "vae")
        for base in ("flux", "flux2", "qwen-image", "sd-3", "sdxl", "wan")
    ),
    *(
        model(kind, "any", kind)
        for kind in ("t5_encoder", "wan_t5_encoder", "mistral_encoder", "qwen_vl_encoder", "qwen3_vl_encoder")
    ),
    *(
        model(f"Qwen3 {size}", "any", "qwen3_encoder", variant=f"qwen3_{size}")
        for size in ("06b", "4b", "8b")
    ),
    model("A large CLIP", "any", "clip_embed", variant="large"),
    model("A gigantic CLIP", "any", "clip_embed", variant="gigantic"),
]
"""The components of all architectures."""


def main_model(kind: Kind, **more: Any) -> dict[str, Any]:
    """Return a main model of a kind, which has no components of its own."""
    variant = kind.variants[0] if kind.variants else "normal"
    return model("Main", kind.base, **{"format": "checkpoint", "variant": variant, **more})


@dataclass(frozen=True)
class Case:
    """A recipe."""

    kind: Kind
    mode: str

    @property
    def id(self) -> str:
        """The name of the test."""
        return " ".join((self.kind.base, *self.kind.variants, self.mode))

    def load(self, schema: Schema, **more: Any) -> LoadedWorkflow:
        """Return the workflow, loaded for a server."""
        main = main_model(self.kind, **more)
        return build_recipe(self.kind, main, [main, *PARTS], schema, **MODES[self.mode]).load(schema)


CASES = [Case(kind, mode) for kind in KINDS for mode in MODES if kind.encode or mode == "text"]


def graphs(schema: Schema) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the graph of each recipe that the server has nodes for, once with a seed and once without."""
    for case in CASES:
        loaded = case.load(schema)
        for seed in ({}, {"seed": 7}):
            inputs = InputSet(loaded, schema)
            pictures = {name: f"{name}.png" for name in ("image", "mask") if MODES[case.mode].get(name)}
            inputs.set({"positive_prompt": "a lighthouse", **pictures, **seed})
            detached, values = inputs.apply_seeds(inputs.values())
            body = build_request(detached, schema, values)
            yield f"{case.id} {'with' if seed else 'without'} a seed", body["batch"]["graph"]
