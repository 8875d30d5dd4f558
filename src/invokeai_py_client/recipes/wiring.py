"""The graph of an image: nodes wired by equal names of outputs and inputs in the server's own schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from invokeai_py_client.engine.definition import WorkflowDefinition
from invokeai_py_client.engine.load import load_workflow
from invokeai_py_client.engine.models import identifier_of
from invokeai_py_client.engine.workflow import Key, LoadedWorkflow
from invokeai_py_client.errors import UnknownNodeError, UsageError
from invokeai_py_client.recipes.choose import Record, components, is_component
from invokeai_py_client.recipes.document import Draft
from invokeai_py_client.recipes.kinds import Kind
from invokeai_py_client.schema.template import UNSET, InputTemplate, Schema

_LEAST_SIDE: Final = 64
_EDGE: Final = 8
"""The width in pixels by which a mask is widened, so that the change blends with the rest."""
_FADE: Final = 4
_UPPER: Final = frozenset({"vae", "clip", "cfg", "t5", "vl", "glm"})
# The inputs of the denoise nodes, by the names that they have in all recipes.
_SETTINGS: Final = {
    "steps": ("steps", "num_steps"),
    "cfg_scale": ("cfg_scale", "guidance_scale"),
    "guidance": ("guidance",),
    "scheduler": ("scheduler",),
}
_METADATA: Final = "core_metadata"


@dataclass(frozen=True, slots=True)
class Recipe:
    """A workflow for images with one model.

    Attributes:
        definition: The workflow.
        copies: The fields that get the value of another field, by that field.
        limits: Templates of fields whose values go to fields with more limits.
    """

    definition: WorkflowDefinition
    copies: Mapping[Key, tuple[Key, ...]]
    limits: Mapping[Key, InputTemplate]

    def load(self, schema: Schema) -> LoadedWorkflow:
        """Return the workflow, loaded for a server."""
        loaded = load_workflow(self.definition, schema)
        nodes = dict(loaded.nodes)
        for (node_id, name), template in self.limits.items():
            nodes[node_id] = replace(nodes[node_id], dynamic={**nodes[node_id].dynamic, name: template})
        return replace(loaded, nodes=nodes, copies=self.copies)


def build_recipe(
    kind: Kind,
    record: Record,
    records: Sequence[Record],
    schema: Schema,
    *,
    image: bool = False,
    mask: bool = False,
) -> Recipe:
    """Return the workflow for images with a model.

    Args:
        kind: The kind of the model.
        record: The model's record.
        records: All models of the server, for the components of the model.
        schema: The server's node types.
        image: Whether to start from an image. Defaults to False.
        mask: Whether to change only a part of an image. Defaults to False.

    Raises:
        UnknownNodeError: The server lacks node types.
        UsageError: Models of this architecture cannot start from an image, or not with a mask.
        ModelNotFoundError: The server lacks models that this model needs.
    """
    _check(kind, record, schema, image=image or mask, mask=mask)
    parts = components(kind, schema[kind.loader], record, records)
    return _Builder(kind, record, parts, schema, image or mask, mask).build()


def _check(kind: Kind, record: Record, schema: Schema, *, image: bool, mask: bool) -> None:
    needed = [kind.loader, kind.encoder, kind.denoise, kind.decode, "string", "rand_int", _METADATA]
    denoise = schema.get(kind.denoise)
    if denoise is not None and "width" not in denoise.inputs:
        needed.append("noise")
    if image and kind.encode is None:
        raise UsageError(
            f"Models with the architecture {kind.base!r}, such as {record['name']!r}, cannot start from an image."
            " Leave out image and mask, or choose another model."
        )
    if image and kind.encode is not None:
        needed += [kind.encode, "img_resize"]
    if mask:
        needed += ["tomask", "create_gradient_mask", "expand_mask_with_fade", "img_paste"]
    missing = [one for one in needed if one not in schema]
    if missing:
        raise UnknownNodeError(
            f"This server (InvokeAI {schema.version or 'of an unknown version'}) has no nodes for images with"
            f" {kind.base!r} models: {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing. Update the"
            " server, or choose another model.",
            missing,
        )
    inputs = schema[kind.denoise].inputs
    if image and "latents" not in inputs:
        raise UnknownNodeError(
            f"This server (InvokeAI {schema.version}) cannot start from an image with {kind.base!r} models.",
            [kind.denoise],
        )
    if mask and "denoise_mask" not in inputs:
        raise UnknownNodeError(
            f"This server (InvokeAI {schema.version}) cannot use a mask with {kind.base!r} models.",
            [kind.denoise],
        )


@dataclass(slots=True)
class _Builder:
    kind: Kind
    record: Record
    parts: Mapping[str, Record]
    schema: Schema
    image: bool
    mask: bool
    draft: Draft = field(init=False)
    copies: dict[Key, tuple[Key, ...]] = field(default_factory=dict[Key, "tuple[Key, ...]"])
    limits: dict[Key, InputTemplate] = field(default_factory=dict[Key, InputTemplate])

    def build(self) -> Recipe:
        self.draft = Draft(self.schema)
        self._texts()
        self._images()
        self._models()
        self._latents()
        self._denoising()
        final = self._result()
        self._metadata(final)
        self._form(final)
        document = self.draft.document(
            f"{self._verb} with {self.record['name']}",
            final=final,
            description="Written by invokeai-py-client. In the web UI, a change of the model, the steps, the CFG scale"
            " or the scheduler does not change the metadata of the images.",
        )
        return Recipe(WorkflowDefinition.from_dict(document), self.copies, self.limits)

    # ------------------------------------------------------------------ nodes

    @property
    def _verb(self) -> str:
        return "Part of an image" if self.mask else "Image to image" if self.image else "Text to image"

    @property
    def _negative(self) -> str | None:
        """The denoise node's input for the negative prompt, or None if it has none."""
        return self._conditioning("negative_")

    def _conditioning(self, prefix: str) -> str | None:
        made = self.schema[self.kind.encoder].outputs["conditioning"].type.name
        inputs = self.schema[self.kind.denoise].inputs
        return next(
            (name for name in inputs if name.startswith(prefix) and inputs[name].type.name == made), None
        )

    def _texts(self) -> None:
        draft = self.draft
        draft.add("positive_prompt", "string", title="Positive Prompt", value="")
        if self._negative:
            draft.add("negative_prompt", "string", title="Negative Prompt", value="")
        draft.add("seed", "rand_int", title="Seed")

    def _images(self) -> None:
        if self.image:
            self.draft.add("resize", "img_resize", title="Image")
        if self.mask:
            self.draft.add("resize_mask", "img_resize", title="Mask", resample_mode="nearest")
            self.draft.add("mask", "tomask")
            self.draft.connect("resize_mask.image", "mask.image")

    def _models(self) -> None:
        draft, kind = self.draft, self.kind
        identifier = identifier_of(self.record)
        own = self.schema[kind.loader].inputs
        known = {name: identifier_of(part) for name, part in self.parts.items()}
        draft.add(
            "model",
            kind.loader,
            title="Model",
            model=identifier,
            **{name: part for name, part in known.items() if name in own},
        )
        if any(name not in own for name in known):
            draft.add("vae", "vae_loader", title="VAE", vae_model=known["vae_model"])

    def _wire(self, node_id: str) -> None:
        """Connect the outputs of the loader to the inputs of a node with the same names."""
        outputs = self.schema[self.kind.loader].outputs
        for name in self.draft.fields(node_id):
            output = self.kind.renamed.get(name, name)
            if output == "vae" and "vae" in self.draft.nodes:
                self.draft.connect("vae.vae", f"{node_id}.{name}")
            elif output in outputs:
                self.draft.connect(f"model.{output}", f"{node_id}.{name}")

    @property
    def _sized(self) -> str:
        """The node that determines the size of the latents."""
        return "denoise" if "width" in self.schema[self.kind.denoise].inputs else "noise"

    @property
    def _size(self) -> str:
        """The node whose width and height the user sets."""
        return "resize" if self.image else self._sized

    def _latents(self) -> None:
        draft, kind = self.draft, self.kind
        if self._sized == "noise":
            draft.add("noise", "noise", title="Noise", **self._constants("noise"))
        for side, title in (("positive", "Positive Prompt"), ("negative", "Negative Prompt")):
            if f"{side}_prompt" not in draft.nodes:
                continue
            draft.add(side, kind.encoder, title=f"Encode {title}")
            draft.connect(f"{side}_prompt.value", f"{side}.prompt")
            fields = draft.fields(side)
            if "style" in fields:
                draft.connect(f"{side}_prompt.value", f"{side}.style")
            self._wire(side)
        if self.image:
            assert kind.encode is not None
            draft.add("encode", kind.encode, **self._constants(kind.encode))
            draft.connect("resize.image", "encode.image")
            self._wire("encode")
        if self.mask:
            draft.add("denoise_mask", "create_gradient_mask", edge_radius=_EDGE)
            draft.connect("mask.image", "denoise_mask.mask")
            if "unet" in self.schema[kind.loader].outputs:  # for inpainting models of Stable Diffusion
                self._wire("denoise_mask")
                draft.connect("resize.image", "denoise_mask.image")

    def _denoising(self) -> None:
        draft, kind = self.draft, self.kind
        draft.add("denoise", kind.denoise, title="Denoise")
        if "denoising_start" in draft.fields("denoise"):
            draft.set("denoise", denoising_start=0.0, denoising_end=1.0)
        self._wire("denoise")
        draft.connect("positive.conditioning", f"denoise.{self._conditioning('positive_')}")
        if self._negative:
            draft.connect("negative.conditioning", f"denoise.{self._negative}")
        if self._sized == "noise":
            draft.connect("noise.noise", "denoise.noise")
        draft.connect("seed.value", f"{self._sized}.seed")
        if self.image:
            draft.connect("encode.latents", "denoise.latents")
        if self.mask:
            draft.connect("denoise_mask.denoise_mask", "denoise.denoise_mask")
        self._sides()

    def _sides(self) -> None:
        """Connect the size to all nodes that need it."""
        draft, sized = self.draft, self._sized
        for side in ("width", "height"):
            start = f"{self._size}.{side}"
            if self.image:
                template = draft.fields(sized)[side]
                self.limits["resize", side] = template
                draft.connect(start, f"{sized}.{side}")
            if self.mask:
                draft.connect(start, f"resize_mask.{side}")
            for encoder in ("positive", "negative"):
                for name in (f"original_{side}", f"target_{side}"):
                    if encoder in draft.nodes and name in draft.fields(encoder):
                        draft.connect(start, f"{encoder}.{name}")

    def _result(self) -> str:
        """Add the nodes after denoising, and return the last of them."""
        draft, kind = self.draft, self.kind
        draft.add("image", kind.decode, title="Image", **self._constants(kind.decode))
        draft.connect("denoise.latents", "image.latents")
        self._wire("image")
        if not self.mask:
            return "image"
        draft.add("fade", "expand_mask_with_fade", fade_size_px=_FADE)
        draft.connect("denoise_mask.expanded_mask_area", "fade.mask")
        draft.add("paste", "img_paste", title="Result")
        draft.connect("resize.image", "paste.base_image")
        draft.connect("image.image", "paste.image")
        draft.connect("fade.image", "paste.mask")
        return "paste"

    def _constants(self, name: str) -> Mapping[str, Any]:
        return self.kind.constants.get(name, {})

    # ------------------------------------------------------------------ metadata

    def _metadata(self, final: str) -> None:
        draft = self.draft
        known = self.schema[_METADATA].inputs
        draft.add("metadata", _METADATA, **self._constants("metadata"))
        mode = f"{self.kind.mode}{'inpaint' if self.mask else 'img2img' if self.image else 'txt2img'}"
        if mode in (known["generation_mode"].options or ()):
            draft.set("metadata", generation_mode=mode)
        for side in ("positive", "negative"):
            if f"{side}_prompt" not in draft.nodes:
                continue
            names = [f"{side}_prompt", *([f"{side}_style_prompt"] if "style" in draft.fields(side) else [])]
            for name in names:
                if name in known:
                    draft.connect(f"{side}_prompt.value", f"metadata.{name}")
        draft.connect("seed.value", "metadata.seed")
        for side in ("width", "height"):
            draft.connect(f"{self._size}.{side}", f"metadata.{side}")
        draft.connect("metadata.metadata", f"{final}.metadata")

    def _copy(self, node_id: str, name: str, to: str, value: Any) -> None:
        """Let a field of the metadata follow another field."""
        self.copies[node_id, name] = (("metadata", to),)
        if value is not UNSET:
            self.draft.set("metadata", **{to: value})

    # ------------------------------------------------------------------ form

    def _form(self, final: str) -> None:
        draft, kind = self.draft, self.kind
        draft.show("positive_prompt", "value", "Positive Prompt", component="textarea")
        if self._negative:
            draft.show("negative_prompt", "value", "Negative Prompt", component="textarea")
        if self.image:
            draft.show("resize", "image", "Image")
        if self.mask:
            draft.show("resize_mask", "image", "Mask")
        draft.show("model", "model", "Model")
        self._copy("model", "model", "model", identifier_of(self.record))
        self._component_fields()
        defaults = _defaults(kind, self.record)
        for side in ("width", "height"):
            draft.set(self._size, **{side: defaults.pop(side)})
            draft.show(self._size, side, side.capitalize(), min=_LEAST_SIDE)
        for name, fields in _SETTINGS.items():
            found = next((one for one in fields if one in draft.fields("denoise")), None)
            if found is not None:
                self._setting(name, found, defaults)
        if self.image:
            draft.show("denoise", "denoising_start", "Denoising Start")
        draft.set(final, board="auto")
        draft.show(final, "board", "Board")

    def _component_fields(self) -> None:
        draft = self.draft
        known = self.schema[_METADATA].inputs
        shown = [
            ("model", name)
            for name, one in draft.fields("model").items()
            if one.models and is_component(name)
        ]
        shown += [("vae", "vae_model")] * ("vae" in draft.nodes)
        for node_id, name in shown:
            draft.show(node_id, name, _title(name))
            to = name.removesuffix("_model")
            if to in known:
                part = self.parts.get(name)
                self._copy(node_id, name, to, UNSET if part is None else identifier_of(part))

    def _setting(self, name: str, found: str, defaults: Mapping[str, Any]) -> None:
        draft = self.draft
        template: InputTemplate = draft.fields("denoise")[found]
        value = defaults.get(name, UNSET if template.nullable else template.default)
        if template.options and value not in template.options:
            value = template.default
        if value is not UNSET:
            draft.set("denoise", **{found: value})
        draft.show("denoise", found, _title(name), **({"min": 1} if name == "steps" else {}))
        self._copy("denoise", found, name, value)


def _defaults(kind: Kind, record: Record) -> dict[str, Any]:
    """Return the default values of a model: those of its record, or else those of its kind."""
    stated: Mapping[str, Any] = record.get("default_settings") or {}
    own = {name: value for name, value in stated.items() if value is not None}
    return {"width": kind.size, "height": kind.size, **kind.inputs, **own}


def _title(name: str) -> str:
    return " ".join(word.upper() if word in _UPPER else word.capitalize() for word in name.split("_"))
