"""File names from templates: valid on every file system, inside their folder, unique."""

from __future__ import annotations

import unicodedata
from collections import ChainMap
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from invokeai_py_client.errors import UsageError
from invokeai_py_client.files.labels import label_of
from invokeai_py_client.files.names import (
    RunFile,
    UniquePaths,
    file_name,
    is_image_file,
    literal_folder,
    naming_values,
    paths_of_run_files,
    unique,
)
from invokeai_py_client.ivk_fields.pending import BoardByName, LocalImage, ModelByName

VALUES = {"Positive Prompt": "a fox", "seed": 7, "CFG Scale": 4.5, "node.width": 64, "steps": 8.0}


def named(template: str, **values: Any) -> str:
    return file_name(template, values or VALUES, 3, "abc-1.png", item=12).as_posix()


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("out/{positive_prompt}-{seed}.png", "out/a fox-7.png"),
        ("{Positive Prompt}.png", "a fox.png"),
        ("{positive-prompt}.png", "a fox.png"),
        ("{cfg_scale}_{steps}.png", "4.5_8.png"),
        ("{node.width}.png", "64.png"),
        ("{node_width}.png", "64.png"),
        ("{index}-{item}-{image}.png", "3-12-abc-1.png"),
        ("{index:04}.png", "0003.png"),
        ("{seed:>4}|{cfg_scale:.2f}.png", "7_4.50.png"),
        ("{seed}", "7.png"),
        ("run.{seed}", "run.7.png"),
        ("{seed}.PNG", "7.PNG"),
        ("{seed}.jpg", "7.jpg"),
        ("{seed}.v2", "7.v2.png"),
        ("out/", "out/abc-1.png"),
        ("", "abc-1.png"),
        (".", "abc-1.png"),
        ("..", "../abc-1.png"),
        ("picture.png", "picture.png"),
        ("out/{seed}/{index}.png", "out/7/3.png"),
        ("out//{seed}//{index}.png", "out/7/3.png"),
        ("../all/{seed}.png", "../all/7.png"),
        ("/data/{seed}.png", "/data/7.png"),
        ("/{seed}.png", "/7.png"),
        ("a:b/{seed}:x.png", "a:b/7_x.png"),
        ("{{{seed}}}.png", "{7}.png"),
    ],
)
def test_templates_are_filled_in(template: str, expected: str) -> None:
    assert named(template) == expected


def test_default_extension_is_that_of_the_image() -> None:
    assert file_name("{seed}", VALUES, 0, "x.webp", ".webp") == Path("7.webp")
    assert file_name("out/", VALUES, 0, "folder/x.webp", ".webp") == Path("out/x.webp")


def test_axis_values_take_precedence() -> None:
    assert file_name("{seed}-{steps}", ChainMap({"seed": 1}, {"seed": 7, "steps": 8}), 0) == Path("1-8.png")


@pytest.mark.parametrize(
    ("template", "match"),
    [
        (
            "{sed}.png",
            r"Unknown name \{sed\} in .*'\{sed\}\.png': expected one of \{positive_prompt\}, \{seed\}, \{cfg_scale\},",
        ),
        ("{}.png", r"Unknown name \{\} in .*: expected one of .*\{index\}, \{image\}, \{item\}"),
        ("{seed.__class__}.png", "Unknown name"),
        ("{seed[0]}.png", "Unknown name"),
        ("{seed!r}.png", "the conversion !r is not supported"),
        ("{seed", "Invalid template .*: expected '}'"),
        ("seed}", "Invalid template .*: Single '}'"),
        ("{positive_prompt:04d}", "does not work for the value 'a fox'"),
        ("{seed:{steps}}", "does not work for the value 7"),
        ("{index:0999999999}", "exceeds 100 characters"),
        ("{seed}/../{index}.png", "could leave its folder"),
        ("{seed}/./{index}.png", "could leave its folder"),
    ],
)
def test_invalid_templates_are_rejected(template: str, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        named(template)


def test_ambiguous_names_are_rejected() -> None:
    values = {"Prompt": "a", "prompt!": "b", "PROMPT": "c"}
    assert file_name("{Prompt}", values, 0) == Path("a.png")
    with pytest.raises(UsageError, match=r"is ambiguous: use one of \{Prompt\}, \{prompt!\}, \{PROMPT\}"):
        file_name("{prompt}", values, 0)


def test_reserved_names_take_precedence_over_inputs() -> None:
    assert file_name("{image}-{Image}", {"Image": "input"}, 0, "abc.png") == Path("abc-input.png")


# --------------------------------------------------------------------------- valid names


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('a/b\\c:d*e?f"g<h>i|j', "a_b_c_d_e_f_g_h_i_j.png"),
        ("../../etc/passwd", "_._.._etc_passwd.png"),
        ("..", "_.png"),
        ("", "_.png"),
        (" . ", "_.png"),
        ("two\nlines\tand  blanks ", "two lines and blanks.png"),
        ("nul\0l", "nul_l.png"),
        ("CON", "_CON.png"),
        ("com1.x", "_com1.x.png"),
        ("LPT¹", "_LPT¹.png"),
        ("console", "console.png"),
        ("ends with a dot.", "ends with a dot.png"),
        ("Füchse 漢字 🦊", "Füchse 漢字 🦊.png"),
        ("fu\u0308chse", "füchse.png"),
        ("👩\u200d🚀", "👩\u200d🚀.png"),
        ("abc\u202egnp", "abcgnp.png"),
        ("half \udc80", "half _.png"),
        ("line\u2028separator", "line separator.png"),
    ],
)
def test_characters_that_file_systems_reject_are_replaced(value: str, expected: str) -> None:
    assert named("{p}", p=value) == expected


