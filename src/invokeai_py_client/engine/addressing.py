"""Which input a name means: index, label, field name or ``node.field``.

Pure: names in, positions out. A name that could mean several inputs is an error that lists names which each mean
one of them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from invokeai_py_client._text import close_names, did_you_mean, listed
from invokeai_py_client.engine.workflow import Key
from invokeai_py_client.errors import AmbiguousInputError, UnknownInputError

_MOST = 12
_CLOSE = 10


@dataclass(frozen=True, slots=True)
class FieldPath:
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


@lru_cache(maxsize=4096)
def plain(name: str) -> str:
    """A name as an identifier: ``Positive Prompt`` and ``positive-prompt`` become ``positive_prompt``.

    Letters of every script stay, with their marks, in the form that Python gives identifiers (NFKC). A name
    without any letter or digit becomes "".
    """
    if name.isascii():
        return re.sub(r"[\W_]+", "_", name.casefold()).strip("_")
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    kept = (
        # \w is not asked: it leaves out the vowel signs of Indian scripts, which are part of the word.
        char if char.isalnum() or unicodedata.category(char).startswith("M") else "_"
        for char in folded
    )
    return re.sub(r"_+", "_", "".join(kept)).strip("_")


def word(name: str) -> str:
    """What two names must share to be the same: ``plain()``, or the name itself where that leaves nothing."""
    return plain(name) or name.strip()


class InputIndex:
    """The inputs of a workflow by all their names. What a question does not need is not built.

    Args:
        form: The inputs that the form shows, in its order.
        everything: Gives all inputs of the workflow, those of the form among them.
    """

    def __init__(self, form: Sequence[FieldPath], everything: Callable[[], Sequence[FieldPath]]) -> None:
        self._form = form
        self._everything = everything
        self._whole: Sequence[FieldPath] | None = None
        self._tables: dict[str, dict[str, list[FieldPath]]] = {}

    def find(self, name: str) -> FieldPath:
        """The input that a name means.

        ``node id.field`` comes first: it always means one input. Then what the form shows, by label, by label
        as an identifier, by field name, and by the name of a node of which it shows one field. Then
        ``node.field`` anywhere in the workflow, then a field name or label that only one settable field of
        the whole workflow has.

        Raises:
            UnknownInputError: Nothing is called so.
            AmbiguousInputError: Several are.
        """
        for found in self._tiers(name):
            if len(found) == 1:
                return found[0]
            if found:
                raise self._ambiguous(name, found)
        raise self._unknown(name)

    def distinct_name(self, place: FieldPath) -> str:
        """A name that means one input alone: ``node.field`` by the node's label if that will do, else by its id."""
        dotted = [
            f"{node}.{field}"
            for field in (place.field_name, place.label)
            for node in (*place.node_names[1:], place.node_names[0])
            if node
        ]
        return next((one for one in dotted if self.means(one, place)), f"{place.key[0]}.{place.field_name}")

    def means(self, name: str, place: FieldPath) -> bool:
        """Whether a name means this input and no other."""
        found = next(filter(None, self._tiers(name)), ())
        return len(found) == 1 and found[0].key == place.key

    def place(self, key: Key) -> FieldPath | None:
        """The place of an input."""
        found = self._table("key", self._all, lambda place: (_joined(*place.key),))
        return next((one for one in found.get(_joined(*key), ()) if one.key == key), None)

    @property
    def others(self) -> list[FieldPath]:
        """The settable inputs that the form does not show."""
        return [place for place in self._all() if place.settable and not place.in_form]

    # ------------------------------------------------------------------ inside

    def _tiers(self, name: str) -> Iterator[Sequence[FieldPath]]:
        """The inputs that a name could mean, best reading first."""
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

    def _dotted(self, name: str, table: str, last: Callable[[FieldPath], str]) -> Sequence[FieldPath]:
        """What ``node.field`` means; dots can be part of either name."""
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
        self._tables[name] = table  # not before it is whole: another thread may look
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

    def _ambiguous(self, name: str, found: Sequence[FieldPath]) -> AmbiguousInputError:
        candidates = [self.distinct_name(place) for place in found]
        return AmbiguousInputError(
            f"{name!r} could be any of {len(found)} inputs; say which: {listed(candidates, _MOST)}.",
            name,
            candidates,
        )

    def _unknown(self, name: str) -> UnknownInputError:
        known: dict[str, tuple[str, FieldPath]] = {}
        for place in (*self._form, *self._settable()):
            nodes = place.node_names if "." in name else ()
            dotted = [f"{node}.{place.field_name}" for node in nodes if node]
            for one in (place.label, place.field_name, place.address, *dotted):
                known.setdefault(word(one), (one if place.in_form else place.address, place))
        wanted = word(name)
        close = [known[one] for one in close_names(wanted, known, most=2 * _CLOSE)]
        shown = close or [(place.label, place) for place in self._form[:_CLOSE]]
        usable = (one if self.means(one, place) else self.distinct_name(place) for one, place in shown)
        candidates = list(dict.fromkeys(usable))[:_CLOSE]
        if close:
            hint = did_you_mean(candidates)
        else:
            hint = f" Its form has {listed(candidates, _CLOSE)}." if candidates else ""
        fed = [
            place.address for place in self._all() if not place.settable and word(place.field_name) == wanted
        ]
        if fed:
            hint = f" Other nodes feed {listed(fed, _CLOSE)}.{hint}"
        return UnknownInputError(f"The workflow has no input {name!r}.{hint}", name, candidates)


def _joined(node: str, field: str) -> str:
    return f"{node}.{field}"
