"""A workflow as a Python function: its inputs become typed arguments that editors complete and type checkers check.

The text depends on nothing but the workflow, the node types and what it was asked for, so that generating it again
tells whether the workflow has changed since.
"""

from __future__ import annotations

import json
import keyword
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from invokeai_py_client.engine.addressing import plain
from invokeai_py_client.engine.inputs import InputSet, WorkflowInput, plain_value, type_word
from invokeai_py_client.ivk_fields.kinds import FIELD_KINDS

_WIDTH = 100
_FACES = {
    False: ("InvokeAIClient", "Run", "def", ""),
    True: ("AsyncInvokeAIClient", "AsyncRun", "async def", "await "),
}
_SIMPLE = frozenset({"StringField", "IntegerField", "FloatField", "BooleanField"})
_RESERVED = {"client", "progress", "Any", "Literal", "Mapping", "Path", "Sequence", "WORKFLOW"}


@dataclass(frozen=True, slots=True)
class _Argument:
    name: str
    hint: str
    default: str | None
    item: WorkflowInput


def function_name(workflow_name: str) -> str:
    """What a workflow's function is called: ``Text to Image`` becomes ``text_to_image``."""
    return _identifier(plain(workflow_name)) or "workflow"


def generate(
    name: str,
    description: str,
    inputs: InputSet,
    *,
    source: str,
    is_file: bool,
    command: str,
    asynchronous: bool = False,
) -> str:
    """The text of a Python module with one function that runs the workflow.

    Args:
        name: The workflow's name.
        description: What its author says of it.
        inputs: Its inputs.
        source: The workflow's file, relative to the module; or its name or id in the server's library.
        is_file: Which of the two ``source`` is.
        command: The command that generates the module, for its head.
        asynchronous: Whether the function is to be awaited.
    """
    client, run, definition, wait = _FACES[asynchronous]
    named = _names(inputs)
    choices = _choices(named)
    arguments = [
        _Argument(argument, _hint(item, choices), _default(item), item) for argument, item in named.items()
    ]
    called = function_name(name)
    while called in _RESERVED or called in (client, run):
        called += "_"
    lines = [
        *_docstring(f"{_sentence(name)}", [f"Written by: {command}", *_told(description)], ""),
        "",
        "from __future__ import annotations",
        "",
        *_imports(arguments, choices, is_file, client, run),
        "",
    ]
    place = f"Path(__file__).parent / {_text(source)}" if is_file else _text(source)
    lines.append(f"WORKFLOW = {place}")
    for alias, members in _aliases(choices).items():
        lines += ["", f"{alias} = Literal[", *(f"    {_literal(member)}," for member in members), "]"]
    lines += ["", "", f"{definition} {called}("]
    lines.append(f"    client: {client},")
    if arguments:
        lines.append("    *,")
    for one in arguments:
        lines.append(f"    {one.name}: {one.hint}" + ("," if one.default is None else f" = {one.default},"))
    lines.append(f") -> {run}:")
    about = ["Args:", "    client: The server."]
    for one in arguments:
        about += textwrap.wrap(
            f"{one.name}: {_about(one)}", _WIDTH - 4, initial_indent="    ", subsequent_indent=" " * 8
        )
    about += ["", "Returns:", "    The run, when it has ended."]
    lines += _docstring(f"Run the workflow {name.strip()!r}.", about, "    ")
    lines.append(f"    workflow = {wait}client.workflow_repo.create_workflow(WORKFLOW)")
    always = [one for one in arguments if not _may_be_none(one)]
    lines.append("    values: dict[tuple[str, str], Any] = {" + ("" if always else "}"))
    for one in always:
        lines.append(f"        {_key(one)}: {one.name},")
    if always:
        lines.append("    }")
    for one in arguments:
        if _may_be_none(one):
            lines += [
                f"    if {one.name} is not None:",
                f"        values[{_key(one, bare=True)}] = {one.name}",
            ]
    lines.append(f"    return {wait}workflow.run(values)")
    return "\n".join(line.rstrip() for line in lines) + "\n"


# --------------------------------------------------------------------------- arguments


def _names(inputs: InputSet) -> dict[str, WorkflowInput]:
    """The form's inputs that take a value, by a Python name that no two share."""
    named: dict[str, WorkflowInput] = {}
    for item in inputs:
        if item.connected:
            continue
        name = _identifier(plain(item.label)) or _identifier(plain(item.field_name)) or "value"
        tries = [name, _identifier(plain(f"{item.node_name} {item.label}")) or name]
        free = next((one for one in tries if one not in named and one not in _RESERVED), None)
        number = 2
        while free is None:
            candidate = f"{name}_{number}"
            free = None if candidate in named else candidate
            number += 1
        named[free] = item
    return named


