"""Tests of text that users type or save: encodings, escapes, missing values, and files of other kinds."""

from __future__ import annotations

import codecs
import io
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fields import field_of, template
from workflows import add, sd1

from invokeai_py_client.cli.names import read_names
from invokeai_py_client.cli.options import address_of, parse_settings
from invokeai_py_client.engine.definition import WorkflowDefinition
from invokeai_py_client.engine.index_map import export_input_index_map, verify_input_index_map
from invokeai_py_client.engine.inputs import InputSet
from invokeai_py_client.engine.load import load_workflow
from invokeai_py_client.errors import InputValueError, UsageError, WorkflowFormatError
from invokeai_py_client.ivk_fields import make_field
from invokeai_py_client.schema.reference import reference_schema
from invokeai_py_client.schema.template import UNSET
from invokeai_py_client.sweep.sources import values_of_text
from invokeai_py_client.transport.payload import dump_json, path_part, query_of

ENCODERS: dict[str, Callable[[str], bytes]] = {
    "utf-8": lambda text: text.encode(),
    "utf-8 with BOM": lambda text: text.encode("utf-8-sig"),
    "utf-16-le": lambda text: codecs.BOM_UTF16_LE + text.encode("utf-16-le"),
    "utf-16-be": lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
    "utf-16-le without BOM": lambda text: text.encode("utf-16-le"),
    "utf-16-be without BOM": lambda text: text.encode("utf-16-be"),
}
encodings = pytest.mark.parametrize("encode", ENCODERS.values(), ids=ENCODERS)

# ------------------------------------------------------------------ encodings


@encodings
def test_workflow_files_in_any_encoding(encode: Callable[[str], bytes], tmp_path: Path) -> None:
    document = {**add(), "name": "Füchse"}
    content = encode(json.dumps(document, ensure_ascii=False))
    (tmp_path / "w.json").write_bytes(content)
    for definition in (
        WorkflowDefinition.from_file(tmp_path / "w.json"),
        WorkflowDefinition.from_json(content),
    ):
        assert definition.to_dict() == document


def test_workflow_text_with_bom() -> None:
    assert WorkflowDefinition.from_json("\ufeff" + json.dumps(add())).to_dict() == add()


def inputs_of(document: dict[str, Any]) -> InputSet:
    schema = reference_schema()
    return InputSet(load_workflow(WorkflowDefinition.from_dict(document), schema), schema)


def parsed(*settings: str) -> dict[Any, Any]:
    return parse_settings(cast(Any, SimpleNamespace(inputs=inputs_of(sd1()))), settings)


@encodings
def test_index_maps_in_any_encoding(encode: Callable[[str], bytes], tmp_path: Path) -> None:
    inputs = inputs_of(sd1())
    (tmp_path / "map.json").write_bytes(encode(json.dumps(export_input_index_map(inputs))))
    assert verify_input_index_map(inputs, tmp_path / "map.json")["moved"] == []


