"""Tokenizers without merges (one token per letter) and text encoders with one layer."""

# pyright: basic, reportMissingImports=false

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from .common import Pipeline, Unsupported, seed, write_json

START, END = "<|startoftext|>", "<|endoftext|>"


def letters() -> list[str]:
    """Return the 256 characters that byte-level tokenizers use for bytes."""
    from tokenizers.pre_tokenizers import ByteLevel

    return sorted(ByteLevel.alphabet())


def clip_vocabulary() -> dict[str, int]:
    """Return CLIP's vocabulary without merged tokens: each byte inside and at the end of a word."""
    plain = letters()
    return {token: i for i, token in enumerate([*plain, *(c + "</w>" for c in plain), START, END])}


def save_clip_tokenizer(folder: Path, pad: str = END) -> None:
    """Write the files of a CLIP tokenizer in a layout that all versions of transformers can read."""
    names = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": pad}
    write_json(folder / "vocab.json", clip_vocabulary())
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    write_json(folder / "special_tokens_map.json", names)
    write_json(
        folder / "tokenizer_config.json",
        {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "do_lower_case": True, **names},
    )


def clip_encoder(part: str, width: int, *, projection: bool = False) -> Any:
    """Return a CLIP text encoder of one layer.

    The width is determined by the models that use it: 768 for CLIP-L, 1280 for SDXL's larger encoder. The projection
    must have the same width, because sdxl_compel_prompt derives the pooled zeros of an empty prompt from it.
    """
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    vocabulary = clip_vocabulary()
    seed(part)
    kind = CLIPTextModelWithProjection if projection else CLIPTextModel
    model = kind(
        CLIPTextConfig(
            vocab_size=len(vocabulary),
            hidden_size=width,
            intermediate_size=64,
            projection_dim=width,
            num_hidden_layers=1,
            num_attention_heads=width // 64,
            max_position_embeddings=77,
            bos_token_id=vocabulary[START],
            eos_token_id=vocabulary[END],
            pad_token_id=vocabulary[END],
        )
    )
    with torch.no_grad():  # with the initial weights, all prompts would look nearly the same
        embedding = next(m for n, m in model.named_modules() if n.endswith("token_embedding"))
        embedding.weight.mul_(30)
    return model.eval()


def add_clip(
    pipeline: Pipeline, suffix: str, part: str, width: int, *, projection: bool = False, pad: str = END
) -> None:
    """Add a CLIP encoder and its tokenizer to a model."""
    encoder = clip_encoder(part, width, projection=projection)
    pipeline.add(f"text_encoder{suffix}", encoder, torch.float16)
    save_clip_tokenizer(pipeline.folder / f"tokenizer{suffix}", pad)
    pipeline.note(f"tokenizer{suffix}", "transformers", "CLIPTokenizer")


def t5_tokenizer() -> Any:
    """Return a T5 tokenizer whose pieces are the printable ASCII characters."""
    import transformers

    if int(transformers.__version__.partition(".")[0]) < 5:
        raise Unsupported("T5 tokenizers need a trained sentencepiece file before transformers 5")
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\u2581", -2.0)]
    pieces += [(chr(code), -3.0) for code in range(33, 127)]
    return transformers.T5Tokenizer(vocab=pieces, extra_ids=0)


def t5_encoder(part: str, size: int, width: int, heads: int) -> Any:
    """Return a T5 encoder of one layer."""
    from transformers import T5Config, T5EncoderModel

    seed(part)
    return T5EncoderModel(
        T5Config(
            vocab_size=size,
            d_model=width,
            d_kv=16,
            d_ff=32,
            num_layers=1,
            num_heads=heads,
            feed_forward_proj="gated-gelu",
        )
    ).eval()


def glm_tokenizer() -> Any:
    """Return a tokenizer as GLM has it: bytes, after a prefix that makes an empty prompt two tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    prefix = ["[gMASK]", "<sop>"]
    vocabulary = {token: i for i, token in enumerate([*letters(), END, *prefix])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token=END))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=" ".join([*prefix, "$A"]), special_tokens=[(token, vocabulary[token]) for token in prefix]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=END, eos_token=END, model_max_length=1024
    )


def glm_encoder(part: str, size: int, width: int) -> Any:
    """Return a GLM of two layers (CogView4 reads the second last hidden state)."""
    from transformers import GlmConfig, GlmModel

    seed(part)
    return GlmModel(
        GlmConfig(
            vocab_size=size,
            hidden_size=width,
            intermediate_size=2 * width,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=width // 2,
            max_position_embeddings=2048,
            pad_token_id=256,
            eos_token_id=256,
            initializer_range=1.0,
        )
    ).eval()
