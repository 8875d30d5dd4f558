"""Three realistic workflows: with metadata, prompts that feed several nodes, and two models."""

from __future__ import annotations

from typing import Any

from workflows import workflow


def sdxl_text_to_image() -> dict[str, Any]:
    """Return a text-to-image workflow for SDXL with collected conditioning, a random seed and metadata."""
    return workflow(
        "SDXL with metadata",
        {
            "model": ("sdxl_model_loader", {}),
            "wanted": ("string", {"value": "a lighthouse"}),
            "unwanted": ("string", {"value": "fog"}),
            "positive": ("sdxl_compel_prompt", {}),
            "negative": ("sdxl_compel_prompt", {}),
            "all positive": ("collect", {}),
            "all negative": ("collect", {}),
            "seed": ("rand_int", {"low": 0, "high": 2147483647}),
            "noise": ("noise", {"width": 96, "height": 64, "use_cpu": True}),
            "denoise": ("denoise_latents", {"steps": 3, "cfg_scale": 5, "scheduler": "euler"}),
            "metadata": ("core_metadata", {"generation_mode": "sdxl_txt2img", "rand_device": "cpu"}),
            "decode": ("l2i", {"board": "auto", "fp32": True}),
        },
        [
            *(
                f"model.{clip} -> {sign}.{clip}"
                for clip in ("clip", "clip2")
                for sign in ("positive", "negative")
            ),
            *(f"wanted.value -> positive.{field}" for field in ("prompt", "style")),
            *(f"unwanted.value -> negative.{field}" for field in ("prompt", "style")),
            *(f"{sign}.conditioning -> all {sign}.item" for sign in ("positive", "negative")),
            *(f"all {sign}.collection -> denoise.{sign}_conditioning" for sign in ("positive", "negative")),
            "seed.value -> noise.seed",
            "seed.value -> metadata.seed",
            "noise.noise -> denoise.noise",
            "noise.width -> metadata.width",
            "noise.height -> metadata.height",
            "wanted.value -> metadata.positive_prompt",
            "unwanted.value -> metadata.negative_prompt",
            "model.unet -> denoise.unet",
            "denoise.latents -> decode.latents",
            "model.vae -> decode.vae",
            "metadata.metadata -> decode.metadata",
        ],
        [
            ("model", "model"),
            ("wanted", "value"),
            ("unwanted", "value"),
            ("noise", "width"),
            ("noise", "height"),
            ("denoise", "steps"),
            ("denoise", "cfg_scale"),
            ("denoise", "scheduler"),
            ("decode", "board"),
        ],
        labels={("wanted", "value"): "Positive Prompt", ("unwanted", "value"): "Negative Prompt"},
        final=["decode"],
    )


_FLUX_NODES: dict[str, tuple[str, dict[str, Any]]] = {
    "flux": ("flux_model_loader", {}),
    "flux seed": ("rand_int", {"low": 0, "high": 2147483647}),
    "flux positive": ("flux_text_encoder", {"prompt": "a lighthouse at dusk"}),
    "flux negative": ("flux_text_encoder", {"prompt": "fog"}),
    "recall": ("metadata_from_image", {}),
    "encode": ("flux_vae_encode", {}),
    "refine": (
        "flux_denoise_meta",
        {"num_steps": 3, "denoising_start": 0.4, "denoising_end": 1, "cfg_scale": 1, "guidance": 4},
    ),
    "flux decode": ("flux_vae_decode", {"board": "none"}),
}
_FLUX_EDGES = [
    *(
        f"flux.{source} -> flux {sign}.{target}"
        for source, target in (
            ("clip", "clip"),
            ("t5_encoder", "t5_encoder"),
            ("max_seq_len", "t5_max_seq_len"),
        )
        for sign in ("positive", "negative")
    ),
    *(f"flux {sign}.conditioning -> refine.{sign}_text_conditioning" for sign in ("positive", "negative")),
    "flux.transformer -> refine.transformer",
    "flux.vae -> encode.vae",
    "flux.vae -> flux decode.vae",
    "flux seed.value -> refine.seed",
    "recall.metadata -> refine.metadata",
    "encode.latents -> refine.latents",
    "encode.width -> refine.width",
    "encode.height -> refine.height",
    "refine.latents -> flux decode.latents",
    "refine.metadata -> flux decode.metadata",
]
_FLUX_MODELS = [
    ("flux", "model"),
    ("flux", "t5_encoder_model"),
    ("flux", "clip_embed_model"),
    ("flux", "vae_model"),
]


