"""The workflows of the quick client, with the node versions of the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from invokeai_py_client.engine.definition import WorkflowDefinition
from invokeai_py_client.schema.template import NodeTemplate

Nodes = Mapping[str, tuple[str, Mapping[str, Any]]]

_STEPS, _CFG_SCALE, _SCHEDULER = 30, 7.5, "dpmpp_3m_k"


def copy_image(schema: Mapping[str, NodeTemplate]) -> WorkflowDefinition:
    """Return a workflow that saves an image again. Its node has the id ``save``."""
    return _workflow("Copy an image", {"save": ("save_image", {})}, (), schema, final="save")


def sdxl_text_to_image(schema: Mapping[str, NodeTemplate]) -> WorkflowDefinition:
    """Return a workflow for text to image with an SDXL model. It embeds the same metadata as the web UI."""
    nodes: Nodes = {
        "model": ("sdxl_model_loader", {}),
        "positive": ("sdxl_compel_prompt", {}),
        "negative": ("sdxl_compel_prompt", {}),
        "noise": ("noise", {"use_cpu": True}),
        "denoise": (
            "denoise_latents",
            {
                "steps": _STEPS,
                "cfg_scale": _CFG_SCALE,
                "scheduler": _SCHEDULER,
                "denoising_start": 0,
                "denoising_end": 1,
            },
        ),
        "metadata": (
            "core_metadata",
            {
                "generation_mode": "sdxl_txt2img",
                "rand_device": "cpu",
                "steps": _STEPS,
                "cfg_scale": _CFG_SCALE,
                "scheduler": _SCHEDULER,
            },
        ),
        "image": ("l2i", {"fp32": True}),
    }
    edges = [
        "model.clip positive.clip",
        "model.clip2 positive.clip2",
        "model.clip negative.clip",
        "model.clip2 negative.clip2",
        "model.unet denoise.unet",
        "model.vae image.vae",
        "positive.conditioning denoise.positive_conditioning",
        "negative.conditioning denoise.negative_conditioning",
        "noise.noise denoise.noise",
        "denoise.latents image.latents",
        "metadata.metadata image.metadata",
    ]
    return _workflow("SDXL text to image", nodes, edges, schema, final="image")


def _workflow(
    name: str, nodes: Nodes, edges: Sequence[str], schema: Mapping[str, NodeTemplate], *, final: str
) -> WorkflowDefinition:
    return WorkflowDefinition.from_dict(
        {
            "name": name,
            "author": "",
            "description": "",
            "version": "1.0.0",
            "contact": "",
            "tags": "",
            "notes": "",
            "exposedFields": [],
            "meta": {"version": "3.0.0", "category": "user"},
            "nodes": [
                _node(node_id, kind, values, schema, index, is_intermediate=node_id != final)
                for index, (node_id, (kind, values)) in enumerate(nodes.items())
            ],
            "edges": [_edge(*edge.split()) for edge in edges],
        }
    )


def _node(
    node_id: str,
    kind: str,
    values: Mapping[str, Any],
    schema: Mapping[str, NodeTemplate],
    index: int,
    *,
    is_intermediate: bool,
) -> dict[str, Any]:
    template = schema.get(kind)
    return {
        "id": node_id,
        "type": "invocation",
        "position": {"x": 400 * index, "y": 0},
        "data": {
            "id": node_id,
            "type": kind,
            "version": template.version if template else "1.0.0",
            "label": "",
            "notes": "",
            "isOpen": True,
            "isIntermediate": is_intermediate,
            "useCache": is_intermediate,
            "inputs": {
                name: {"name": name, "label": "", **({"value": values[name]} if name in values else {})}
                for name in (template.inputs if template else values)
            },
        },
    }


def _edge(start: str, end: str) -> dict[str, Any]:
    (source, output), (target, field) = start.split("."), end.split(".")
    return {
        "id": f"{start}-{end}",
        "type": "default",
        "source": source,
        "sourceHandle": output,
        "target": target,
        "targetHandle": field,
    }
