"""The generator of the synchronous classes, run on small packages written for these tests."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from invokeai_py_client import _sync
from invokeai_py_client._face import Face, LazyConstant, unwrap, wrap
from invokeai_py_client.transport.loop import LoopThread

REPOSITORY = Path(__file__).resolve().parents[2]

TOY = '''
"""Toys, AsyncToy and others, for await in the tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any, overload

from invokeai_py_client._base import AsyncObject, face
from invokeai_py_client.transport.loop import call_back

if TYPE_CHECKING:
    from pathlib import Path

LOUD: int = 11
QUIET = 1


class AsyncToy(AsyncObject):
    r"""A toy; an AsyncToy can \\\\ play.

    Attributes:
        name: What it is called.
        parts: Other toys.

    Example:
        async with AsyncToy(client) as toy:
            result = await toy.play(3)
            async for sound in toy.sounds():
                print(sound)
    """

    def __init__(self, client: Any, name: str, *, loud: bool = False) -> None:
        self.connection = client
        self.name = name
        self.loud = loud
        self.parts: list[AsyncToy] = []

    @property
    def first(self) -> AsyncToy | None:
        """The first AsyncToy in it."""
        return self.parts[0] if self.parts else None

    @property
    def volume(self) -> int:
        return LOUD if self.loud else QUIET

    @volume.setter
    def volume(self, value: int) -> None:
        self.loud = value > QUIET

    async def play(
        self,
        times: int,
        /,
        how: str = "gently",
        *others: str,
        with_toy: AsyncToy | None = None,
        at: int = LOUD,
        **more: Any,
    ) -> tuple[Any, ...]:
        """Play; ``await toy.play(1)``.

        Args:
            times: How often.
            how: How.
        """
        await asyncio.sleep(0)
        assert with_toy is None or isinstance(with_toy, AsyncToy)
        return (self.name, times, how, others, with_toy and with_toy.name, at, more)

    async def copy(self) -> AsyncToy:
        """Another one."""
        toy = AsyncToy(self.connection, self.name + "'")
        toy.parts = [self]
        return toy

    async def family(self) -> Mapping[str, list[AsyncToy]]:
        return {"all": [self, await self.copy()]}

    async def nothing(self) -> None:
        """Returns nothing."""

    async def fail(self) -> None:
        raise LookupError("no batteries")

    async def sounds(self, *, count: int = 2) -> AsyncIterator[str]:
        """Sounds, one by one."""
        for number in range(count):
            yield f"{self.name} {number}"

    def toys(self) -> AsyncIterator[AsyncToy]:
        """Its parts."""
        async def each() -> AsyncIterator[AsyncToy]:
            for part in self.parts:
                yield part
        return each()

    async def tell(self, listener: Callable[[str], object]) -> None:
        await call_back(listener, self.name)

    def describe(self, other: AsyncToy, *toys: AsyncToy) -> str:
        """Plain, not asynchronous."""
        return " and ".join(toy.name for toy in (self, other, *toys))

    def grown(self) -> AsyncToy:
        self.parts.append(AsyncToy(self.connection, f"{self.name}.{len(self.parts)}"))
        return self

    @face(sync_name="play_sync", async_name="play_async")
    async def play_both(self, times: int) -> AsyncToy:
        """Both ways: ``await toy.play_both(1)``."""
        self.name += "!" * times
        return self

    @face(sync_name="hear", async_name="hear_async")
    async def hear_both(self) -> AsyncIterator[AsyncToy]:
        yield self

    @face(same=True)
    async def here(self, count: int = 1) -> int:
        """In the caller's own loop."""
        return id(asyncio.get_running_loop()) * count

    async def wind(self) -> None:
        """Wind it up."""
        self.name += "*"

    @property
    @face(after="wind")
    def wound(self) -> AsyncToy:
        """The toy, after it was wound up."""
        return self

    @face(ends_loop=True)
    async def close(self) -> None:
        """Put it away."""

    async def __aenter__(self) -> AsyncToy:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    def __aiter__(self) -> AsyncIterator[AsyncToy]:
        return self.toys()

    def __len__(self) -> int:
        return len(self.parts)

    def __repr__(self) -> str:
        return f"<AsyncToy {self.name}>"

    def _hidden(self) -> str:
        return "hidden"

    def _repr_html_(self) -> str:
        return f"<b>{self.name}</b>"


