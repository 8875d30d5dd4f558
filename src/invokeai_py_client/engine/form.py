"""Workflow forms: the fields that the author chose to show, in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from invokeai_py_client._text import clip
from invokeai_py_client.editor.js import is_number, trim
from invokeai_py_client.engine.structure import refuse
from invokeai_py_client.engine.workflow import FormField
from invokeai_py_client.schema.template import FieldType

ROOT = "root"
MAX_SHOWN = 10_000
"""The limit on elements. A small file can describe an endless form by listing elements under several parents."""

Elements = dict[str, dict[str, Any]]
_COMPONENTS = ("number-input", "slider", "number-input-and-slider")


class _UnreadableError(Exception):
    """A form that the editor cannot read. The editor replaces it with an empty form."""


def empty_form() -> dict[str, Any]:
    """Return a form without elements."""
    root = {"id": ROOT, "type": "container", "data": {"layout": "column", "children": list[str]()}}
    return {"elements": {ROOT: root}, "rootElementId": ROOT}


def is_empty(form: Mapping[str, Any]) -> bool:
    """Return whether a form has no elements except its root."""
    elements = cast("Elements", form["elements"])
    root = elements.get(form["rootElementId"])
    return root is None or (len(elements) == 1 and not root["data"]["children"])


def read_form(value: Any) -> tuple[dict[str, Any], list[str]]:
    """Return a form without unknown keys, and warnings about unreadable parts.

    Raises:
        WorkflowFormatError: The form is readable, but its elements contradict each other.
    """
    warnings: list[str] = []
    if value is None:
        return empty_form(), warnings
    try:
        form = _parse(value, warnings)
    except _UnreadableError as error:
        warnings.append(f"The form cannot be read and is ignored: {error}.")
        return empty_form(), warnings
    _check(form)
    return form, warnings


def _parse(value: Any, warnings: list[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _UnreadableError("it is not an object")
    form = cast("dict[str, Any]", value)
    elements = form.get("elements")
    if not isinstance(elements, dict):
        raise _UnreadableError("it has no 'elements'")
    parsed: Elements = {
        key: _element(key, item, warnings) for key, item in cast("dict[str, Any]", elements).items()
    }
    return {"elements": parsed, "rootElementId": _id(form.get("rootElementId"), "rootElementId")}


def _id(value: Any, what: str) -> str:
    if not isinstance(value, str) or not trim(value):
        raise _UnreadableError(f"{what} is missing or not a valid id")
    return trim(value)


def _element(key: str, value: Any, warnings: list[str]) -> dict[str, Any]:
    where = f"element {key!r}"
    if not isinstance(value, dict):
        raise _UnreadableError(f"{where} is not an object")
    record = cast("dict[str, Any]", value)
    element: dict[str, Any] = {"id": _id(record.get("id"), f"the id of {where}")}
    if "parentId" in record:
        element["parentId"] = _id(record["parentId"], f"the parentId of {where}")
    kind = record.get("type")
    element["type"] = kind
    if kind == "divider":
        if "data" in record:
            raise _UnreadableError(f"{where} is a divider with data")
        return element
    data = record.get("data")
    if not isinstance(data, dict):
        raise _UnreadableError(f"{where} has no data")
    data = cast("dict[str, Any]", data)
    if kind == "container":
        children = data.get("children")
        if data.get("layout") not in ("row", "column") or not isinstance(children, list):
            raise _UnreadableError(f"{where} is a container without layout or children")
        ids = [_id(child, f"a child of {where}") for child in cast("list[Any]", children)]
        element["data"] = {"layout": data["layout"], "children": ids}
    elif kind in ("heading", "text"):
        if not isinstance(data.get("content"), str):
            raise _UnreadableError(f"{where} has no content")
        element["data"] = {"content": data["content"]}
    elif kind == "node-field":
        element["data"] = _field(where, data, warnings)
    else:
        raise _UnreadableError(f"{where} has an unknown type: {clip(str(kind), 60)!r}")
    return element


def _field(where: str, data: Mapping[str, Any], warnings: list[str]) -> dict[str, Any]:
    identifier = data.get("fieldIdentifier")
    if not isinstance(identifier, dict):
        raise _UnreadableError(f"{where} does not name a field")
    identifier = cast("dict[str, Any]", identifier)
    show = data.get("showDescription", True)
    if type(show) is not bool:
        raise _UnreadableError(f"showDescription of {where} is neither true nor false")
    node_id = _id(identifier.get("nodeId"), f"the node of {where}")
    field_name = _id(identifier.get("fieldName"), f"the field of {where}")
    field: dict[str, Any] = {
        "fieldIdentifier": {"nodeId": node_id, "fieldName": field_name},
        "showDescription": show,
    }
    if "settings" in data:
        settings = _settings(data["settings"])
        if settings is None:
            # The editor discards the whole form here. The settings of a single field are not worth that.
            warnings.append(
                f"The form's settings for {field_name!r} are of an unknown kind, so they are ignored."
            )
        else:
            field["settings"] = settings
    return field


def _settings(value: Any) -> dict[str, Any] | None:
    """Return the settings of a field, or None if their kind is unknown."""
    if not isinstance(value, dict):
        return None
    record = cast("dict[str, Any]", value)
    kind = record.get("type", "float-field-config")
    if kind in ("float-field-config", "integer-field-config"):
        return _number_settings(kind, record) or (_text_settings(record) if "type" not in record else None)
    return _text_settings(record) if kind == "string-field-config" else None


def _number_settings(kind: str, record: Mapping[str, Any]) -> dict[str, Any] | None:
    settings = {
        "type": kind,
        "showShuffle": record.get("showShuffle", False),
        "component": record.get("component", _COMPONENTS[0]),
    }
    if type(settings["showShuffle"]) is not bool or settings["component"] not in _COMPONENTS:
        return None
    for key in ("min", "max"):
        if key in record:
            if not is_number(record[key]):
                return None
            settings[key] = record[key]
    return settings


def _text_settings(record: Mapping[str, Any]) -> dict[str, Any] | None:
    component = record.get("component", "input")
    settings: dict[str, Any] = {"type": "string-field-config", "component": component}
    if component in ("input", "textarea"):
        return settings
    options = record.get("options")
    if component != "dropdown" or not isinstance(options, list):
        return None
    choices: list[dict[str, str]] = []
    settings["options"] = choices
    for option in cast("list[Any]", options):
        if not isinstance(option, dict):
            return None
        label, value = (cast("dict[str, Any]", option).get(key) for key in ("label", "value"))
        if not isinstance(label, str) or not isinstance(value, str):
            return None
        choices.append({"label": label, "value": value})
    return settings


def _check(form: Mapping[str, Any]) -> None:
    """Reject a form whose elements contradict each other, as the editor does."""
    elements = cast("Elements", form["elements"])
    root_id = form["rootElementId"]
    root = elements.get(root_id)
    if root is None or root["type"] != "container":
        refuse("its form", f"has no root container {root_id!r}")
    seen: set[str] = set()
    open_: list[tuple[str, Iterator[str]]] = []
    path: set[str] = set()

    def enter(element_id: str) -> None:
        element = elements.get(element_id)
        if element is None:
            refuse("its form", f"lists the element {element_id!r}, which does not exist")
        parent_id = element.get("parentId")
        if element["id"] == root_id:
            if parent_id is not None:
                refuse("its form", "has a root with a parent")
        else:
            parent = elements.get(parent_id) if parent_id is not None else None
            if (
                parent is None
                or parent["type"] != "container"
                or element_id not in parent["data"]["children"]
            ):
                refuse("its form", f"has an element {element_id!r} that its parent does not list")
        if element_id in path:
            refuse("its form", f"contains itself: {element_id!r} is inside {element_id!r}")
        if element_id not in seen:
            seen.add(element_id)
            if element["type"] == "container":
                path.add(element_id)
                open_.append((element_id, iter(cast("list[str]", element["data"]["children"]))))

    enter(root_id)
    while open_:
        child = next(open_[-1][1], None)
        if child is None:
            path.discard(open_.pop()[0])
        else:
            enter(child)
    if len(seen) != len(elements):
        lost = next(key for key in elements if key not in seen)
        refuse("its form", f"has an element {lost!r} that no container lists")


def shown_fields(form: Mapping[str, Any]) -> tuple[FormField, ...]:
    """Return the fields of a form in the order of the editor: depth first, rows from left to right."""
    elements = cast("Elements", form["elements"])
    root_id = cast(str, form["rootElementId"])
    fields: list[FormField] = []
    visited = 0
    stack: list[tuple[str, tuple[str, ...]]] = [(root_id, ())]
    while stack:
        element_id, path = stack.pop()
        visited += 1
        if visited > MAX_SHOWN:
            refuse("its form", f"shows more than {MAX_SHOWN} elements")
        element = elements.get(element_id)
        if element is None:  # its field no longer exists
            continue
        if element["type"] == "container":
            inside = (*path, element_id)
            stack.extend((child, inside) for child in reversed(element["data"]["children"]))
        elif element["type"] == "node-field":
            data = element["data"]
            identifier = data["fieldIdentifier"]
            fields.append(
                FormField(
                    identifier["nodeId"],
                    identifier["fieldName"],
                    data.get("settings", {}),
                    data["showDescription"],
                    path,
                )
            )
    return tuple(fields)


def form_of(exposed: Sequence[tuple[str, str, FieldType]]) -> dict[str, Any]:
    """Return a form for the exposed fields of a workflow from before forms existed."""
    return form_with([(*field, {}) for field in exposed])


def form_with(fields: Sequence[tuple[str, str, FieldType, Mapping[str, Any]]]) -> dict[str, Any]:
    """Return a form that shows fields.

    Args:
        fields: The node id, the name and the type of each field, and its settings that differ from the default. Types
            without settings ignore them.
    """
    form = empty_form()
    elements = cast("Elements", form["elements"])
    for number, (node_id, field_name, field_type, more) in enumerate(fields):
        data: dict[str, Any] = {
            "fieldIdentifier": {"nodeId": node_id, "fieldName": field_name},
            "showDescription": False,
        }
        settings = _default_settings(field_type)
        if settings is not None:
            data["settings"] = {**settings, **more}
        element_id = f"node-field-{number}"
        elements[element_id] = {"id": element_id, "type": "node-field", "parentId": ROOT, "data": data}
        elements[ROOT]["data"]["children"].append(element_id)
    return form


def _default_settings(field_type: FieldType) -> dict[str, Any] | None:
    if field_type.cardinality != "SINGLE":
        return None
    match field_type.name:
        case "IntegerField":
            return {"type": "integer-field-config", "showShuffle": False, "component": "number-input"}
        case "FloatField":
            return {"type": "float-field-config", "showShuffle": False, "component": "number-input"}
        case "StringField":
            return {"type": "string-field-config", "component": "input"}
        case _:
            return None


def remove_element(form: Mapping[str, Any], element_id: str) -> None:
    """Remove an element from a form, and from the containers that list it."""
    elements = cast("Elements", form["elements"])
    elements.pop(element_id, None)
    for element in elements.values():
        if element["type"] == "container" and element_id in element["data"]["children"]:
            element["data"]["children"] = [c for c in element["data"]["children"] if c != element_id]