def _identifier(text: str) -> str:
    if text[:1].isdigit():
        text = f"_{text}"
    if not text.isidentifier():
        return ""
    return f"{text}_" if keyword.iskeyword(text) else text


def _choices(named: dict[str, WorkflowInput]) -> dict[str, tuple[str, tuple[Any, ...]]]:
    """For each argument with counted values the name of their type, which those with the same values share."""
    found: dict[str, tuple[str, tuple[Any, ...]]] = {}
    aliases: dict[tuple[Any, ...], str] = {}
    for name, item in named.items():
        members = item.field.choices
        if not members or not all(isinstance(one, str | int) for one in members):
            continue
        if members not in aliases:
            alias = "".join(part.capitalize() for part in name.split("_")) or "Choice"
            while alias in aliases.values() or alias in _RESERVED:
                alias += "_"
            aliases[members] = alias
        found[name] = (aliases[members], members)
    return found


def _aliases(choices: dict[str, tuple[str, tuple[Any, ...]]]) -> dict[str, tuple[Any, ...]]:
    return dict(choices.values())


def _hint(item: WorkflowInput, choices: dict[str, tuple[str, tuple[Any, ...]]]) -> str:
    alias = next((entry[0] for entry in choices.values() if entry[1] == item.field.choices), None)
    kind = item.type.rstrip("|[]")
    hint = alias or (FIELD_KINDS[kind].annotation if kind in FIELD_KINDS else "") or "Any"
    if hint != "Any":
        if item.type.endswith("|[]"):
            hint = f"{hint} | Sequence[{hint}]"
        elif item.type.endswith("[]"):
            hint = f"Sequence[{hint}]"
    if _default(item) == "None" and hint != "Any":
        hint += " | None"
    return hint


def _default(item: WorkflowInput) -> str | None:
    """The argument's default as it is written; None where it has to be given."""
    value = plain_value(item)
    if value is None:
        return None if item.required else "None"
    simple = item.type in _SIMPLE or (item.field.choices is not None and value in item.field.choices)
    if simple and isinstance(value, str | int | float | bool):
        return _literal(value)
    return "None"


def _may_be_none(argument: _Argument) -> bool:
    return argument.default == "None"


def _about(argument: _Argument) -> str:
    item = argument.item
    place = " of ".join(" ".join(part.split()) for part in (item.label, item.node_name) if part.strip())
    counted = item.field.choices is not None
    text = f"{place}: {'one of its choices' if counted else item.field.allowed or type_word(item.type)}"
    value = plain_value(item)
    if _may_be_none(argument) and value is not None:
        shown = cast("dict[str, Any]", value).get("name", value) if isinstance(value, dict) else value
        text += f"; by default the workflow's own, {textwrap.shorten(str(shown), 60)}"
    return text + "."


# --------------------------------------------------------------------------- writing Python


def _key(argument: _Argument, *, bare: bool = False) -> str:
    pair = f"{_text(argument.item.node_id)}, {_text(argument.item.field_name)}"
    return pair if bare else f"({pair})"


def _literal(value: Any) -> str:
    return _text(value) if isinstance(value, str) else repr(value)


def _text(value: str) -> str:
    """A text in double quotes; JSON's way of writing one is Python's, too."""
    return json.dumps(value, ensure_ascii=False)


def _docstring(first: str, rest: Sequence[str], indent: str) -> list[str]:
    lines = [line.replace("\\", "\\\\").replace('"', "'") for line in (first, *rest)]
    return [
        f'{indent}"""{lines[0]}',
        *(["", *(f"{indent}{line}" for line in lines[1:])] if rest else []),
        f'{indent}"""',
    ]


def _sentence(name: str) -> str:
    text = " ".join(name.split()) or "A workflow"
    return text if text[-1] in ".!?" else f"{text}."


def _told(description: str) -> list[str]:
    text = " ".join(description.split())
    return ["", *textwrap.wrap(text, _WIDTH)] if text else []


def _imports(
    arguments: Iterable[_Argument],
    choices: dict[str, tuple[str, tuple[Any, ...]]],
    is_file: bool,
    client: str,
    run: str,
) -> list[str]:
    hints = " ".join(one.hint for one in arguments)
    abstract = [name for name in ("Mapping", "Sequence") if f"{name}[" in hints]
    lines = [f"from collections.abc import {', '.join(abstract)}"] if abstract else []
    if is_file or "Path" in hints:
        lines.append("from pathlib import Path")
    lines.append("from typing import Any" + (", Literal" if choices else ""))
    return [*lines, "", f"from invokeai_py_client import {client}, {run}"]
