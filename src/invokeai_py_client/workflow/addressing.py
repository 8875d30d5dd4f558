"""Which input a name means: index, label, field name or ``node.field``.

Pure: names in, positions out. A name that could mean several inputs is an error that lists names which each mean
one of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from invokeai_py_client.errors import AmbiguousInputError, UnknownInputError
from invokeai_py_client.workflow.loaded import Key


@dataclass(frozen=True, slots=True)
class Place:
    """An input and everything it is called.

    Attributes:
        key: Where it is.
        label: What the editor shows for the field.
        node_names: What its node is called: id, label, type, the type's title.
        settable: Whether it takes a value (no edge feeds it, and it is no connection-only field).
        in_form: Whether the form shows it.
    """

    key: Key
    label: str
    node_names: tuple[str, ...]
    settable: bool
    in_form: bool

    @property
    def field_name(self) -> str:
        """The field's name on the wire."""
        return self.key[1]

    @property
    def address(self) -> str:
        """A name that people can type: the node's label (or type) and the field."""
        return f"{next((name for name in self.node_names[1:] if name), self.node_names[0])}.{self.field_name}"


def plain(name: str) -> str:
    """A name as an identifier: ``Positive Prompt`` and ``positive-prompt`` become ``positive_prompt``."""
    return re.sub(r"[\W_]+", "_", name.casefold()).strip("_")


_Test = Callable[[Place], bool]


def find_place(name: str, places: Sequence[Place]) -> Place:
    """The input that a name means.

    What the form shows comes first, by label, by label as an identifier, by field name, and by the label of
    a node of which it shows one field. Then ``node.field`` anywhere in the workflow, then a field name or
    label that only one settable field of the whole workflow has.

    Raises:
        UnknownInputError: Nothing is called so.
        AmbiguousInputError: Several are.
    """
    form = [place for place in places if place.in_form]
    wanted = plain(name)
    settable = [place for place in places if place.settable]
    tests: list[tuple[Sequence[Place], _Test]] = [
        (form, lambda place: place.label == name),
        (form, lambda place: plain(place.label) == wanted),
        (form, lambda place: plain(place.field_name) == wanted),
        (_alone_in_form(form), lambda place: wanted in map(plain, place.node_names)),
        (places, lambda place: _matches_dotted(name, place)),
        (settable, lambda place: wanted in (plain(place.field_name), plain(place.label))),
    ]
    for group, test in tests:
        found = [place for place in group if test(place)]
        if len(found) == 1:
            return found[0]
        if found:
            raise _ambiguous(name, found, places)
    raise _unknown(name, places)


def distinct_names(chosen: Iterable[Place], places: Sequence[Place]) -> list[str]:
    """For each of some inputs a name that means it alone."""
    names: list[str] = []
    for place in chosen:
        dotted = [
            f"{node}.{place.field_name}" for node in (*place.node_names[1:], place.node_names[0]) if node
        ]
        names.append(next((one for one in dotted if _only(one, place, places)), dotted[-1]))
    return names


def _only(name: str, place: Place, places: Sequence[Place]) -> bool:
    return [other for other in places if _matches_dotted(name, other)] == [place]


def _alone_in_form(form: Sequence[Place]) -> list[Place]:
    nodes = [place.key[0] for place in form]
    return [place for place in form if nodes.count(place.key[0]) == 1]


def _matches_dotted(name: str, place: Place) -> bool:
    node, dot, field = name.rpartition(".")
    if not dot or plain(field) not in (plain(place.field_name), plain(place.label)):
        return False
    return node == place.key[0] or plain(node) in {plain(one) for one in place.node_names if one}


def _ambiguous(name: str, found: Sequence[Place], places: Sequence[Place]) -> AmbiguousInputError:
    candidates = distinct_names(found, places)
    shown = ", ".join(map(repr, candidates[:12]))
    return AmbiguousInputError(
        f"{name!r} could be any of {len(found)} inputs; say which: {shown}.", name, candidates
    )


def _unknown(name: str, places: Sequence[Place]) -> UnknownInputError:
    known: dict[str, str] = {}
    for place in places:
        if place.in_form or place.settable:
            for one in (place.label, place.field_name, place.address):
                known.setdefault(plain(one), one if place.in_form or "." in one else place.address)
    close = [known[key] for key in get_close_matches(plain(name), list(known), n=5, cutoff=0.55)]
    candidates = list(dict.fromkeys(close)) or [place.label for place in places if place.in_form][:10]
    hint = (
        f" {'Close names' if close else 'Its form has'}: {', '.join(map(repr, candidates))}."
        if candidates
        else ""
    )
    return UnknownInputError(f"The workflow has no input {name!r}.{hint}", name, candidates)
