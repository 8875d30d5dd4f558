"""Synchronous classes written from asynchronous ones, on a small module made for it."""

from __future__ import annotations

import importlib.util
import inspect
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from invokeai_py_client._sync import table
from invokeai_py_client._sync.face import Face, unwrap, wrap
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
        self._client = client
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
        toy = AsyncToy(self._client, self.name + "'")
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
        self.parts.append(AsyncToy(self._client, f"{self.name}.{len(self.parts)}"))
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
    """The generator, working on a tree of its own."""

    def __init__(self, module: ModuleType, root: Path) -> None:
        self.module = module
        self.root = root
        self.package = root / "src" / "invokeai_py_client"
        self.target = self.package / "_sync"

    def run(self, *arguments: str) -> int:
        old = sys.argv
        sys.argv = ["generate_sync.py", *arguments]
        try:
            return self.module.main()
        finally:
            sys.argv = old

    def write(self, name: str, text: str) -> None:
        (self.package / name).write_text(textwrap.dedent(text))


def module_from(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def new_maker(root: Path) -> Maker:
    maker = Maker(module_from(REPOSITORY / "tools" / "generate_sync.py", "generate_sync_for_test"), root)
    maker.target.mkdir(parents=True)
    (root / "pyproject.toml").write_text((REPOSITORY / "pyproject.toml").read_text())
    maker.target.joinpath("__init__.py").write_text("")
    maker.target.joinpath("face.py").write_text("BY_HAND = True\n")
    maker.module.ROOT, maker.module.PACKAGE, maker.module.TARGET = root, maker.package, maker.target  # type: ignore[attr-defined]
    return maker


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Maker, Any, Any]]:
    """The generator, the asynchronous module and the synchronous one."""
    maker = new_maker(tmp_path_factory.mktemp("tree"))
    maker.write("toy.py", TOY)
    assert maker.run() == 0
    asynchronous = module_from(maker.package / "toy.py", "invokeai_py_client.toy")
    synchronous = module_from(maker.target / "toy.py", "invokeai_py_client._sync.toy")
    names = {"AsyncToy": "invokeai_py_client._sync.toy", "AsyncRobot": "invokeai_py_client._sync.toy"}
    table.FACES.update(names)
    yield maker, asynchronous, synchronous
    for name in names:
        del table.FACES[name]
    for name in ("invokeai_py_client.toy", "invokeai_py_client._sync.toy", "generate_sync_for_test"):
        del sys.modules[name]


class Client:
    def __init__(self) -> None:
        self._loop_thread = LoopThread()


@pytest.fixture
def toy(toys: tuple[Maker, Any, Any]) -> Iterator[Any]:
    client = Client()
    yield wrap(toys[1].AsyncToy(client, "bear"))
    client._loop_thread.close()


# --------------------------------------------------------------------------- what the classes do


def test_a_coroutine_becomes_a_method(toy: Any) -> None:
    assert toy.play(2) == ("bear", 2, "gently", (), None, 11, {})
    assert toy.nothing() is None
    with pytest.raises(LookupError, match="no batteries"):
        toy.fail()


def test_arguments_of_all_kinds_are_handed_on(toy: Any) -> None:
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


def test_callbacks_come_back_to_the_caller(toy: Any) -> None:
    seen: list[Any] = []

    def listen(name: str) -> None:
        seen.append((name, toy.play(1)[0]))

    toy.tell(listen)
    assert seen == [("bear", "bear")]


def test_a_with_block_closes_and_ends_the_loop(toy: Any) -> None:
    with toy as same:
        assert same is toy
        toy.nothing()
        assert toy._loop_thread.is_running
    assert not toy._loop_thread.is_running
    assert toy.nothing() is None  # and starts it again


async def test_a_mixed_method_keeps_both_ways(toy: Any) -> None:
    assert toy.play_sync(1) is toy
    assert await toy.play_async(2) is toy
    assert toy.name == "bear!!!"
    assert not hasattr(toy, "play_both")
    assert list(toy.hear()) == [toy]
    assert [one async for one in toy.hear_async()] == [toy]


async def test_a_method_that_stays_runs_in_the_callers_loop(toy: Any) -> None:
    import asyncio

    assert await toy.here() == id(asyncio.get_running_loop())
    assert await toy.here(count=2) == 2 * id(asyncio.get_running_loop())


def test_what_is_private_stays_so(toy: Any) -> None:
    assert not hasattr(toy, "_hidden")
    assert toy._repr_html_() == "<b>bear</b>"
    assert repr(toy) == "<Toy bear>"


