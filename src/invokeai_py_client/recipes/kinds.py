"""The node types of each model architecture. Everything else about them comes from the server's schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Kind:
    """A model architecture that images can be made with.

    Attributes:
        base: The base of its models.
        loader: The node type that loads a model.
        encoder: The node type that encodes a prompt.
        denoise: The node type that denoises latents.
        decode: The node type that turns latents into an image.
        encode: The node type that turns an image into latents, or None if the server has no such type.
        mode: The prefix of ``generation_mode`` in metadata.
        variants: The variants of its models. Empty for all.
        size: The width and height of images, if the model's record has no default.
        inputs: Default values by input, if the model's record has no default.
        constants: Values of other fields, by node type or node id.
        renamed: Inputs that get an output of another name.
        has_parts: Whether a model in the diffusers format contains its encoders and VAE.
        fits: The variants of models for its encoders, by the variant of the main model ("" for all).
        vae_bases: The bases of VAEs that fit. Empty for all that the loader accepts.
    """

    base: str
    loader: str
    encoder: str
    denoise: str
    decode: str
    encode: str | None
    mode: str = ""
    variants: tuple[str, ...] = ()
    size: int = 1024
    inputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    constants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    renamed: Mapping[str, str] = field(default_factory=dict[str, str])
    has_parts: bool = True
    fits: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    vae_bases: tuple[str, ...] = ()


_SD: Final = {"steps": 30, "cfg_scale": 7.5, "scheduler": "dpmpp_3m_k"}
# The VAE of SDXL computes black images in half precision.
_SD_CONSTANTS: Final = {
    "noise": {"use_cpu": True},
    "l2i": {"fp32": True},
    "i2l": {"fp32": True},
    "metadata": {"rand_device": "cpu"},
}
_QWEN3_4B: Final = ("qwen3_4b",)
_QWEN3_8B: Final = ("qwen3_8b",)


def _named(base: str, prefix: str, **known: Any) -> Kind:
    """Return the kind of an architecture whose node types have one prefix."""
    nodes: dict[str, Any] = {
        "decode": f"{prefix}_l2i",
        "encode": f"{prefix}_i2l",
        "mode": f"{prefix}_",
        **known,
    }
    return Kind(base, f"{prefix}_model_loader", f"{prefix}_text_encoder", f"{prefix}_denoise", **nodes)


def _stable_diffusion(base: str, size: int) -> Kind:
    return Kind(
        base,
        "main_model_loader",
        "compel",
        "denoise_latents",
        "l2i",
        "i2l",
        size=size,
        inputs=_SD,
        constants=_SD_CONSTANTS,
    )


def _flux(variants: tuple[str, ...], inputs: Mapping[str, Any]) -> Kind:
    return _named(
        "flux",
        "flux",
        decode="flux_vae_decode",
        encode="flux_vae_encode",
        variants=variants,
        inputs=inputs,
        renamed={"t5_max_seq_len": "max_seq_len"},
        has_parts=False,
        fits={"": ("large",)},
    )


_FLUX2: Final[dict[str, Any]] = {
    "denoise": "flux2_denoise",
    "decode": "flux2_vae_decode",
    "encode": "flux2_vae_encode",
    "mode": "flux2_",
    "vae_bases": ("flux2",),
}

KINDS: Final = (
    _stable_diffusion("sd-1", 512),
    _stable_diffusion("sd-2", 768),
    Kind(
        "sdxl",
        "sdxl_model_loader",
        "sdxl_compel_prompt",
        "denoise_latents",
        "l2i",
        "i2l",
        "sdxl_",
        inputs=_SD,
        constants=_SD_CONSTANTS,
    ),
    _named("sd-3", "sd3", inputs={"steps": 28}),
    _flux(("schnell",), {}),
    _flux((), {"steps": 28, "guidance": 3.5}),
    Kind(
        "flux2",
        "flux2_dev_model_loader",
        "flux2_dev_text_encoder",
        **_FLUX2,
        variants=("dev",),
        inputs={"steps": 28, "guidance": 3.5},
    ),
    Kind(
        "flux2",
        "flux2_klein_model_loader",
        "flux2_klein_text_encoder",
        **_FLUX2,
        fits={
            "klein_4b": _QWEN3_4B,
            "klein_4b_base": _QWEN3_4B,
            "klein_9b": _QWEN3_8B,
            "klein_9b_base": _QWEN3_8B,
        },
    ),
    _named("cogview4", "cogview4"),
    _named("z-image", "z_image", fits={"": _QWEN3_4B}),
    _named("qwen-image", "qwen_image"),
    _named("krea-2", "krea2", decode="qwen_image_l2i", encode="qwen_image_i2l"),
    _named("anima", "anima", fits={"": ("qwen3_06b",)}, vae_bases=("anima", "qwen-image", "wan")),
    _named("wan", "wan"),
    _named("ernie-image", "ernie_image", decode="ernie_image_vae_decode", encode=None),
    _named("ideogram-4", "ideogram4", encode=None),
)


def kind_of(record: Mapping[str, Any]) -> Kind | None:
    """Return the kind of a model, or None if its architecture has no recipe."""
    base, variant = record.get("base"), record.get("variant")
    return next(
        (kind for kind in KINDS if kind.base == base and (not kind.variants or variant in kind.variants)),
        None,
    )
