"""Workflows for the tests, in the format that the editor saves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Exposed = tuple[str, str]


def workflow(
    name: str,
    nodes: Mapping[str, tuple[str, Mapping[str, Any]]],
    edges: Iterable[str],
    form: Iterable[Exposed] = (),
    *,
    labels: Mapping[Exposed, str] | None = None,
    final: Iterable[str] = (),
    versions: Mapping[str, str] | None = None,
    settings: Mapping[Exposed, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Return a workflow document.

    Args:
        name: Its name.
        nodes: Node id: (invocation type, values of its inputs). The id also serves as the node's label.
        edges: ``"source.output -> target.input"``.
        form: The fields that the form shows, in order.
        labels: Labels of fields.
        final: Nodes whose images go to the gallery.
        versions: Node versions by invocation type. Defaults to those of the reference schema.
        settings: The form's settings of a field.
    """
    from invokeai_py_client.schema.reference import reference_schema

    schema = reference_schema()
    named = dict(labels or {})
    shown = list(form)
    children = [f"node-field-{index}" for index, _ in enumerate(shown)]
    elements: dict[str, Any] = {
        "root": {"id": "root", "type": "container", "data": {"layout": "column", "children": children}}
    }
    for child, (node_id, field) in zip(children, shown, strict=True):
        data: dict[str, Any] = {
            "fieldIdentifier": {"nodeId": node_id, "fieldName": field},
            "showDescription": False,
        }
        if settings and (node_id, field) in settings:
            data["settings"] = dict(settings[node_id, field])
        elements[child] = {"id": child, "type": "node-field", "parentId": "root", "data": data}
    links = list(edges)
    return {
        "name": name,
        "author": "",
        "description": "",
        "version": "1.0.0",
        "contact": "",
        "tags": "",
        "notes": "",
        "exposedFields": [],
        "meta": {"version": "3.0.0", "category": "user"},
        "form": {"rootElementId": "root", "elements": elements},
        "nodes": [
            {
                "id": node_id,
                "type": "invocation",
                "position": {"x": 0, "y": 0},
                "data": {
                    "id": node_id,
                    "type": kind,
                    "version": (versions or {}).get(kind)
                    or (schema[kind].version if kind in schema else "1.0.0"),
                    "label": node_id,
                    "notes": "",
                    "nodePack": "invokeai",
                    "isOpen": True,
                    "isIntermediate": node_id not in final,
                    "useCache": schema[kind].use_cache if kind in schema else True,
                    "inputs": {
                        field: {
                            "name": field,
                            "label": named.get((node_id, field), ""),
                            "description": "",
                            **({"value": values[field]} if field in values else {}),
                        }
                        for field in dict.fromkeys(
                            [
                                *values,
                                *(name for owner, name in [*map(_target, links), *shown] if owner == node_id),
                            ]
                        )
                    },
                },
            }
            for node_id, (kind, values) in nodes.items()
        ],
        "edges": [_edge(link) for link in links],
    }


def _target(link: str) -> Exposed:
    node, _, field = link.partition(" -> ")[2].rpartition(".")
    return node, field


def _edge(link: str) -> dict[str, Any]:
    source, _, output = link.partition(" -> ")[0].rpartition(".")
    target, field = _target(link)
    return {
        "id": link,
        "type": "default",
        "source": source,
        "sourceHandle": output,
        "target": target,
        "targetHandle": field,
    }


def sd1(*, steps: int = 4, size: int = 64) -> dict[str, Any]:
    """Return a text-to-image workflow for an SD-1 model."""
    return workflow(
        "SD-1 text to image",
        {
            "model": ("main_model_loader", {}),
            "positive": ("compel", {"prompt": "a lighthouse"}),
            "negative": ("compel", {"prompt": ""}),
            "noise": ("noise", {"seed": 7, "width": size, "height": size, "use_cpu": True}),
            "denoise": ("denoise_latents", {"steps": steps, "cfg_scale": 6.0, "scheduler": "euler"}),
            "decode": ("l2i", {"board": "auto"}),
        },
        [
            "model.clip -> positive.clip",
            "model.clip -> negative.clip",
            "model.unet -> denoise.unet",
            "positive.conditioning -> denoise.positive_conditioning",
            "negative.conditioning -> denoise.negative_conditioning",
            "noise.noise -> denoise.noise",
            "denoise.latents -> decode.latents",
            "model.vae -> decode.vae",
        ],
        [
            ("model", "model"),
            ("positive", "prompt"),
            ("negative", "prompt"),
            ("denoise", "steps"),
            ("noise", "seed"),
        ],
        labels={("positive", "prompt"): "Positive Prompt", ("negative", "prompt"): "Negative Prompt"},
        final=["decode"],
    )


