"""The tiny models, one function per model."""

# pyright: basic, reportMissingImports=false

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from .common import Pipeline, scale_output, seed, write_json, write_tensors
from .pictures import DIFFUSION, SDXL_SCALING, autoencoder, unet
from .text import (
    add_clip,
    clip_encoder,
    glm_encoder,
    glm_tokenizer,
    save_clip_tokenizer,
    t5_encoder,
    t5_tokenizer,
)


@dataclass(frozen=True)
class Recipe:
    """A model: its file, the base and type that InvokeAI detects, and the function that makes it."""

    file: str
    base: str
    type: str
    make: Callable[[Path], None]

    @property
    def name(self) -> str:
        """The model's name in InvokeAI."""
        return self.file.removesuffix(".safetensors")


RECIPES: list[Recipe] = []


def recipe(file: str, base: str, type: str) -> Callable[[Callable[[Path], None]], Callable[[Path], None]]:
    """Register a function as a recipe."""

    def add(make: Callable[[Path], None]) -> Callable[[Path], None]:
        RECIPES.append(Recipe(file, base, type, make))
        return make

    return add


# ----------------------------------------------------------------------------- SD-1 and its add-ons


def _sd1_unet() -> Any:
    return unet("sd1 unet", 768)


def _clip_l(projection: bool = False) -> Any:
    return clip_encoder("clip-l", 768, projection=projection)


@recipe("tiny-sd1", "sd-1", "main")
def sd1(folder: Path) -> None:
    """Stable Diffusion 1."""
    from diffusers import DDIMScheduler

    model = Pipeline(folder, "StableDiffusionPipeline")
    add_clip(model, "", "clip-l", 768)
    model.add("unet", _sd1_unet(), torch.float16)
    model.add("vae", autoencoder("sd1 vae"), torch.float16)
    model.add("scheduler", DDIMScheduler(**DIFFUSION, clip_sample=False, set_alpha_to_one=False))
    for unused in ("safety_checker", "feature_extractor"):
        model.note(unused, None, None)
    model.close()


@recipe("tiny-vae-sd1", "sd-1", "vae")
def vae_sd1(folder: Path) -> None:
    """A separate autoencoder for SD-1."""
    autoencoder("sd1 vae alone").half().save_pretrained(folder)


@recipe("tiny-lora-sd1.safetensors", "sd-1", "lora")
def lora_sd1(path: Path) -> None:
    """A LoRA in kohya's layout on the attention of both UNet and text encoder."""
    rank = 2
    parts = (("lora_unet", _sd1_unet()), ("lora_te", _clip_l()))
    seed("sd1 lora")
    tensors: dict[str, torch.Tensor] = {}
    for prefix, net in parts:
        for name, layer in net.named_modules():
            last = name.removesuffix(".0").rpartition(".")[2]
            if not isinstance(layer, torch.nn.Linear) or not (
                last.startswith("to_") or last.endswith("_proj")
            ):
                continue
            key = f"{prefix}_{name.replace('.', '_')}"
            tensors[f"{key}.lora_down.weight"] = torch.randn(rank, layer.in_features) / layer.in_features**0.5
            tensors[f"{key}.lora_up.weight"] = torch.randn(layer.out_features, rank) / 2
            tensors[f"{key}.alpha"] = torch.tensor(float(rank))
    halves = {key: tensor.half() for key, tensor in tensors.items()}
    write_tensors(path, halves, ss_network_dim=str(rank))


@recipe("tiny-controlnet-canny-sd1", "sd-1", "controlnet")
@torch.no_grad()
def controlnet_sd1(folder: Path) -> None:
    """A ControlNet."""
    from diffusers import ControlNetModel

    source = _sd1_unet()
    seed("sd1 controlnet")
    net = ControlNetModel.from_unet(source, conditioning_embedding_out_channels=(8, 8, 8, 8))
    for layer in [*net.controlnet_down_blocks, net.controlnet_mid_block]:
        torch.nn.init.normal_(
            layer.weight, std=0.2
        )  # untrained weights are zero, and the ControlNet would have no effect
    eye = net.controlnet_cond_embedding
    for layer in [eye.conv_in, *eye.blocks, eye.conv_out]:
        torch.nn.init.kaiming_normal_(layer.weight)
        layer.bias.zero_()  # larger biases would hide the image
    pictures = torch.rand(2, 3, 128, 128)
    scale_output(eye.conv_out, lambda: eye(pictures), 2.0)
    net.half().save_pretrained(folder)


