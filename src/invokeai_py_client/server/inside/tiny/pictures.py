"""Autoencoders, UNets and noise schedules."""

# pyright: basic, reportMissingImports=false

from __future__ import annotations

from typing import Any

import torch

from .common import scale_output, seed

DIFFUSION = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "epsilon",
    "steps_offset": 1,
}
SDXL_SCALING = 0.13025


@torch.no_grad()
def autoencoder(part: str, scaling: float = 0.18215, channels: int = 4) -> Any:
    """Return an autoencoder whose latents are an eighth as wide as the image."""
    from diffusers import AutoencoderKL

    seed(part)
    levels = 4
    vae = AutoencoderKL(
        latent_channels=channels,
        block_out_channels=(16,) * levels,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        norm_num_groups=4,
        sample_size=256,
        scaling_factor=scaling,
    ).eval()
    noise = torch.randn(1, channels, 16, 16) / scaling
    scale_output(vae.decoder.conv_out, lambda: vae.decode(noise).sample, 0.4)  # an image with contrast
    picture = torch.rand(1, 3, 128, 128) * 2 - 1
    scale_output(vae.encoder.conv_out, lambda: vae.encoder(picture), 1 / scaling)  # latents of unit size
    return vae


@torch.no_grad()
def unet(part: str, text_width: int, pooled_width: int = 0) -> Any:
    """Return a UNet with three levels.

    Only the lowest level has attention, whose time on a CPU grows with the square of the number of pixels. An image
    of 1024 x 1024 still takes only seconds.

    Args:
        part: The name that seeds it.
        text_width: The width of the text embeddings.
        pooled_width: The width of SDXL's pooled embedding; 0 for a UNet without.
    """
    from diffusers import UNet2DConditionModel

    seed(part)
    extra: dict[str, Any] = {}
    if pooled_width:
        numbers = 8  # values that encode each of the six size and crop numbers
        extra = {
            "transformer_layers_per_block": 1,
            "use_linear_projection": True,
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": numbers,
            "projection_class_embeddings_input_dim": pooled_width + 6 * numbers,
        }
    net = UNet2DConditionModel(
        sample_size=32,
        layers_per_block=1,
        block_out_channels=(32, 32, 64),
        down_block_types=("DownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        norm_num_groups=16,
        cross_attention_dim=text_width,
        attention_head_dim=4,  # diffusers uses it as the number of heads
        **extra,
    ).eval()
    for name, module in net.named_modules():
        if name.endswith("attn2.to_out.0"):
            module.weight.mul_(8)  # make the prompt visible in the image
    latents, text = torch.randn(1, 4, 16, 16), torch.randn(1, 77, text_width)
    added = None
    if pooled_width:
        sizes = torch.tensor([[64.0, 64.0, 0.0, 0.0, 64.0, 64.0]])
        added = {"text_embeds": torch.randn(1, pooled_width), "time_ids": sizes}
    scale_output(net.conv_out, lambda: net(latents, 500, text, added_cond_kwargs=added).sample, 1.0)
    return net
