"""The model of an image, and the models that it needs, out of the server's records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from invokeai_py_client._names import ambiguous, matching, unknown
from invokeai_py_client._text import listed
from invokeai_py_client.errors import ModelNotFoundError, UsageError
from invokeai_py_client.ivk_fields.models import fits_filter
from invokeai_py_client.recipes.kinds import KINDS, Kind, kind_of

if TYPE_CHECKING:
    from invokeai_py_client.schema.template import InputTemplate, NodeTemplate

Record = Mapping[str, Any]

_MODEL, _VAE = "model", "vae_model"
# A part of another main model, which is only needed if the part is not installed by itself.
_OTHER_MAIN = ("source_model", "component_source")
_LOW_NOISE = "low_noise"
_MOST = 8


def pick_model(text: str | None, records: Sequence[Record]) -> tuple[Record, Kind]:
    """Return the record of a main model, and its kind.

    Args:
        text: The key or name of the model. Defaults to the only model that can make images.
        records: The server's models.

    Raises:
        ModelNotFoundError: No model has this name, several have it, or the model has to be named.
        UsageError: The model cannot make images.
    """
    usable = sorted((one for one in records if is_usable(one)), key=_order)
    if text is None:
        return _only(usable)
    found = matching(text, usable, lambda one: one["key"], lambda one: one["name"])
    if len(found) > 1:
        ids = [f"{one['key']} ({one['base']} {one['type']})" for one in found]
        raise ModelNotFoundError(ambiguous("model", text, ids), text)
    if found:
        record = found[0]
        kind = kind_of(record)
        assert kind is not None
        return record, kind
    others = matching(text, records, lambda one: one["key"], lambda one: one["name"])
    if others:
        raise UsageError(_useless(others[0]))
    message, close = unknown("model", text, [one["name"] for one in usable])
    raise ModelNotFoundError(message, text, close)


def is_usable(record: Record) -> bool:
    """Return whether images can be made with a model."""
    return record["type"] == "main" and kind_of(record) is not None


def _only(usable: Sequence[Record]) -> tuple[Record, Kind]:
    if not usable:
        raise ModelNotFoundError(
            "The server has no main model that can make images. Install one with `ivk models install`, or in the web"
            " UI's model manager."
        )
    if len(usable) > 1:
        names = [one["name"] for one in usable]
        raise ModelNotFoundError(
            f"Say which model: the server has {len(usable)} main models: {listed(names, _MOST)}.", "", names
        )
    kind = kind_of(usable[0])
    assert kind is not None
    return usable[0], kind


def _useless(record: Record) -> str:
    name, base, kind = record["name"], record["base"], record["type"]
    if kind != "main":
        return f"The model {name!r} is not a main model, but of type {kind!r}. Choose a main model."
    known = ", ".join(dict.fromkeys(one.base for one in KINDS))
    return (
        f"The model {name!r} has the architecture {base!r}, which has no recipe. Use a workflow, or a model of one of"
        f" these architectures: {known}."
    )


def components(
    kind: Kind, loader: NodeTemplate, record: Record, records: Sequence[Record]
) -> dict[str, Record]:
    """Return the models that a main model needs, by the fields of its loader.

    A field ``vae_model`` that the loader does not have stands for the model's own default VAE.

    Args:
        kind: The kind of the model.
        loader: The node type of its loader.
        record: The record of the model.
        records: The server's models.

    Raises:
        ModelNotFoundError: The server lacks some of them. The error names each.
    """
    chosen: dict[str, Record] = {}
    missing: list[str] = []
    is_whole = kind.has_parts and record.get("format") == "diffusers"
    preferred = _default_vae(record, records)
    for name, template in loader.inputs.items():
        if template.models is None or not is_component(name):
            continue
        if name == _VAE and preferred is not None and fits_filter(preferred, template.models):
            chosen[name] = preferred
            continue
        if is_whole and not template.required:
            continue
        fitting = sorted((one for one in records if _fits(kind, record, template, one)), key=_order)
        if fitting:
            chosen[name] = fitting[0]
        else:
            missing.append(_wanted(kind, record, template))
    if missing:
        names = " and ".join(missing)
        raise ModelNotFoundError(
            f"The model {record['name']!r} also needs {names}, which the server does not have. Install what is missing"
            " with `ivk models install`, or in the web UI's model manager.",
            record["name"],
        )
    if _VAE not in loader.inputs and preferred is not None and preferred["base"] == record["base"]:
        chosen[_VAE] = preferred
    return chosen


def is_component(field: str) -> bool:
    """Return whether a field of a loader takes one of the models that the main model needs."""
    return field != _MODEL and not field.endswith(_OTHER_MAIN) and _LOW_NOISE not in field


def _default_vae(record: Record, records: Sequence[Record]) -> Record | None:
    settings: Record = record.get("default_settings") or {}
    wanted = settings.get("vae")
    return next((one for one in records if one["key"] == wanted and one["type"] == "vae"), None)


def _fits(kind: Kind, main: Record, template: InputTemplate, record: Record) -> bool:
    if template.models is None or not fits_filter(record, template.models):
        return False
    if record["type"] == "vae":
        return not kind.vae_bases or record["base"] in kind.vae_bases
    variant, variants = record.get("variant"), _variants(kind, main)
    return not variants or variant is None or variant in variants


def _variants(kind: Kind, main: Record) -> tuple[str, ...]:
    return kind.fits.get(main.get("variant") or "", kind.fits.get("", ()))


def _wanted(kind: Kind, main: Record, template: InputTemplate) -> str:
    """Return the words for a missing model, such as ``a T5 encoder (type t5_encoder)``."""
    models = template.models
    assert models is not None
    types = models.type or ()
    bases = kind.vae_bases if "vae" in types else ()
    parts = [f"type {' or '.join(types)}"] if types else []
    if bases or models.base:
        parts.append(f"base {' or '.join(bases or models.base or ())}")
    variants = models.variant or (() if {"vae", "t5_encoder"} & set(types) else _variants(kind, main))
    if variants:
        parts.append(f"variant {' or '.join(variants)}")
    return f"a model for {template.name!r} ({', '.join(parts)})"


def _order(record: Record) -> tuple[str, str]:
    return str(record["name"]).casefold(), str(record["key"])