class AsyncRobot(AsyncToy):
    """An AsyncToy that walks."""

    async def walk(self) -> str:
        """Walk."""
        return f"{self.name} walks"


class Plain:
    """Not one of them."""
'''


class Maker:
    """The generator, running on a temporary package."""

    def __init__(self, module: ModuleType, root: Path) -> None:
        self.module = module
        self.root = root
        self.package = root / "src" / "invokeai_py_client"
        self.target = self.package / "_sync.py"

    def run(self, *arguments: str) -> int:
        old = sys.argv
        sys.argv = ["generate_sync.py", *arguments]
        try:
            return self.module.main()
        finally:
            sys.argv = old

    def write(self, name: str, text: str) -> None:
        path = self.package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))

    def load(self, *names: str) -> dict[str, ModuleType]:
        """Import the package's modules, then the generated module, under the name ``_sync``.

        Its classes are added to the real ``_sync``, because ``wrap`` looks for them there.
        """
        loaded = {
            name: module_from(self.package / f"{name}.py", f"invokeai_py_client.{name.replace('/', '.')}")
            for name in names
        }
        loaded["_sync"] = module_from(self.target, f"invokeai_py_client._sync_of_{self.root.name}")
        self.faces = {
            name: value
            for name, value in vars(loaded["_sync"]).items()
            if getattr(value, "__module__", None) == loaded["_sync"].__name__
        }
        assert not {*self.faces} & {*vars(_sync)}
        for name, value in self.faces.items():
            setattr(_sync, name, value)
        self.loaded = loaded
        return loaded

    def unload(self) -> None:
        for name in self.faces:
            delattr(_sync, name)
        for module in self.loaded.values():
            del sys.modules[module.__name__]


def module_from(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def new_maker(root: Path, *made_by_users: str) -> Maker:
    maker = Maker(module_from(REPOSITORY / "tools" / "generate_sync.py", "generate_sync_for_test"), root)
    maker.package.mkdir(parents=True)
    (root / "pyproject.toml").write_text((REPOSITORY / "pyproject.toml").read_text())
    maker.module.ROOT, maker.module.PACKAGE, maker.module.TARGET = root, maker.package, maker.target  # type: ignore[attr-defined]
    maker.module.MADE_BY_USERS = set(made_by_users)  # type: ignore[attr-defined]
    return maker


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Maker, Any, Any]]:
    """Return the generator, the asynchronous module and the synchronous module."""
    maker = new_maker(tmp_path_factory.mktemp("tree"))
    maker.write("toy.py", TOY)
    assert maker.run() == 0
    loaded = maker.load("toy")
    yield maker, loaded["toy"], loaded["_sync"]
    maker.unload()


class Client:
    def __init__(self) -> None:
        self.loop_thread = LoopThread()


@pytest.fixture
def toy(toys: tuple[Maker, Any, Any]) -> Iterator[Any]:
    client = Client()
    yield wrap(toys[1].AsyncToy(client, "bear"))
    client.loop_thread.close()


# --------------------------------------------------------------------------- behavior of the classes


def test_a_coroutine_becomes_a_method(toy: Any) -> None:
    assert toy.play(2) == ("bear", 2, "gently", (), None, 11, {})
    assert toy.nothing() is None
    with pytest.raises(LookupError, match="no batteries"):
        toy.fail()


def test_arguments_of_all_kinds_are_passed_on(toy: Any) -> None:
    other = toy.copy()
    assert toy.play(3, "loudly", "a", "b", with_toy=other, at=4, x=5) == (
        "bear", 3, "loudly", ("a", "b"), "bear'", 4, {"x": 5}
    )  # fmt: skip
    with pytest.raises(TypeError):
        toy.play(times=3)  # positional only
    assert toy.describe(other, other) == "bear and bear' and bear'"


def test_results_are_synchronous_too(toys: tuple[Maker, Any, Any], toy: Any) -> None:
    kind = toys[2].Toy
    other = toy.copy()
    assert type(other) is kind
    family = toy.family()
    assert [type(one) for one in family["all"]] == [kind, kind]
    assert family["all"][0] is toy
    assert toy.first is None
    assert type(toy.grown().first) is kind
    assert toy.grown() is toy


def test_iterators(toys: tuple[Maker, Any, Any], toy: Any) -> None:
    assert list(toy.sounds()) == ["bear 0", "bear 1"]
    assert list(toy.sounds(count=1)) == ["bear 0"]
    toy.grown().grown()
    assert [part.name for part in toy.toys()] == ["bear.0", "bear.1"]
    assert [type(part) for part in toy] == [toys[2].Toy] * 2
    assert len(toy) == 2


def test_properties_and_attributes(toy: Any) -> None:
    assert (toy.name, toy.loud, toy.volume) == ("bear", False, 1)
    toy.volume = 9
    assert (toy.loud, toy.volume) == (True, 11)
    assert toy.parts == []
    with pytest.raises(AttributeError):
        toy.name = "other"


def test_callbacks_run_in_calling_thread(toy: Any) -> None:
    seen: list[Any] = []

    def listen(name: str) -> None:
        seen.append((name, toy.play(1)[0]))

    toy.tell(listen)
    assert seen == [("bear", "bear")]


def test_with_block_closes_and_ends_loop(toy: Any) -> None:
    with toy as same:
        assert same is toy
        toy.nothing()
        assert toy._loop_thread.is_running
    assert not toy._loop_thread.is_running
    assert toy.nothing() is None  # and using the client starts it again


def test_property_is_read_after_a_call(toy: Any) -> None:
    assert toy.wound is toy
    assert toy.name == "bear*"
    assert toy._impl.wound is toy._impl
    assert toy.name == "bear*"


async def test_method_with_async_name_has_both_versions(toy: Any) -> None:
    assert toy.play_sync(1) is toy
    assert await toy.play_async(2) is toy
    assert toy.name == "bear!!!"
    assert not hasattr(toy, "play_both")
    assert list(toy.hear()) == [toy]
    assert [one async for one in toy.hear_async()] == [toy]


async def test_unchanged_method_runs_in_callers_loop(toy: Any) -> None:
    import asyncio

    assert await toy.here() == id(asyncio.get_running_loop())
    assert await toy.here(count=2) == 2 * id(asyncio.get_running_loop())


def test_private_members_are_omitted(toy: Any) -> None:
    assert not hasattr(toy, "_hidden")
    assert toy._repr_html_() == "<b>bear</b>"
    assert repr(toy) == "<Toy bear>"


def test_a_subclass_has_the_inherited_members_too(toys: tuple[Maker, Any, Any], toy: Any) -> None:
    robot = wrap(toys[1].AsyncRobot(toy._impl.connection, "robo"))
    assert type(robot) is toys[2].Robot
    assert toys[2].Robot.__bases__ == (Face,)
    assert robot.walk() == "robo walks"
    assert robot.play(1)[0] == "robo"
    assert robot.name == "robo"


# --------------------------------------------------------------------------- signatures and docstrings


def test_signatures_are_kept(toys: tuple[Maker, Any, Any]) -> None:
    kind = toys[2].Toy
    assert str(inspect.signature(kind.play)) == (
        "(self, times: 'int', /, how: 'str' = 'gently', *others: 'str', with_toy: 'Toy | None' = None, "
        "at: 'int' = 11, **more: 'Any') -> 'tuple[Any, ...]'"
    )
    assert str(inspect.signature(kind.sounds)) == "(self, *, count: 'int' = 2) -> 'Iterator[str]'"
    assert str(inspect.signature(kind.family)) == "(self) -> 'Mapping[str, list[Toy]]'"
    assert str(inspect.signature(kind.hear)) == "(self) -> 'Iterator[Toy]'"
    assert str(inspect.signature(kind.hear_async)) == "(self) -> 'AsyncIterator[Toy]'"
    assert inspect.iscoroutinefunction(kind.play_async)
    assert inspect.iscoroutinefunction(kind.here)
    assert not inspect.iscoroutinefunction(kind.play_sync)


def test_docstrings_describe_the_synchronous_class(toys: tuple[Maker, Any, Any]) -> None:
    kind = toys[2].Toy
    assert inspect.getdoc(kind) == textwrap.dedent("""\
        A toy; a Toy can \\\\ play.

        Attributes:
            name: What it is called.
            parts: Other toys.

        Example:
            with Toy(client) as toy:
                result = toy.play(3)
                for sound in toy.sounds():
                    print(sound)""")
    assert inspect.getdoc(kind.play) == textwrap.dedent("""\
        Play; ``toy.play(1)``.

        Args:
            times: How often.
            how: How.""")
    assert kind.first.__doc__ == "The first Toy in it."
    assert kind.name.__doc__ == "What it is called."
    assert kind.play_sync.__doc__ == "Both ways: ``toy.play_both(1)``."
    assert kind.play_async.__doc__ == "Both ways: ``await toy.play_both(1)``."


def test_only_asynchronous_classes_are_generated(toys: tuple[Maker, Any, Any]) -> None:
    maker, _, synchronous = toys
    assert not hasattr(synchronous, "Plain")
    assert sorted(maker.faces) == ["Robot", "Toy"]


def test_one_tidy_file_is_written(toys: tuple[Maker, Any, Any]) -> None:
    maker = toys[0]
    assert sorted(path.name for path in maker.package.rglob("*.py")) == ["_sync.py", "toy.py"]
    text = maker.target.read_text()
    assert "Generated by tools/generate_sync.py" in text
    assert "overload" not in text  # nothing unused is imported
    assert "if TYPE_CHECKING:" in text
    assert max(map(len, text.splitlines())) <= 120


# --------------------------------------------------------------------------- bases


FARM = {
    "parts/resource.py": '''
        """What all resources have."""

        from __future__ import annotations

        from typing import Any

        from invokeai_py_client._base import AsyncObject


        class Resource(AsyncObject):
            """A base that is not called Async."""

            def __init__(self, client: Any) -> None:
                self.connection = client
                self.kind: str = "resource"
                self.hidden: int = 1

            @property
            def label(self) -> str:
                """The label."""
                return self.kind

            @label.setter
            def label(self, value: str) -> None:
                self.kind = value

            async def ping(self) -> str:
                """Answer."""
                return "resource"

            async def pong(self) -> str:
                return "resource"
    ''',
    "parts/animals.py": '''
        """A base between."""

        from __future__ import annotations

        import enum
        from typing import TYPE_CHECKING

        from invokeai_py_client.parts.resource import Resource

        if TYPE_CHECKING:
            from collections.abc import AsyncIterator, Sequence
            from decimal import Decimal

        LIMIT = 4 * 2


        class Order(enum.Enum):
            OLDEST = "oldest"
            NEWEST = "newest"


        class AsyncAnimals(Resource):
            """A base without instances."""

            async def ping(self) -> str:
                """Answer as an animal."""
                return "animals"

            async def prices(self, limit: int = LIMIT, order: Order = Order.OLDEST) -> Sequence[Decimal | str]:
                """Return the prices."""
                return [str(limit), order.value]

            async def each(self) -> AsyncIterator[str]:
                yield "animal"
    ''',
    "older.py": '''
        """Names of an older version."""

        from __future__ import annotations

        from fractions import Fraction
        from typing import TYPE_CHECKING

        from invokeai_py_client._base import face

        if TYPE_CHECKING:
            from invokeai_py_client.parts import AsyncFarm


        class OlderNames:
            """A mixin."""

            @face(sync_name="_fetch")
            async def fetch(self, share: Fraction) -> AsyncFarm:
                """Return an AsyncFarm."""
                return self  # type: ignore[return-value]

            async def pong(self) -> str:
                """Answer as the mixin."""
                return "mixin"

            async def close(self) -> None:
                pass
    ''',
    "parts/farm.py": '''
        """The class itself."""

        from __future__ import annotations

        from typing import TYPE_CHECKING, Any

        from invokeai_py_client.older import OlderNames
        from invokeai_py_client.parts.animals import AsyncAnimals

        if TYPE_CHECKING:
            from typing import Self


        class AsyncFarm(OlderNames, AsyncAnimals):
            """A farm.

            Attributes:
                kind: The kind of farm.
            """

            def __init__(self, client: Any, name: str = "farm") -> None:
                """Build an AsyncFarm."""
                super().__init__(client)
                self.name = name

            @classmethod
            def named(cls, client: Any, name: str) -> Self:
                """Return a farm."""
                return cls(client, name)

            @property
            def hidden(self) -> int:
                """A property takes the place of an attribute."""
                return 2

            @hidden.setter
            def hidden(self, value: int) -> None:
                pass

            @property
            def label(self) -> str:
                """The label, which cannot be set."""
                return f"farm {self.name}"

            async def ping(self) -> str:
                """Answer as the farm."""
                return "farm " + await super().ping()
    ''',
    "parts/__init__.py": '''
        """Parts."""

        from __future__ import annotations

        from typing import TYPE_CHECKING

        if TYPE_CHECKING:
            from invokeai_py_client.parts.farm import AsyncFarm
    ''',
}


@pytest.fixture(scope="module")
def farms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Maker, Any]]:
    """Return the generator and the synchronous class of a class whose bases are in other modules."""
    maker = new_maker(tmp_path_factory.mktemp("farms"), "AsyncFarm")
    for name, text in FARM.items():
        maker.write(name, text)
    assert maker.run() == 0
    loaded = maker.load("parts/resource", "parts/animals", "older", "parts/farm")
    yield maker, loaded["_sync"].Farm
    maker.unload()


@pytest.fixture
def farm(farms: tuple[Maker, Any]) -> Iterator[Any]:
    client = Client()
    yield farms[1](client)
    client.loop_thread.close()


def test_members_of_all_bases_are_in_one_class(farms: tuple[Maker, Any], farm: Any) -> None:
    maker, kind = farms
    assert sorted(maker.faces) == ["Farm"]  # bases and mixins have no synchronous class
    assert sorted(maker.target.parent.glob("_sync*")) == [maker.target]
    assert kind.__bases__ == (Face,)
    assert (farm.kind, farm.name) == ("resource", "farm")
    assert list(farm.each()) == ["animal"]
    assert farm._fetch(1) is farm


def test_the_class_comes_first_and_then_its_bases_in_order(farms: tuple[Maker, Any]) -> None:
    names = [name for name in vars(farms[1]) if not name.startswith("__") or name == "__init__"]
    assert names == [
        *("__init__", "name", "kind"),
        *("named", "hidden", "label", "ping"),  # AsyncFarm
        *("_fetch", "pong", "close"),  # OlderNames
        *("prices", "each"),  # AsyncAnimals
    ]


def test_overrides_win(farms: tuple[Maker, Any], farm: Any) -> None:
    kind = farms[1]
    assert (farm.ping(), kind.ping.__doc__) == ("farm animals", "Answer as the farm.")
    assert (farm.pong(), kind.pong.__doc__) == ("mixin", "Answer as the mixin.")
    assert farm.label == "farm farm"
    with pytest.raises(AttributeError):
        farm.label = "other"  # overriding the getter also overrides the setter of the base
    assert farm.hidden == 2
    farm.hidden = 3
    assert kind.kind.__doc__ == "The kind of farm."


def test_types_come_from_the_modules_that_define_the_members(farms: tuple[Maker, Any]) -> None:
    maker, kind = farms
    assert str(inspect.signature(kind._fetch)) == "(self, share: 'Fraction') -> 'Farm'"
    assert kind._fetch.__doc__ == "Return a Farm."
    text = maker.target.read_text()
    for line in (
        "from decimal import Decimal",
        "from fractions import Fraction",
        "from invokeai_py_client.parts.farm import AsyncFarm",
    ):
        assert f"    {line}\n" in text
    assert "AsyncAnimals" not in text
    assert "OlderNames" not in text


def test_default_values_need_no_import(farms: tuple[Maker, Any], farm: Any) -> None:
    kind = farms[1]
    limit, order = [*inspect.signature(kind.prices).parameters.values()][1:]
    assert limit.default == 8
    assert isinstance(order.default, LazyConstant)
    assert repr(order.default) == "<Order.OLDEST: 'oldest'>"
    assert farm.prices() == ["8", "oldest"]
    newest = sys.modules["invokeai_py_client.parts.animals"].Order.NEWEST  # type: ignore[attr-defined]
    assert farm.prices(1, newest) == ["1", "newest"]
    assert farm.prices(1, order.default) == ["1", "oldest"]


def test_constant_is_loaded_when_needed() -> None:
    constant = LazyConstant("nowhere").one
    with pytest.raises(ModuleNotFoundError, match="nowhere"):
        unwrap(constant)
    assert unwrap(LazyConstant("math").pi) == unwrap(LazyConstant("math", "pi")) > 3
    assert unwrap(LazyConstant("math")).pi > 3
    assert not hasattr(constant, "__wrapped__")


def test_constructors_and_classmethods_import_their_class_themselves(farms: tuple[Maker, Any]) -> None:
    maker, kind = farms
    tree = ast.parse(maker.target.read_text())
    at_import = [node.module for node in tree.body if isinstance(node, ast.ImportFrom)]
    assert at_import == ["__future__", "typing", "invokeai_py_client._face"]
    own_imports = {
        function.name: [ast.unparse(node) for node in function.body if isinstance(node, ast.ImportFrom)]
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
    }
    line = "from invokeai_py_client.parts.farm import AsyncFarm"
    assert {name: lines for name, lines in own_imports.items() if lines} == {
        "__init__": [line],
        "named": [line],
    }
    client = Client()
    built = kind(client, "new")
    assert type(built) is kind
    assert wrap(built._impl) is built
    assert built.name == "new"
    assert kind.__init__.__doc__ == "Build a Farm."
    named = kind.named(client, "old")
    assert (type(named), named.name) == (kind, "old")


def test_object_of_subclass_without_face_gets_the_face_of_its_base(farms: tuple[Maker, Any]) -> None:
    base = farms[0].loaded["parts/farm"].AsyncFarm
    subclass = type("AsyncRanch", (base,), {})
    assert type(wrap(subclass(Client()))) is farms[1]


def test_a_base_whose_init_is_not_called_sets_no_attributes(tmp_path: Path) -> None:
    maker = new_maker(tmp_path)
    maker.write("base.py", "class Base:\n    def __init__(self) -> None:\n        self.a: int = 1\n")
    maker.write(
        "sub.py",
        """
        from invokeai_py_client.base import Base

        class AsyncSub(Base):
            def __init__(self) -> None:
                self.b: int = 2

        class AsyncOther(Base): ...
        """,
    )
    assert maker.run() == 0
    other, sub = [node for node in ast.parse(maker.target.read_text()).body if isinstance(node, ast.ClassDef)]
    assert [one.name for one in other.body if isinstance(one, ast.FunctionDef)] == ["a"]
    assert [one.name for one in sub.body if isinstance(one, ast.FunctionDef)] == ["b"]


def test_a_base_may_have_another_name(tmp_path: Path) -> None:
    maker = new_maker(tmp_path)
    maker.write(
        "mixin.py",
        """
        from typing import TYPE_CHECKING

        class Thing:
            def thing(self) -> str: ...

        if TYPE_CHECKING:
            OnlyForCheckers = Thing
        else:
            OnlyForCheckers = object

        class Mixin(OnlyForCheckers):
            size: int  # declared for the methods, set elsewhere

            def mixed(self) -> str: ...

        Renamed = Mixin
        """,
    )
    maker.write(
        "sub.py",
        "from invokeai_py_client.mixin import Renamed as Base\n\nclass AsyncSub(Base, list[int]): ...",
    )
    assert maker.run() == 0
    (sub,) = [node for node in ast.parse(maker.target.read_text()).body if isinstance(node, ast.ClassDef)]
    assert [one.name for one in sub.body if isinstance(one, ast.FunctionDef)] == ["mixed"]


def test_the_order_of_bases_is_pythons(tmp_path: Path) -> None:
    maker = new_maker(tmp_path)
    maker.write(
        "diamond.py",
        """
        class Top:
            def a(self) -> str: ...
            def b(self) -> str: ...

        class Left(Top):
            def b(self) -> str: ...

        class Right(Top):
            def a(self) -> str: ...
            def c(self) -> str: ...

        class AsyncBottom(Left, Right):
            def d(self) -> str: ...
        """,
    )
    assert maker.run() == 0
    (bottom,) = [node for node in ast.parse(maker.target.read_text()).body if isinstance(node, ast.ClassDef)]
    assert [one.name for one in bottom.body if isinstance(one, ast.FunctionDef)] == ["d", "b", "a", "c"]


@pytest.mark.parametrize(
    ("modules", "complaint"),
    [
        (
            {"a.py": "class AsyncOne: ...", "b.py": "class AsyncOne: ..."},
            r"Two classes are called AsyncOne, in invokeai_py_client\.a and in invokeai_py_client\.b\. "
            "Their synchronous classes would both be One: rename one of them",
        ),
        (
            {"a.py": "from pathlib import Path\nclass AsyncPath:\n    def go(self) -> Path: ..."},
            r"Two definitions would be called Path in _sync\.py: invokeai_py_client\.a\.AsyncPath and pathlib\.Path\. "
            "Rename one of them, or import it under another name",
        ),
        (
            {
                "a.py": "class Size: ...\nclass AsyncOne:\n    def go(self) -> Size: ...",
                "b.py": "class Size: ...\nclass AsyncTwo:\n    def go(self) -> Size: ...",
            },
            r"would be called Size in _sync\.py: invokeai_py_client\.a\.Size and invokeai_py_client\.b\.Size",
        ),
        ({"a.py": "class AsyncFace: ..."}, "would be called Face in"),
        (
            {"a.py": "class AsyncBase: ...\nclass AsyncSub(AsyncBase):\n    def go(self) -> AsyncBase: ..."},
            "an annotation uses AsyncBase, which has no synchronous class because it is only a base",
        ),
        (
            {"a.py": "from invokeai_py_client.b import Base\nclass AsyncSub(Base): ..."},
            r"cannot find invokeai_py_client\.b\.Base, a base of AsyncSub",
        ),
        (
            {"a.py": "class A: ...\nclass B(A): ...\nclass AsyncSub(A, B): ..."},
            "the bases of AsyncSub have no consistent order",
        ),
    ],
)
def test_ambiguous_packages_are_refused(tmp_path: Path, modules: dict[str, str], complaint: str) -> None:
    maker = new_maker(tmp_path)
    for name, text in modules.items():
        maker.write(name, text)
    with pytest.raises(SystemExit, match=complaint):
        maker.run()
    assert not maker.target.exists()


# --------------------------------------------------------------------------- wrap and unwrap


def test_wrapping_goes_into_containers_and_back(toys: tuple[Maker, Any, Any], toy: Any) -> None:
    impl = toy._impl
    assert wrap([impl, 1, (impl, "x"), {"k": impl}]) == [toy, 1, (toy, "x"), {"k": toy}]
    assert wrap(impl) is toy  # the same face each time
    assert unwrap([toy, 1, (toy, "x"), {"k": toy}]) == [impl, 1, (impl, "x"), {"k": impl}]
    assert unwrap("text") == "text"
    assert wrap(None) is None


def test_faces_are_equal_if_their_objects_are(toys: tuple[Maker, Any, Any], toy: Any) -> None:
    assert toy == wrap(toy._impl)
    assert toy != toy.copy()
    assert toy != toy._impl
    assert len({toy, wrap(toy._impl)}) == 1


def test_object_without_face_raises_with_hint(toys: tuple[Maker, Any, Any]) -> None:
    from invokeai_py_client._base import AsyncObject

    class AsyncStray(AsyncObject):
        pass

    with pytest.raises(TypeError, match=r"AsyncStray has no synchronous class\. Run tools/generate_sync"):
        wrap(AsyncStray())
    assert issubclass(toys[2].Toy, Face)


# --------------------------------------------------------------------------- running it


SMALL = '''
    """Small."""

    from __future__ import annotations

    from invokeai_py_client._base import AsyncObject


    class AsyncSmall(AsyncObject):
        """A small one."""

        async def work(self) -> int:
            """Work."""
            return 1