def is_safe(name: str) -> bool:
    return (
        0 < len(name.encode()) <= 220
        and not set(name) & set('<>:"/\\|?*')
        and not any(unicodedata.category(char) in ("Cc", "Cs") for char in name)
        and name == name.strip(" ")
        and not name.startswith(".")
        and not name.endswith((".", " "))
        and name.split(".")[0].strip().casefold() not in {"con", "nul", "prn", "aux", "com1", "lpt9"}
    )


@given(st.text(), st.text(max_size=300))
@example("c", "on")
@example("", ".")
@example(".", ".")
@example("x" * 300, "\u0301" * 300)
def test_any_value_makes_a_valid_name_inside_its_folder(first: str, second: str) -> None:
    path = file_name("out/{a}{b}/{b}-{a}.png", {"a": first, "b": second}, 0)
    top, folder, name = path.parts
    assert top == "out"
    assert is_safe(folder)
    assert is_safe(name)
    assert name.endswith(".png")


def test_long_values_are_shortened_and_remain_different() -> None:
    long = "a very detailed portrait of a fox in the snow, " * 40
    first, second = named("{p}-{s}", p=f"{long}1", s=1), named("{p}-{s}", p=f"{long}2", s=1)
    assert first != second
    assert first.startswith("a very detailed portrait of a fox")
    assert first.endswith("-1.png")  # the rest of the template is kept
    assert len(first) < 150
    assert first == named("{p}-{s}", p=f"{long}1", s=1)
    many = {f"v{number}": long + str(number) for number in range(9)}
    template = "-".join(f"{{{name}}}" for name in many)
    names = {named(template, **{**many, "v8": long + end}) for end in "xyz"}
    assert len(names) == 3
    assert all(is_safe(name) for name in names)


def test_values_are_shortened_between_characters() -> None:
    for size in range(100, 130):
        stem = named("{p}", p="x" * size + "👩\u200d🚀e\u0301\u0301" * 40).rpartition("~")[0]
        assert stem.endswith(("x", "👩\u200d🚀", "👩\u200d🚀é\u0301"))


# --------------------------------------------------------------------------- unique names


def test_names_are_unique_regardless_of_case() -> None:
    paths = ["a.png", "b.png", "a.png", "A.png", "x/a.png", "a.png", "a-2.png", "ü.png", "u\u0308.png"]
    found = [path.as_posix() for path in unique(map(Path, paths))]
    assert found == [
        "a.png",
        "b.png",
        "a-2.png",
        "A-3.png",
        "x/a.png",
        "a-4.png",
        "a-2-2.png",
        "ü.png",
        "u\u0308-2.png",
    ]


@given(st.lists(st.sampled_from(["a", "A", "a-2", "a-2-2", "a-3", "b"]), max_size=30))
def test_unique_paths_are_unique(stems: list[str]) -> None:
    found = list(unique(Path(f"{stem}.png") for stem in stems))
    assert len({str(path).casefold() for path in found}) == len(stems)


def test_ten_thousand_equal_names_take_linear_time() -> None:
    # Each search continues from the previous number. Starting again from 2 would take 50 million checks.
    found = list(unique(Path("a.png") for _ in range(10_000)))
    assert found[-1] == Path("a-10000.png")


# --------------------------------------------------------------------------- values as text


class Color(Enum):
    RED = "red"


class Named:
    name = "a thing"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ""),
        ("text", "text"),
        (True, "true"),
        (4.0, "4"),
        (0.1, "0.1"),
        (1e300, "1e+300"),
        (float("inf"), "inf"),
        (Color.RED, "red"),
        (Path("folder/cat.png"), "cat.png"),
        (LocalImage(path="folder/cat.png"), "cat.png"),
        (LocalImage(data=b"x", name="pasted"), "pasted"),
        (ModelByName("sdxl"), "sdxl"),
        (BoardByName("cats"), "cats"),
        ({"key": "k", "hash": "h", "name": "sdxl", "base": "sdxl"}, "sdxl"),
        ({"image_name": "x.png"}, "x.png"),
        ({"board_id": "b1"}, "b1"),
        ({"r": 1, "g": 2.0}, "r 1, g 2"),
        ([1, 2.0, "x"], "1, 2, x"),
        (range(3), "0, 1, 2"),
        (Named(), "a thing"),
        (1 + 2j, "(1+2j)"),
    ],
)
def test_values_are_shown_as_text(value: Any, expected: str) -> None:
    assert label_of(value) == expected


