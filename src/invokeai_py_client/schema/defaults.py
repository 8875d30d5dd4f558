"""The default values of new nodes in the official editor."""

from __future__ import annotations

from typing import Any, Final

from invokeai_py_client.schema.template import UNSET, FieldType

# The types for which the editor has a widget, so that their values are part of a workflow. The editor offers all
# other types only as connections, without a default.
STATEFUL: Final = frozenset(
    {
        "BoardField",
        "BooleanField",
        "ColorField",
        "ControlNetMetadataField",
        "EnumField",
        "FloatField",
        "FloatGeneratorField",
        "IPAdapterMetadataField",
        "ImageField",
        "ImageGeneratorField",
        "IntegerField",
        "IntegerGeneratorField",
        "LoRAField",
        "LoRAMetadataField",
        "MetadataExtraField",
        "ModelIdentifierField",
        "SavedWorkflowField",
        "SchedulerField",
        "StringField",
        "StringGeneratorField",
        "StylePresetField",
        "SystemPromptField",
        "T2IAdapterMetadataField",
        "VideoField",
    }
)

_COLLECTIONS: Final = frozenset({"ImageField", "StringField", "IntegerField", "FloatField"})

# Types that never have a default, even if the schema states one.
_NEVER: Final = frozenset(
    {
        "LoRAMetadataField",
        "ControlNetMetadataField",
        "IPAdapterMetadataField",
        "T2IAdapterMetadataField",
        "MetadataExtraField",
    }
)

_SIMPLE: Final[dict[str, Any]] = {
    "IntegerField": 0,
    "FloatField": 0,
    "StringField": "",
    "BooleanField": False,
    "SchedulerField": "dpmpp_3m_k",
    "SavedWorkflowField": "",
    "BoardField": "auto",
}


def _generator(name: str) -> dict[str, Any] | None:
    """Return the settings of a new generator node: its first kind of generator. The schema's default is ignored."""
    match name:
        case "FloatGeneratorField":
            return {"type": "float_generator_arithmetic_sequence", "start": 0, "step": 0.1, "count": 10}
        case "IntegerGeneratorField":
            return {"type": "integer_generator_arithmetic_sequence", "start": 0, "step": 1, "count": 10}
        case "StringGeneratorField":
            return {"type": "string_generator_parse_string", "input": "foo,bar,baz,qux", "splitOn": ","}
        case "ImageGeneratorField":
            return {"type": "image_generator_images_from_board", "category": "images"}
        case _:
            return None


def default_value(
    field_type: FieldType, stated: Any, *, required: bool, options: tuple[Any, ...] | None = None
) -> Any:
    """Return the default value of an input, or ``UNSET`` if it has no default.

    Args:
        field_type: The input's type.
        stated: The default in the schema. Null counts as no default.
        required: Whether the schema calls the input required (``orig_required``).
        options: The choices, if the input is an enumeration.
    """
    name = field_type.name
    if name not in STATEFUL or name in _NEVER:
        return UNSET
    if (generator := _generator(name)) is not None:
        return generator
    if stated is not None:
        return stated
    if name == "LoRAField":
        return []
    if name == "ColorField":
        return {"r": 127, "g": 127, "b": 127, "a": 255}
    if field_type.cardinality == "COLLECTION" and name in _COLLECTIONS:
        return [] if required else UNSET
    if name == "EnumField":
        return options[0] if options else UNSET
    return _SIMPLE.get(name, UNSET)