@recipe("tiny-ti-sd1.safetensors", "sd-1", "embedding")
def embedding_sd1(path: Path) -> None:
    """A textual inversion of two vectors."""
    seed("sd1 embedding")
    write_tensors(path, {"emb_params": torch.randn(2, 768)})


# ----------------------------------------------------------------------------- SDXL


@recipe("tiny-sdxl", "sdxl", "main")
def sdxl(folder: Path) -> None:
    """Stable Diffusion XL."""
    from diffusers import EulerDiscreteScheduler

    model = Pipeline(folder, "StableDiffusionXLPipeline", force_zeros_for_empty_prompt=True)
    add_clip(model, "", "clip-l", 768)
    add_clip(model, "_2", "clip-g", 1280, projection=True, pad="!")
    model.add("unet", unet("sdxl unet", 768 + 1280, 1280), torch.float16)
    model.add("vae", autoencoder("sdxl vae", SDXL_SCALING), torch.float16)
    model.add("scheduler", EulerDiscreteScheduler(**DIFFUSION, timestep_spacing="leading"))
    model.close()


@recipe("tiny-vae-sdxl", "sdxl", "vae")
def vae_sdxl(folder: Path) -> None:
    """An autoencoder for SDXL, which InvokeAI recognizes by its scaling factor and name."""
    autoencoder("sdxl vae alone", SDXL_SCALING).half().save_pretrained(folder)


# ----------------------------------------------------------------------------- upscaling


@recipe("tiny-esrgan-x2.safetensors", "any", "spandrel_image_to_image")
@torch.no_grad()
def upscaler(path: Path) -> None:
    """A network that doubles the size of an image."""
    from spandrel.architectures.ESRGAN import ESRGAN

    seed("esrgan")
    net = ESRGAN(in_nc=3, out_nc=3, num_filters=8, num_blocks=1, scale=2).eval()
    picture = torch.rand(1, 3, 32, 32)
    layers = [layer for layer in net.modules() if isinstance(layer, torch.nn.Conv2d)]
    scale_output(layers[-1], lambda: net(picture), 0.25, bias=0.5)
    write_tensors(path, dict(net.state_dict()))


# ------------------------------------------------------- FLUX.1, with the node pack tiny_flux


def _tables() -> Any:
    """Return InvokeAI's FLUX sizes, reduced in the same way as by the node pack in the server.

    At full size, the transformer alone would need 48 GB of memory.
    """
    from .. import tiny_flux

    assert tiny_flux.util._flux_ae_params.ch == tiny_flux.AUTOENCODER["ch"]
    return tiny_flux.util


@recipe("tiny-flux-dev.safetensors", "flux", "main")
def flux(path: Path) -> None:
    """FLUX.1 dev."""
    from invokeai.backend.flux.model import Flux
    from invokeai.backend.model_manager.taxonomy import FluxVariantType

    params = _tables()._flux_transformer_params[FluxVariantType.Dev]
    seed("flux")
    net = Flux(params)
    write_tensors(path, {key: tensor.bfloat16() for key, tensor in net.state_dict().items()})


@recipe("tiny-flux-ae.safetensors", "flux", "vae")
@torch.no_grad()
def flux_vae(path: Path) -> None:
    """FLUX.1's autoencoder in its original layout, the only one that flux_vae_encode accepts."""
    from invokeai.backend.flux.modules.autoencoder import AutoEncoder

    params = _tables()._flux_ae_params
    seed("flux vae")
    net = AutoEncoder(params).eval()
    noise = torch.randn(1, 16, 16, 16)
    scale_output(net.decoder.conv_out, lambda: net.decode(noise), 0.4)
    write_tensors(path, dict(net.state_dict()))