def flux_image_to_image() -> dict[str, Any]:
    """Return an image-to-image workflow for FLUX that keeps the source's size and metadata."""
    return workflow(
        "FLUX from a picture",
        {"picture": ("image", {}), **_FLUX_NODES},
        [*_FLUX_EDGES, "picture.image -> encode.image", "picture.image -> recall.image"],
        [
            ("picture", "image"),
            *_FLUX_MODELS,
            ("flux positive", "prompt"),
            ("flux negative", "prompt"),
            ("refine", "num_steps"),
            ("refine", "denoising_start"),
            ("flux decode", "board"),
        ],
        labels={
            ("flux positive", "prompt"): "Positive Prompt",
            ("flux negative", "prompt"): "Negative Prompt",
        },
        final=["flux decode"],
    )


def sdxl_flux_refine() -> dict[str, Any]:
    """Return a workflow that refines an SDXL image with FLUX: two saved images, rounded sizes, extended prompts.

    Real workflows of this kind use a FLUX control model in between. No tiny control model exists, so this one omits it.
    """
    return workflow(
        "SDXL refined by FLUX",
        {
            "wanted": ("string", {"value": "a lighthouse"}),
            "unwanted": ("string", {"value": "fog"}),
            "width": ("integer", {"value": 100}),
            "height": ("integer", {"value": 60}),
            "round width": ("float_to_int", {"multiple": 16, "method": "Nearest"}),
            "round height": ("float_to_int", {"multiple": 16, "method": "Nearest"}),
            "sdxl": ("sdxl_model_loader", {}),
            "positive": ("sdxl_compel_prompt", {}),
            "negative": ("sdxl_compel_prompt", {}),
            "seed": ("rand_int", {"low": 0, "high": 2147483647}),
            "noise": ("noise", {"use_cpu": True}),
            "draw": ("denoise_latents_meta", {"steps": 3, "cfg_scale": 5, "scheduler": "euler_a"}),
            "decode": ("l2i", {"board": "none", "fp32": True}),
            "keep draft": ("save_image", {"board": "auto"}),
            "longer": ("string_join_three", {"string_middle": ", ", "string_right": "sharp"}),
            "longer not": ("string_join_three", {"string_middle": ", ", "string_right": "blurred"}),
            "how much": ("float_math", {"operation": "SUB", "a": 1, "b": 0.6}),
            **_FLUX_NODES,
            "keep": ("save_image", {"board": "auto"}),
        },
        [
            "width.value -> round width.value",
            "height.value -> round height.value",
            "round width.value -> noise.width",
            "round height.value -> noise.height",
            "seed.value -> noise.seed",
            *(
                f"sdxl.{clip} -> {sign}.{clip}"
                for clip in ("clip", "clip2")
                for sign in ("positive", "negative")
            ),
            *(f"wanted.value -> positive.{field}" for field in ("prompt", "style")),
            *(f"unwanted.value -> negative.{field}" for field in ("prompt", "style")),
            *(f"{sign}.conditioning -> draw.{sign}_conditioning" for sign in ("positive", "negative")),
            "sdxl.unet -> draw.unet",
            "noise.noise -> draw.noise",
            "draw.latents -> decode.latents",
            "draw.metadata -> decode.metadata",
            "sdxl.vae -> decode.vae",
            "decode.image -> keep draft.image",
            "draw.metadata -> keep draft.metadata",
            "decode.image -> recall.image",
            "decode.image -> encode.image",
            *_FLUX_EDGES,
            "wanted.value -> longer.string_left",
            "longer.value -> flux positive.prompt",
            "unwanted.value -> longer not.string_left",
            "longer not.value -> flux negative.prompt",
            "how much.value -> refine.denoising_start",
            "flux decode.image -> keep.image",
            "refine.metadata -> keep.metadata",
        ],
        [
            ("wanted", "value"),
            ("unwanted", "value"),
            ("width", "value"),
            ("height", "value"),
            ("sdxl", "model"),
            ("keep draft", "board"),
            ("draw", "scheduler"),
            ("draw", "steps"),
            *_FLUX_MODELS,
            ("how much", "b"),
            ("keep", "board"),
        ],
        labels={
            ("wanted", "value"): "Positive Prompt",
            ("unwanted", "value"): "Negative Prompt",
            ("width", "value"): "Output Width",
            ("height", "value"): "Output Height",
            ("how much", "b"): "Noise Ratio",
        },
        final=["keep draft", "keep"],
    )