def test_image_values_lose_their_extension() -> None:
    """A path, its text in a manifest, and a name on the server produce the same name."""
    for source in (Path("photos/harbour.png"), "photos/harbour.png", "harbour.PNG"):
        assert file_name("out/{Source}-{steps}.png", {"Source": source, "steps": 4}, 0) == Path(
            "out/harbour-4.png"
        )
    assert file_name("{Source}.png", {"Source": "a fox. A hen"}, 0).name == "a fox. A hen.png"


def made(*images: str) -> list[RunFile]:
    return [RunFile(image, VALUES, index, 12) for index, image in enumerate(images)]


def test_images_of_runs_have_unique_files() -> None:
    images = made("a.png", "b.png", "c.png")
    assert paths_of_run_files("fox.png", images) == [Path("fox.png"), Path("fox-2.png"), Path("fox-3.png")]
    assert paths_of_run_files("{seed}/{index}-{item}.png", images) == [
        Path(f"7/{n}-12.png") for n in range(3)
    ]
    assert paths_of_run_files("{image}", made("a.png", "a.png")) == [Path("a.png"), Path("a-2.png")]
    assert paths_of_run_files("{sede}", []) == []
    with pytest.raises(UsageError, match="sede"):
        paths_of_run_files("{sede}", images)


def test_paths_stay_unique_over_several_runs() -> None:
    taken = UniquePaths()
    found = [paths_of_run_files("fox.png", made("a.png", "b.png"), taken) for _ in range(2)]
    assert found == [[Path("fox.png"), Path("fox-2.png")], [Path("fox-3.png"), Path("fox-4.png")]]


def test_name_of_a_row() -> None:
    image = RunFile("a.png", {"name": "an input", "seed": 7}, 3, 12, "Red fox")
    assert paths_of_run_files("{name}-{seed}.png", [image]) == [Path("Red fox-7.png")]
    image = RunFile("a.png", {"name": "an input"}, 3, 12)
    assert paths_of_run_files("{name}.png", [image]) == [Path("an input.png")]


def test_seed_of_a_run_without_a_seed_input() -> None:
    assert file_name("{seed}.png", naming_values({"steps": 4}, 7), 0) == Path("7.png")
    assert file_name("{seed}.png", naming_values({"seed": 5}, 7), 0) == Path("5.png")
    with pytest.raises(UsageError, match="Unknown name"):
        file_name("{seed}.png", naming_values({"steps": 4}, None), 0)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("fox.png", True),
        ("out/fox.JPG", True),
        ("fox.gif", True),
        ("out", False),
        ("out/", False),
        ("v1.5", False),
        ("fox.png/", False),
        (".", False),
    ],
)
def test_paths_of_image_files(tmp_path: Path, path: str, expected: bool) -> None:
    assert is_image_file(path) == expected
    (tmp_path / "folder.png").mkdir()
    assert not is_image_file(tmp_path / "folder.png")


@pytest.mark.parametrize("template", ["{seed}.tiff", "{seed}.GIF"])
def test_other_image_extensions_are_kept(template: str) -> None:
    assert named(template) == template.replace("{seed}", "7")


def test_existing_folder_is_a_template_for_files_in_it(tmp_path: Path) -> None:
    assert paths_of_run_files(tmp_path, made("a.png")) == [tmp_path / "a.png"]
    assert paths_of_run_files(str(tmp_path), made("a.png")) == [tmp_path / "a.png"]
    assert paths_of_run_files(tmp_path / "new", made("a.png")) == [tmp_path / "new.png"]
    assert paths_of_run_files(f"{tmp_path}/new/", made("a.png")) == [tmp_path / "new" / "a.png"]


@pytest.mark.parametrize(
    "folder", ["out", "out {1}", "{seed}", "{{", "a}b", ".", "..", "/", "deep/{er}", "/x{"]
)
def test_folders_with_any_name_can_begin_a_template(folder: str) -> None:
    for folder_argument in (folder, Path(folder)):
        [path] = paths_of_run_files(literal_folder(folder_argument), made("a.png"))
        assert path == Path(folder) / "a.png"
        [path] = paths_of_run_files(f"{literal_folder(folder_argument)}{{seed}}.png", made("a.png"))
        assert path == Path(folder) / "7.png"