@recipe("tiny-clip-l", "any", "clip_embed")
def clip_l(folder: Path) -> None:
    """A standalone CLIP-L."""
    _clip_l().to(torch.bfloat16).save_pretrained(folder / "text_encoder")
    save_clip_tokenizer(folder / "tokenizer")


@recipe("tiny-t5", "any", "t5_encoder")
def t5(folder: Path) -> None:
    """A standalone T5. InvokeAI recognizes it by its shard index, which transformers writes only for several shards."""
    tokenizer = t5_tokenizer()
    tokenizer.save_pretrained(folder / "tokenizer_2")
    encoder = t5_encoder("flux t5", len(tokenizer), 64, 4).to(torch.bfloat16)
    encoder.save_pretrained(folder / "text_encoder_2")
    shared = "encoder.embed_tokens.weight"  # saved once, as shared.weight
    shards = {key: "model.safetensors" for key in encoder.state_dict() if key != shared}
    index = {"metadata": {}, "weight_map": shards}
    write_json(folder / "text_encoder_2" / "model.safetensors.index.json", index)


# ----------------------------------------------------------------------------- SD-3 and CogView4


@recipe("tiny-sd3", "sd-3", "main")
@torch.no_grad()
def sd3(folder: Path) -> None:
    """Stable Diffusion 3."""
    from diffusers import FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel

    tokenizer = t5_tokenizer()
    width = 768 + 1280  # both CLIPs concatenated; InvokeAI pads them to the width of T5
    model = Pipeline(folder, "StableDiffusion3Pipeline")
    add_clip(model, "", "clip-l", 768, projection=True)
    add_clip(model, "_2", "clip-g", 1280, projection=True, pad="!")
    model.add("tokenizer_3", tokenizer)
    model.note("tokenizer_3", "transformers", "T5Tokenizer")
    model.add("text_encoder_3", t5_encoder("sd3 t5", len(tokenizer), width, 2), torch.float16)
    seed("sd3")
    net = SD3Transformer2DModel(
        sample_size=32,
        num_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=width,
        caption_projection_dim=32,
        pooled_projection_dim=width,
        pos_embed_max_size=192,
    ).eval()
    torch.nn.init.normal_(net.proj_out.weight, std=0.2)
    model.add("transformer", net, torch.float16)
    model.add("vae", autoencoder("sd3 vae", 1.5305, 16), torch.float16)
    model.add("scheduler", FlowMatchEulerDiscreteScheduler(shift=3.0))
    model.close()


@recipe("tiny-cogview4", "cogview4", "main")
@torch.no_grad()
def cogview4(folder: Path) -> None:
    """CogView4, the smallest of all."""
    from diffusers import CogView4Transformer2DModel, FlowMatchEulerDiscreteScheduler

    width = 32
    tokenizer = glm_tokenizer()
    model = Pipeline(folder, "CogView4Pipeline")
    model.add("tokenizer", tokenizer)
    model.note("tokenizer", "transformers", "PreTrainedTokenizerFast")
    model.add("text_encoder", glm_encoder("glm", len(tokenizer), width), torch.bfloat16)
    seed("cogview4")
    net = CogView4Transformer2DModel(
        num_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        text_embed_dim=width,
        time_embed_dim=32,
        condition_dim=16,
        sample_size=32,
        rope_axes_dim=(64, 64),
    ).eval()
    torch.nn.init.normal_(net.proj_out.weight, std=0.2)
    model.add("transformer", net, torch.bfloat16)
    model.add("vae", autoencoder("cogview4 vae", 1.0, 16), torch.bfloat16)
    shifting = {"use_dynamic_shifting": True, "base_shift": 0.25, "max_shift": 0.75}
    model.add(
        "scheduler",
        FlowMatchEulerDiscreteScheduler(**shifting, base_image_seq_len=256, time_shift_type="linear"),
    )
    model.close()