def sdxl(*, steps: int = 4, size: int = 64) -> dict[str, Any]:
    """Return a text-to-image workflow for an SDXL model."""
    return workflow(
        "SDXL text to image",
        {
            "model": ("sdxl_model_loader", {}),
            "positive": ("sdxl_compel_prompt", {"prompt": "a lighthouse", "style": ""}),
            "negative": ("sdxl_compel_prompt", {"prompt": "", "style": ""}),
            "noise": ("noise", {"seed": 7, "width": size, "height": size, "use_cpu": True}),
            "denoise": ("denoise_latents", {"steps": steps, "cfg_scale": 6.0, "scheduler": "euler"}),
            "decode": ("l2i", {"board": "auto"}),
        },
        [
            "model.clip -> positive.clip",
            "model.clip2 -> positive.clip2",
            "model.clip -> negative.clip",
            "model.clip2 -> negative.clip2",
            "model.unet -> denoise.unet",
            "positive.conditioning -> denoise.positive_conditioning",
            "negative.conditioning -> denoise.negative_conditioning",
            "noise.noise -> denoise.noise",
            "denoise.latents -> decode.latents",
            "model.vae -> decode.vae",
        ],
        [
            ("model", "model"),
            ("positive", "prompt"),
            ("denoise", "steps"),
            ("denoise", "scheduler"),
            ("noise", "seed"),
        ],
        labels={("positive", "prompt"): "Positive Prompt"},
        final=["decode"],
    )


def lora(*, steps: int = 4, size: int = 64) -> dict[str, Any]:
    """Return a text-to-image workflow for an SD-1 model and a LoRA."""
    plain = sd1(steps=steps, size=size)
    nodes = {node["id"]: (node["data"]["type"], _values(node)) for node in plain["nodes"]}
    nodes["lora"] = ("lora_loader", {"weight": 0.75})
    moved = {"model.clip": "lora.clip", "model.unet": "lora.unet"}
    edges = ["model.clip -> lora.clip", "model.unet -> lora.unet"]
    for edge in plain["edges"]:
        source, target = edge["id"].split(" -> ")
        edges.append(f"{moved.get(source, source)} -> {target}")
    return workflow(
        "SD-1 with LoRA",
        nodes,
        edges,
        [("model", "model"), ("lora", "lora"), ("lora", "weight"), ("positive", "prompt"), ("noise", "seed")],
        final=["decode"],
    )


def flux_image_to_image(*, steps: int = 3) -> dict[str, Any]:
    """Return an image-to-image workflow for a FLUX model."""
    return workflow(
        "FLUX image to image",
        {
            "model": ("flux_model_loader", {}),
            "prompt": ("flux_text_encoder", {"prompt": "a lighthouse"}),
            "encode": ("flux_vae_encode", {}),
            "denoise": (
                "flux_denoise",
                {
                    "num_steps": steps,
                    "width": 64,
                    "height": 64,
                    "seed": 7,
                    "denoising_start": 0.3,
                    "denoising_end": 1,
                },
            ),
            "decode": ("flux_vae_decode", {"board": "auto"}),
        },
        [
            "model.clip -> prompt.clip",
            "model.t5_encoder -> prompt.t5_encoder",
            "model.max_seq_len -> prompt.t5_max_seq_len",
            "model.transformer -> denoise.transformer",
            "model.vae -> encode.vae",
            "model.vae -> decode.vae",
            "encode.latents -> denoise.latents",
            "prompt.conditioning -> denoise.positive_text_conditioning",
            "denoise.latents -> decode.latents",
        ],
        [
            ("model", "model"),
            ("model", "t5_encoder_model"),
            ("model", "clip_embed_model"),
            ("model", "vae_model"),
            ("encode", "image"),
            ("prompt", "prompt"),
            ("denoise", "num_steps"),
        ],
        final=["decode"],
    )


def add(a: int = 1, b: int = 2) -> dict[str, Any]:
    """Return the smallest possible workflow: one sum, no models."""
    return workflow("Sum", {"sum": ("add", {"a": a, "b": b})}, [], [("sum", "a"), ("sum", "b")])


def picture(name: str = "Picture", label: str = "Prompt", title: str = "Blank") -> dict[str, Any]:
    """Return a workflow that draws a blank image, with labels for its text input and its image node."""
    document = workflow(
        name,
        {"p": ("string", {"value": "x"}), "im": ("blank_image", {"width": 16, "height": 16})},
        [],
        [("p", "value")],
        labels={("p", "value"): label},
        final=["im"],
    )
    for node in document["nodes"]:
        if node["id"] == "im":
            node["data"]["label"] = title
    return document


def blank(size: int = 16) -> dict[str, Any]:
    """Return the smallest workflow with an image, which needs no models."""
    nodes = {"draw": ("blank_image", {"width": size, "height": size})}
    return workflow("Blank", nodes, [], [("draw", "width")], final=["draw"])


def _values(node: Mapping[str, Any]) -> dict[str, Any]:
    return {name: field["value"] for name, field in node["data"]["inputs"].items() if "value" in field}