@encodings
def test_prompt_files_in_any_encoding(encode: Callable[[str], bytes], tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_bytes(encode("a Füchsin\r\nin snow\r\n"))
    assert parsed(f"positive_prompt=@{tmp_path}/p.txt") == {"positive_prompt": "a Füchsin\nin snow"}


@encodings
def test_piped_names_in_any_encoding(encode: Callable[[str], bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(encode("Füchse.png\r\nb.png\t1\n"))))
    assert read_names(["-"]) == ["Füchse.png", "b.png"]


def test_piped_names_that_are_not_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a.png\n\xff\n")))
    with pytest.raises(UsageError, match="byte 6 is not valid UTF-8"):
        read_names(["-"])


# ------------------------------------------------------------------ @FILE and @@


def test_two_at_signs_begin_a_text_that_starts_with_one() -> None:
    assert parsed("positive_prompt=@@midjourney style") == {"positive_prompt": "@midjourney style"}
    assert parsed("positive_prompt=@@@x") == {"positive_prompt": "@@x"}
    item = inputs_of(sd1()).find("positive_prompt")
    assert values_of_text(item, "@@a || @b") == ("@a", "@b")


def test_missing_file_suggests_two_at_signs() -> None:
    with pytest.raises(UsageError, match=r"Cannot read the file fox: .*write @@ instead: @@fox$"):
        parsed("positive_prompt=@fox")


# ------------------------------------------------------------------ no value


@pytest.mark.parametrize(
    "address",
    ["denoise_latents.denoising_start", "save_image.board", "denoise_latents.scheduler", "img_resize.width"],
)
def test_null_removes_the_value_of_an_optional_field(address: str) -> None:
    field = field_of(address)
    field.value = field.parse_text("null")
    assert field.value is None
    assert field.to_api_format() in (None, UNSET)


@pytest.mark.parametrize("address", ["crop_latents.width", "main_model_loader.model", "save_image.image"])
def test_no_value_is_rejected_for_a_required_field(address: str) -> None:
    field = field_of(address)
    for value in (None, field.parse_text("null")):
        with pytest.raises(InputValueError, match="None is not valid: the input is required; expected"):
            field.value = value


def test_null_is_text_in_text_fields_and_choices_named_null() -> None:
    assert make_field(template("StringField", nullable=True)).parse_text("null") == "null"
    assert make_field(template("StringField", "COLLECTION")).parse_text("null") == ["null"]
    assert make_field(template("EnumField", options=("null", "x"))).parse_text("null") == "null"
    assert make_field(template("EnumField", options=("a", "x"), nullable=True)).parse_text("null") is None


def test_null_on_the_command_line() -> None:
    assert parsed("denoise.denoising_start=null") == {"denoise.denoising_start": None}
    item = inputs_of(sd1()).find("denoise.denoising_start")
    assert values_of_text(item, "null") == (None,)


# ------------------------------------------------------------------ digits and surrogates


@pytest.mark.parametrize(("name", "address"), [("3", 3), ("٣", 3), ("²", "²"), ("①", "①"), ("-1", "-1")])
def test_addresses_of_odd_digits(name: str, address: str | int) -> None:
    assert address_of(name) == address


@pytest.mark.parametrize("text", ["²", "①", "1_000", "½", "0x10", "1e", "৳5"])
@pytest.mark.parametrize("kind", ["IntegerField", "FloatField"])
def test_odd_digits_are_not_numbers(kind: str, text: str) -> None:
    field = make_field(template(kind))
    with pytest.raises(InputValueError, match="expected a"):
        field.value = field.parse_text(text)


@pytest.mark.parametrize("kind", ["ColorField", "BoundingBoxField", "LoRAField"])
@pytest.mark.parametrize("text", ["²,²,²,²", "1_0,1,1,1", "Ink:²"])
def test_odd_digits_in_other_fields_raise_input_errors(kind: str, text: str) -> None:
    field = make_field(template(kind))
    try:
        field.value = field.parse_text(text)
    except InputValueError:
        return
    assert kind == "LoRAField"  # the name of a LoRA can contain them


@pytest.mark.parametrize(
    "send",
    [
        lambda: path_part("a\udcff", "a board"),
        lambda: query_of({"query": "a\udcff"}),
        lambda: dump_json({"board_name": ["\ud83d"]}),
        lambda: dump_json({"\udcff": 1}),
    ],
)
def test_lone_surrogates_are_never_sent(send: Callable[[], object]) -> None:
    with pytest.raises(UsageError, match="lone surrogate"):
        send()


def test_surrogate_pairs_and_backslashes_are_sent() -> None:
    data = {"prompt": "🦊 \\ud83d \\\\udcff"}
    assert json.loads(dump_json(data)) == data


# ------------------------------------------------------------------ files that are not workflows

ADD = json.dumps(add())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("<!DOCTYPE html><html>", "a web page (HTML) or XML"),
        ("\n<html>", "download the file itself"),
        (json.dumps(ADD), "encoded as JSON twice"),
        (f"[{ADD}]", "it is a list"),
        ('{"item_id": 1, "session_id": "s", "workflow": {}}', "a queue item. Pass its 'workflow' instead"),
        ('{"item_id": 1, "session_id": "s", "workflow": null}', "a queue item without a workflow"),
        (
            '{"batch": {"graph": {}, "workflow": {}}}',
            "request to the queue. Pass its 'batch.workflow' instead",
        ),
        ('{"batch": {"graph": {}}}', "Use the workflow that the request was made from"),
        ('{"app_version": "6.14.2", "seed": 1}', "the metadata of an image"),
        (
            '{"kind": "sweep"}\n{"kind": "run"}\n',
            "is a list of JSON documents, such as the manifest of a sweep",
        ),
        ("null", "it is null"),
        ('{"a": "b', "not valid JSON: Unterminated string starting at line 1, column 7."),
        (f'{{"a": {"1" * 5000}}}', "contains a number with thousands of digits"),
    ],
)
def test_files_of_other_kinds_are_named(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(WorkflowFormatError) as caught:
        WorkflowDefinition.from_json(text)
    assert said in str(caught.value)
    (tmp_path / "w.json").write_text(text)
    with pytest.raises(WorkflowFormatError, match=r"w\.json") as caught:
        WorkflowDefinition.from_file(tmp_path / "w.json")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "has no embedded workflow"),
        (b"RIFF\n\0\xf0\0WEBPVP8 \xff", "has no embedded workflow"),
        (b"GIF89a\xff", "is a GIF image"),
        (b"PK\x03\x04abc", "is a ZIP archive"),
        (b"PK\x03\x04\xff\xff", "is a ZIP archive; expected JSON, or an image with an embedded workflow"),
        (b"\x80abc", "byte 0 is not UTF-8"),
        (b"\xff\xfe\0", "byte 2 is not UTF-16"),
    ],
)
def test_other_binary_files_are_named(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "w.json").write_bytes(content)
    with pytest.raises(WorkflowFormatError) as caught:
        WorkflowDefinition.from_file(tmp_path / "w.json")
    assert said in str(caught.value)


@pytest.mark.parametrize("path", ["~nobody-of-this-name/w.json", "x" * 300, "a\0b", "\udcff/w.json"])
def test_paths_that_cannot_exist_raise_workflow_errors(path: str) -> None:
    with pytest.raises(WorkflowFormatError):
        WorkflowDefinition.from_file(path)
    with pytest.raises(WorkflowFormatError):
        WorkflowDefinition.from_dict(add()).save(path + "/x")