def test_a_subclass_is_one(toys: tuple[Maker, Any, Any], toy: Any) -> None:
    robot = wrap(toys[1].AsyncRobot(toy._impl._client, "robo"))
    assert isinstance(robot, toys[2].Robot)
    assert isinstance(robot, toys[2].Toy)
    assert robot.walk() == "robo walks"
    assert robot.play(1)[0] == "robo"


# --------------------------------------------------------------------------- what they look like


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


def test_words_are_said_of_the_synchronous_class(toys: tuple[Maker, Any, Any]) -> None:
    kind = toys[2].Toy
    assert inspect.getdoc(kind) == textwrap.dedent("""\
        A toy; an Toy can \\\\ play.

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
    assert toys[2].__doc__ == "Toys, Toy and others, for in the tests."


def test_only_asynchronous_classes_are_taken(toys: tuple[Maker, Any, Any]) -> None:
    maker, _, synchronous = toys
    assert not hasattr(synchronous, "Plain")
    assert sorted(path.name for path in maker.target.glob("*.py")) == [
        "__init__.py",
        "face.py",
        "table.py",
        "toy.py",
    ]
    names: dict[str, Any] = {}
    exec((maker.target / "table.py").read_text(), names)
    assert names["FACES"] == {
        "AsyncRobot": "invokeai_py_client._sync.toy",
        "AsyncToy": "invokeai_py_client._sync.toy",
    }


def test_the_files_are_tidy_and_say_where_they_are_from(toys: tuple[Maker, Any, Any]) -> None:
    text = (toys[0].target / "toy.py").read_text()
    assert "Written by tools/generate_sync.py from src/invokeai_py_client/toy.py" in text
    assert "overload" not in text  # what is not used is not imported
    assert "if TYPE_CHECKING:" in text
    assert max(map(len, text.splitlines())) <= 120


# --------------------------------------------------------------------------- faces by themselves


def test_wrapping_goes_into_containers_and_back(toys: tuple[Maker, Any, Any], toy: Any) -> None:
    impl = toy._impl
    assert wrap([impl, 1, (impl, "x"), {"k": impl}]) == [toy, 1, (toy, "x"), {"k": toy}]
    assert wrap(impl) is toy  # the same face each time
    assert unwrap([toy, 1, (toy, "x"), {"k": toy}]) == [impl, 1, (impl, "x"), {"k": impl}]
    assert unwrap("text") == "text"
    assert wrap(None) is None


def test_faces_are_equal_when_what_is_behind_them_is(toys: tuple[Maker, Any, Any], toy: Any) -> None:
    assert toy == wrap(toy._impl)
    assert toy != toy.copy()
    assert toy != toy._impl
    assert len({toy, wrap(toy._impl)}) == 1


def test_an_object_without_a_face_says_what_to_do(toys: tuple[Maker, Any, Any]) -> None:
    from invokeai_py_client._base import AsyncObject

    class AsyncStray(AsyncObject):
        pass

    with pytest.raises(TypeError, match="AsyncStray has no synchronous face; run tools/generate_sync"):
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


def test_check_tells_what_is_not_current(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    maker = new_maker(tmp_path)
    maker.write("small.py", SMALL)
    assert maker.run("--check") == 1
    assert "small.py is not what tools/generate_sync.py writes" in capsys.readouterr().out
    assert not (maker.target / "small.py").exists()  # it only looks

    assert maker.run() == 0
    assert capsys.readouterr().out == "2 files, 2 changed\n"
    assert maker.run("--check") == 0
    assert capsys.readouterr().out == ""
    assert maker.run() == 0
    assert capsys.readouterr().out == "2 files, 0 changed\n"

    generated = maker.target / "small.py"
    generated.write_text(generated.read_text().replace("Work.", "Play."))
    (maker.target / "gone.py").write_text("LEFT_OVER = True\n")
    assert maker.run("--check") == 1
    told = capsys.readouterr().out
    assert "gone.py" in told
    assert "small.py" in told
    assert "face.py" not in told

    assert maker.run() == 0
    assert not (maker.target / "gone.py").exists()
    assert "Work." in generated.read_text()
    assert (maker.target / "face.py").read_text() == "BY_HAND = True\n"


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("def __init__(self) -> None:\n        self.size = 1 + 1", r"self\.size needs a type"),
        (
            "@classmethod\n    async def make(cls) -> int:\n        return 1",
            "AsyncOdd.make: an asynchronous classmethod",
        ),
        ("@staticmethod\n    def make() -> int:\n        return 1", "AsyncOdd.make: a static method"),
    ],
)
def test_what_it_cannot_write_it_refuses(tmp_path: Path, body: str, complaint: str) -> None:
    maker = new_maker(tmp_path)
    maker.write("odd.py", f'"""Odd."""\n\nclass AsyncOdd:\n    {body}\n')
    with pytest.raises(SystemExit, match=complaint):
        maker.run()