'''


def test_check_reports_outdated_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    maker = new_maker(tmp_path)
    maker.write("small.py", SMALL)
    assert maker.run("--check") == 1
    outdated = "src/invokeai_py_client/_sync.py is out of date. Run: python tools/generate_sync.py\n"
    assert capsys.readouterr().out == outdated
    assert not maker.target.exists()  # --check does not write

    assert maker.run() == 0
    assert capsys.readouterr().out == "src/invokeai_py_client/_sync.py: written\n"
    assert maker.run("--check") == 0
    assert capsys.readouterr().out == ""
    assert maker.run() == 0
    assert capsys.readouterr().out == "src/invokeai_py_client/_sync.py: unchanged\n"

    maker.target.write_text(maker.target.read_text().replace("Work.", "Play."))
    assert maker.run("--check") == 1
    assert capsys.readouterr().out == outdated
    assert "Play." in maker.target.read_text()

    assert maker.run() == 0
    assert "Work." in maker.target.read_text()


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("def __init__(self) -> None:\n        self.size = 1 + 1", r"self\.size needs a type"),
        (
            "@classmethod\n    async def make(cls) -> int:\n        return 1",
            "AsyncOdd.make: an asynchronous classmethod",
        ),
        ("@staticmethod\n    def make() -> int:\n        return 1", "AsyncOdd.make: a static method"),
        (
            "@asynccontextmanager\n    async def open(self) -> AsyncIterator[int]:\n        yield 1",
            r"AsyncOdd.open: an asynchronous context manager needs @face\(same=True\)",
        ),
        (
            "@face(sync_name='b')\n    async def a(self) -> None: ...\n    async def b(self) -> None: ...",
            "AsyncOdd: Odd would have two members named b",
        ),
        ("size = 1", "AsyncOdd.size: class attributes are not supported. Make it a property."),
        ("def go(self) -> Unknown: ...", "Unknown is neither defined nor imported"),
        ("def go(self, at: float = -NAN) -> None: ...", "the default value -NAN cannot be imported lazily"),
    ],
)
def test_unsupported_members_are_rejected(tmp_path: Path, body: str, complaint: str) -> None:
    maker = new_maker(tmp_path)
    maker.write(
        "odd.py",
        '"""Odd."""\n\nfrom collections.abc import AsyncIterator\n\nNAN = float("nan")\n\n'
        f"class AsyncOdd:\n    {body}\n",
    )
    with pytest.raises(SystemExit, match=complaint):
        maker.run()
