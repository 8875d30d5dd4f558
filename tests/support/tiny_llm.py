"""Tiny language models that the server can load: one for texts, and one that describes images.

They have random weights and a token for each printable ASCII character, so they write nonsense, as long as requested.
They are made without any library: the tests' environment has neither torch nor transformers.
"""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

TEXT_MODEL = "tiny-text-llm"
VISION_MODEL = "tiny-vision-llm"

_WIDTH, _INNER, _PATCH, _SIDE = 16, 32, 14, 28
_LETTERS = [chr(code) for code in range(32, 127)]
_END, _IMAGE, _VIDEO = "<|end|>", "<image>", "<video>"
_TOKENS = [*("Ġ" if letter == " " else letter for letter in _LETTERS), _END, _IMAGE, _VIDEO]
_SPECIAL = {token: _TOKENS.index(token) for token in (_END, _IMAGE, _VIDEO)}
_TEXT_CONFIG = {
    "model_type": "llama",
    "vocab_size": len(_TOKENS),
    "hidden_size": _WIDTH,
    "intermediate_size": _INNER,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": 8192,
    "bos_token_id": None,
    "eos_token_id": _SPECIAL[_END],
    "pad_token_id": _SPECIAL[_END],
    "tie_word_embeddings": False,
    "dtype": "float32",
}
_VISION_CONFIG = {
    "model_type": "siglip_vision_model",
    "hidden_size": _WIDTH,
    "intermediate_size": _INNER,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": _SIDE,
    "patch_size": _PATCH,
    "vision_use_head": False,
}
_PINPOINTS = [[_SIDE, _SIDE]]
_CHAT = (
    "{% for message in messages %}{{ message['role'] }}: {% if message['content'] is string %}"
    "{{ message['content'] }}{% else %}{% for part in message['content'] %}{% if part['type'] == 'image' %}"
    f"{_IMAGE}"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %} {% endfor %}assistant: "
)


def make_text_model(folder: Path) -> Path:
    """Write a causal language model, which the server identifies as ``text_llm``."""
    target = folder / TEXT_MODEL
    config = {"architectures": ["LlamaForCausalLM"], **_TEXT_CONFIG}
    _write(target, config, _text_tensors("model."))
    return target


