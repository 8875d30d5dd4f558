"""Names that the editor of InvokeAI 6.14.2 knows, where what it does depends on them."""

from __future__ import annotations

MODEL_BASES = frozenset(
    {"any", "sd-1", "sd-2", "sd-3", "sdxl", "sdxl-refiner", "flux", "flux2", "cogview4", "qwen-image"}
    | {"z-image", "ernie-image", "krea-2", "ideogram-4", "external", "anima", "wan", "unknown"}
)
MODEL_TYPES = frozenset(
    {"main", "vae", "lora", "llava_onevision", "text_llm", "control_lora", "controlnet", "t2i_adapter"}
    | {"ip_adapter", "embedding", "onnx", "clip_vision", "spandrel_image_to_image", "t5_encoder"}
    | {"qwen3_encoder", "qwen_vl_encoder", "mistral_encoder", "qwen3_vl_encoder", "wan_t5_encoder"}
    | {"gemma2_encoder", "clip_embed", "siglip", "flux_redux", "prompt_enhancer", "unknown"}
    | {"external_image_generator", "pid_decoder"}
)
SUBMODEL_TYPES = frozenset(
    {"unet", "transformer", "transformer_2", "text_encoder", "text_encoder_2", "text_encoder_3", "vae"}
    | {"tokenizer", "tokenizer_2", "tokenizer_3", "pe", "pe_tokenizer", "vae_decoder", "vae_encoder"}
    | {"scheduler", "safety_checker"}
)
EXTRA_INPUTS = frozenset({"core_metadata"})
"""Node types that take inputs beyond their template's (the server's class allows extra fields)."""
