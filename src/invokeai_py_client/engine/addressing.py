"""Resolution of input names: index, label, field name or ``node.field``.

This module does no I/O: it maps names to positions. If a name matches several inputs, the error lists an
unambiguous name for each of them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from invokeai_py_client._text import close_names, did_you_mean, listed
from invokeai_py_client.engine.seeds import SEED
from invokeai_py_client.engine.workflow import Key
from invokeai_py_client.errors import AmbiguousInputError, UnknownInputError

_MOST = 12
_CLOSE = 10
_SUGGESTED = 4
_OTHER_FIELD = "input"
_LONGEST_FIELD = 56  # leaves room for a number in a portable name
_PORTABLE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_NUMBERED = re.compile(r"\w+_\d+", re.ASCII)


@dataclass(frozen=True, slots=True)
class FieldPath:
    """An input and all of its names.

    Attributes:
        key: The node id and field name.
        label: The label that the editor shows for the field.
        node_names: The names of its node: id, label, type and the type's title.
        settable: Whether the input accepts a value: no edge feeds it, and it is not a connection-only field.
        in_form: Whether the form shows the input.
        is_seed: Whether the input is a seed outside the form. If a name matches only such seeds, it sets all of them.
    """

    key: Key
    label: str
    node_names: tuple[str, ...]
    settable: bool
    in_form: bool
    is_seed: bool = False

    @property
    def field_name(self) -> str:
        """The field's name in requests."""
        return self.key[1]

    @property
    def address(self) -> str:
        """The name to show to users: the node's label (or type) and the field."""
        return f"{next((name for name in self.node_names[1:] if name), self.node_names[0])}.{self.field_name}"


@lru_cache(maxsize=4096)
def plain(name: str) -> str:
    """Return a name as an identifier: ``Positive Prompt`` and ``positive-prompt`` become ``positive_prompt``.

    Letters of all scripts are kept, with their marks, normalized as Python normalizes identifiers (NFKC). If
    a name has no letters or digits, the result is "".
    """
    if name.isascii():
        return re.sub(r"[\W_]+", "_", name.casefold()).strip("_")
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    kept = (
        # \w would not do: it excludes the vowel signs of Indian scripts, which are part of the word.
        char if char.isalnum() or unicodedata.category(char).startswith("M") else "_"
        for char in folded
    )
    return re.sub(r"_+", "_", "".join(kept)).strip("_")


def word(name: str) -> str:
    """Return the form in which names are compared: ``plain()``, or the name itself if that is empty."""
    return plain(name) or name.strip()


def is_portable(name: str) -> bool:
    """Return whether a name has 1 to 64 of the characters ``A-Z a-z 0-9 _ . -``.

    Model APIs and form libraries accept these names as the keys of a JSON Schema.
    """
    return _PORTABLE.fullmatch(name) is not None