def make_vision_model(folder: Path) -> Path:
    """Write a model that describes images, which the server identifies as ``llava_onevision``."""
    target = folder / VISION_MODEL
    config = {
        "architectures": ["LlavaOnevisionForConditionalGeneration"],
        "model_type": "llava_onevision",
        "image_token_index": _SPECIAL[_IMAGE],
        "video_token_index": _SPECIAL[_VIDEO],
        "image_grid_pinpoints": _PINPOINTS,
        "vision_aspect_ratio": "anyres_max_9",
        "vision_feature_layer": -1,
        "vision_feature_select_strategy": "full",
        "tie_word_embeddings": False,
        "text_config": _TEXT_CONFIG,
        "vision_config": _VISION_CONFIG,
        "dtype": "float32",
    }
    _write(target, config, _text_tensors("model.language_model.") | _vision_tensors())
    size = {"height": _SIDE, "width": _SIDE}
    picture = {
        "do_resize": True,
        "size": size,
        "do_rescale": True,
        "do_normalize": True,
        "do_convert_rgb": True,
    }
    _json(
        target / "preprocessor_config.json",
        {
            "image_processor_type": "LlavaOnevisionImageProcessor",
            "processor_class": "LlavaOnevisionProcessor",
            "image_grid_pinpoints": _PINPOINTS,
            "image_mean": [0.5] * 3,
            "image_std": [0.5] * 3,
            **picture,
        },
    )
    _json(
        target / "video_preprocessor_config.json",
        {
            "video_processor_type": "LlavaOnevisionVideoProcessor",
            "processor_class": "LlavaOnevisionProcessor",
            **picture,
        },
    )
    _json(
        target / "processor_config.json",
        {
            "processor_class": "LlavaOnevisionProcessor",
            "num_image_tokens": (_SIDE // _PATCH) ** 2,
            "vision_feature_select_strategy": "full",
            "vision_aspect_ratio": "anyres_max_9",
            "image_token": _IMAGE,
            "video_token": _VIDEO,
        },
    )
    (target / "chat_template.jinja").write_text(_CHAT, encoding="utf-8")
    return target


def _text_tensors(prefix: str) -> dict[str, tuple[int, ...]]:
    layer = f"{prefix}layers.0."
    attention = {f"{layer}self_attn.{part}_proj.weight": (_WIDTH, _WIDTH) for part in "qkvo"}
    norms = ("layers.0.input_layernorm", "layers.0.post_attention_layernorm", "norm")
    return {
        f"{prefix}embed_tokens.weight": (len(_TOKENS), _WIDTH),
        **attention,
        f"{layer}mlp.gate_proj.weight": (_INNER, _WIDTH),
        f"{layer}mlp.up_proj.weight": (_INNER, _WIDTH),
        f"{layer}mlp.down_proj.weight": (_WIDTH, _INNER),
        **{f"{prefix}{norm}.weight": (_WIDTH,) for norm in norms},
        "lm_head.weight": (len(_TOKENS), _WIDTH),
    }


def _vision_tensors() -> dict[str, tuple[int, ...]]:
    tower = "model.vision_tower.vision_model."
    layer = f"{tower}encoder.layers.0."
    squares = [f"{layer}self_attn.{part}_proj" for part in ("q", "k", "v", "out")]
    squares += [f"model.multi_modal_projector.linear_{number}" for number in (1, 2)]
    norms = [f"{layer}layer_norm1", f"{layer}layer_norm2", f"{tower}post_layernorm"]
    sizes: dict[str, tuple[int, ...]] = {
        "model.image_newline": (_WIDTH,),
        f"{tower}embeddings.position_embedding.weight": ((_SIDE // _PATCH) ** 2, _WIDTH),
    }
    weights = {f"{tower}embeddings.patch_embedding": (_WIDTH, 3, _PATCH, _PATCH)}
    weights |= dict.fromkeys(squares, (_WIDTH, _WIDTH)) | dict.fromkeys(norms, (_WIDTH,))
    weights |= {f"{layer}mlp.fc1": (_INNER, _WIDTH), f"{layer}mlp.fc2": (_WIDTH, _INNER)}
    for name, shape in weights.items():
        sizes |= {f"{name}.weight": shape, f"{name}.bias": (shape[0],)}
    return sizes


def _write(folder: Path, config: Mapping[str, Any], tensors: Mapping[str, tuple[int, ...]]) -> None:
    folder.mkdir(parents=True)
    _json(folder / "config.json", config)
    _json(folder / "generation_config.json", {"eos_token_id": _SPECIAL[_END], "pad_token_id": _SPECIAL[_END]})
    added = [
        {"id": number, "content": token, "special": True, "normalized": False}
        | dict.fromkeys(("single_word", "lstrip", "rstrip"), False)
        for token, number in _SPECIAL.items()
    ]
    bytes_as_letters = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": False,
    }
    _json(
        folder / "tokenizer.json",
        {
            "version": "1.0",
            "added_tokens": added,
            "pre_tokenizer": bytes_as_letters,
            "decoder": bytes_as_letters,
            "model": {"type": "BPE", "vocab": {token: n for n, token in enumerate(_TOKENS)}, "merges": []},
        },
    )
    _json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "eos_token": _END,
            "pad_token": _END,
            "image_token": _IMAGE,
            "video_token": _VIDEO,
            "model_max_length": 8192,
        },
    )
    rng = random.Random(0)
    header: dict[str, Any] = {}
    data = bytearray()
    for name, shape in tensors.items():
        start = len(data)
        if "norm" in name:
            values = [0.0 if name.endswith("bias") else 1.0] * prod(shape)
        else:
            values = [rng.gauss(0, 0.3) for _ in range(prod(shape))]
        if name == "lm_head.weight":  # the model ends at the requested length only
            values[_SPECIAL[_END] * _WIDTH :] = [0.0] * (len(values) - _SPECIAL[_END] * _WIDTH)
        data += struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [start, len(data)]}
    header["__metadata__"] = {"format": "pt"}
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + bytes(data))


def _json(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data), encoding="utf-8")