class InputIndex:
    """An index of a workflow's inputs by all of their names. Its tables are built when they are first needed.

    Args:
        form: The inputs that the form shows, in its order.
        everything: A function that returns all inputs of the workflow, including those of the form.
        all_seeds: The input that sets all seeds outside the form. Defaults to None.
    """

    def __init__(
        self,
        form: Sequence[FieldPath],
        everything: Callable[[], Sequence[FieldPath]],
        all_seeds: FieldPath | None = None,
    ) -> None:
        self._form = form
        self._everything = everything
        self._all_seeds = all_seeds
        self._whole: Sequence[FieldPath] | None = None
        self._tables: dict[str, dict[str, list[FieldPath]]] = {}
        self._numbers: dict[Key, str] = {}

    def find(self, name: str) -> FieldPath:
        """Return the input with a name.

        The name is tried, in this order, as:

        - ``node id.field``, which is always unambiguous
        - a label in the form, exactly, then without regard to case, then as an identifier
        - a field name in the form
        - the name of a node, if the form shows exactly one of its fields
        - ``node.field`` anywhere in the workflow
        - a field name or label that only one settable field in the whole workflow has, or only seeds
        - the name of a random node that draws a seed
        - a field name and a number; see ``numbered_name()``

        Raises:
            UnknownInputError: No input has this name.
            AmbiguousInputError: Several inputs have this name.
        """
        for found in self._tiers(name):
            if len(found) == 1:
                return found[0]
            if found:
                if self._all_seeds is not None and self._are_all_seeds(name, found):
                    return self._all_seeds
                raise self._ambiguous(name, found)
        raise self._unknown(name)

    def distinct_name(self, place: FieldPath) -> str:
        """Return an unambiguous name of an input: ``node.field`` with the node's label if possible, else its id."""
        dotted = [
            f"{node}.{field}"
            for field in (place.field_name, place.label)
            for node in (*place.node_names[1:], place.node_names[0])
            if node
        ]
        return next((one for one in dotted if self.means(one, place)), f"{place.key[0]}.{place.field_name}")

    def numbered_name(self, place: FieldPath) -> str:
        """Return a portable name that every settable input has: its field name and a number, such as ``prompt_2``.

        Inputs with the same field name are counted from 1: first those in the form, then all others, node by node.
        Numbers are skipped if the result is another name in the workflow.
        """
        self._numbered()
        return self._numbers[place.key]

    def means(self, name: str, place: FieldPath) -> bool:
        """Return whether a name resolves to this input."""
        found = next(filter(None, self._tiers(name)), ())
        if self._all_seeds is not None and self._are_all_seeds(name, found):
            return place.key == self._all_seeds.key
        return len(found) == 1 and found[0].key == place.key

    def place(self, key: Key) -> FieldPath | None:
        """Return the path of an input, or None if the workflow has no such input."""
        found = self._table("key", self._all, lambda place: (_joined(*place.key),))
        return next((one for one in found.get(_joined(*key), ()) if one.key == key), None)

    @property
    def others(self) -> list[FieldPath]:
        """The settable inputs that the form does not show."""
        return [place for place in self._all() if place.settable and not place.in_form]

    # ------------------------------------------------------------------ inside

    def _tiers(self, name: str) -> Iterator[Sequence[FieldPath]]:
        """Yield the inputs that match a name, best match first."""
        yield from self._named(name)
        if _NUMBERED.fullmatch(name):
            yield self._numbered().get(name, ())

    def _named(self, name: str) -> Iterator[Sequence[FieldPath]]:
        """Yield the inputs that match a name that the workflow contains, best match first."""
        wanted = word(name)
        form, everything = self._whole_form, self._all
        if "." in name:
            yield self._table("key", everything, lambda p: (_joined(*p.key),)).get(name, ())
        yield self._table("label", form, lambda p: (p.label,)).get(name, ())
        yield self._table("label case", form, lambda p: (p.label.casefold(),)).get(name.casefold(), ())
        yield self._table("label word", form, lambda p: (word(p.label),)).get(wanted, ())
        yield self._table("field", form, lambda p: (word(p.field_name),)).get(wanted, ())
        yield self._table("node", self._alone_in_form, lambda p: map(word, p.node_names)).get(wanted, ())
        if "." in name:
            yield self._dotted(name, "dotted field", lambda p: p.field_name)
            yield self._dotted(name, "dotted label", lambda p: p.label)
        free = self._table("free", self._settable, lambda p: (word(p.field_name), word(p.label)))
        yield free.get(wanted, ())
        yield self._table("random", self._random, lambda p: map(word, p.node_names)).get(wanted, ())

    def _dotted(self, name: str, table: str, last: Callable[[FieldPath], str]) -> Sequence[FieldPath]:
        """Return the inputs that match ``node.field``; both names can contain dots."""
        known = self._table(
            table,
            self._all,
            lambda p: (_joined(word(node), word(last(p))) for node in p.node_names if node),
        )
        pieces = name.split(".")
        splits = (
            _joined(word(".".join(pieces[:cut])), word(".".join(pieces[cut:])))
            for cut in range(1, len(pieces))
        )
        found = {place.key: place for split in splits for place in known.get(split, ())}
        return list(found.values())

    def _table(
        self,
        name: str,
        places: Callable[[], Sequence[FieldPath]],
        names: Callable[[FieldPath], Iterable[str]],
    ) -> dict[str, list[FieldPath]]:
        known = self._tables.get(name)
        if known is not None:
            return known
        table: dict[str, list[FieldPath]] = {}
        for place in places():
            for one in dict.fromkeys(names(place)):
                if one:
                    table.setdefault(one, []).append(place)
        self._tables[name] = table  # stored only when complete: another thread may read it
        return table

    def _all(self) -> Sequence[FieldPath]:
        if self._whole is None:
            self._whole = self._everything()
        return self._whole

    def _whole_form(self) -> Sequence[FieldPath]:
        return self._form

    def _alone_in_form(self) -> list[FieldPath]:
        counts: dict[str, int] = {}
        for place in self._form:
            counts[place.key[0]] = counts.get(place.key[0], 0) + 1
        return [place for place in self._form if counts[place.key[0]] == 1]

    def _settable(self) -> list[FieldPath]:
        return [place for place in self._all() if place.settable]

    def _are_all_seeds(self, name: str, found: Sequence[FieldPath]) -> bool:
        """Return whether a name without a node matches all seeds outside the form, and there are several."""
        if len(found) < 2 or "." in name or not all(place.is_seed for place in found):
            return False
        return len(found) == sum(place.is_seed for place in self._all())

    def _numbered(self) -> dict[str, list[FieldPath]]:
        known = self._tables.get("numbered")
        if known is not None:
            return known
        table: dict[str, list[FieldPath]] = {}
        counts: dict[str, int] = {}
        for place in (*(place for place in self._form if place.settable), *self.others):
            field = plain(place.field_name)
            if not field or not field.isascii() or len(field) > _LONGEST_FIELD:
                field = _OTHER_FIELD
            number = counts.get(field, 0) + 1
            while any(self._named(f"{field}_{number}")):
                number += 1
            counts[field] = number
            table[f"{field}_{number}"] = [place]
        self._numbers = {place.key: name for name, (place,) in table.items()}
        self._tables["numbered"] = table
        return table

    def _random(self) -> list[FieldPath]:
        return [place for place in self._all() if place.is_seed and place.field_name != SEED]

    def _ambiguous(self, name: str, found: Sequence[FieldPath]) -> AmbiguousInputError:
        candidates = [self.distinct_name(place) for place in found]
        return AmbiguousInputError(
            f"The input name {name!r} is ambiguous: {len(found)} inputs match. Use one of these names: "
            f"{listed(candidates, _MOST)}.",
            name,
            candidates,
        )

    def _unknown(self, name: str) -> UnknownInputError:
        known: dict[str, tuple[str, FieldPath]] = {}
        for place in (*self._form, *self._settable()):
            nodes = place.node_names if "." in name else ()
            dotted = [f"{node}.{place.field_name}" for node in nodes if node]
            outside = SEED if place.is_seed and "." not in name else place.address
            for one in (place.label, place.field_name, place.address, *dotted):
                known.setdefault(word(one), (one if place.in_form else outside, place))
        wanted = word(name)
        close = [known[one] for one in close_names(wanted, known, most=2 * _CLOSE)]
        shown = close or [(place.label, place) for place in self._form[:_CLOSE]]
        usable = (one if self.means(one, place) else self.distinct_name(place) for one, place in shown)
        candidates = list(dict.fromkeys(usable))[:_CLOSE]
        if close:
            hint = did_you_mean(candidates[:_SUGGESTED])
        else:
            hint = f" The inputs in its form: {listed(candidates, _CLOSE)}." if candidates else ""
        fed = [
            place.address for place in self._all() if not place.settable and word(place.field_name) == wanted
        ]
        if fed:
            hint = f" Connections feed {listed(fed, _CLOSE)}, so no value can be set there.{hint}"
        return UnknownInputError(f"The workflow has no input named {name!r}.{hint}", name, candidates)


def _joined(node: str, field: str) -> str:
    return f"{node}.{field}"
