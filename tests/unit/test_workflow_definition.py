"""Reading workflow files, and errors about files that are not workflows."""

from __future__ import annotations

import json
import pickle
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest

from invokeai_py_client.engine.definition import WorkflowDefinition
from invokeai_py_client.errors import WorkflowFormatError

DOCUMENT: dict[str, Any] = {
    "name": "Küche",
    "description": "d",
    "version": "1.2",
    "id": "abc",
    "meta": {"version": "4.0.0"},
    "nodes": [{"id": "n", "type": "invocation", "data": {"type": "add", "inputs": {"a": {"value": [1]}}}}],
    "edges": [],
    "form": {"rootElementId": "root", "elements": {}},
}


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    content = b"\x89PNG\r\n\x1a\n"
    for kind, data in [(b"IHDR", bytes(13)), *chunks, (b"IEND", b"")]:
        content += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return content


TEXT = json.dumps(DOCUMENT, ensure_ascii=False).encode()
CHUNKS = {
    "latin-1": (b"tEXt", b"invokeai_workflow\0" + TEXT.decode().encode("latin-1")),
    "utf-8 in tEXt": (b"tEXt", b"invokeai_workflow\0" + TEXT),
    "zTXt": (b"zTXt", b"invokeai_workflow\0\0" + zlib.compress(json.dumps(DOCUMENT).encode())),
    "iTXt": (b"iTXt", b"invokeai_workflow\0\0\0\0\0" + TEXT),
    "compressed iTXt": (b"iTXt", b"invokeai_workflow\0\1\0en\0name\0" + zlib.compress(TEXT)),
}


def test_reads_a_json_file(tmp_path: Path) -> None:
    file = tmp_path / "w.json"
    file.write_bytes(b"\xef\xbb\xbf" + TEXT)
    definition = WorkflowDefinition.from_file(file)
    assert definition.name == "Küche"
    assert (definition.description, definition.version, definition.id) == ("d", "1.2", "abc")
    assert definition.format_version == "4.0.0"
    assert definition.node_types == {"add"}
    assert definition.to_dict() == DOCUMENT
    assert WorkflowDefinition.from_json(TEXT.decode()) == definition == WorkflowDefinition.from_dict(DOCUMENT)


@pytest.mark.parametrize("chunk", CHUNKS.values(), ids=CHUNKS)
def test_reads_the_workflow_in_an_image(chunk: tuple[bytes, bytes], tmp_path: Path) -> None:
    file = tmp_path / "image.png"
    file.write_bytes(png((b"tEXt", b"invokeai_metadata\0{}"), chunk))
    assert WorkflowDefinition.from_file(file).to_dict() == DOCUMENT


def test_definition_is_immutable() -> None:
    source = json.loads(TEXT)
    definition = WorkflowDefinition.from_dict(source)
    source["nodes"].clear()
    definition.to_dict()["nodes"][0]["data"]["inputs"]["a"]["value"].append(2)
    definition.nodes.clear()
    definition.edges.append({})
    form = definition.form
    assert form is not None
    form.clear()
    assert definition.to_dict() == DOCUMENT


def test_definition_can_be_pickled() -> None:
    definition = WorkflowDefinition.from_dict(DOCUMENT)
    assert pickle.loads(pickle.dumps(definition)) == definition


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ('{"name": "x",\n "nodes": ]}', "line 2, column 11"),
        ("[1]", "a list"),
        ("3", "int"),
        ("{}", "'meta', 'nodes', 'edges' are missing"),
        ('{"meta": {}, "nodes": []}', "'edges' is missing"),
        ('{"meta": {}, "nodes": 1, "edges": []}', "nodes are not a list"),
        ('{"meta": {}, "nodes": [], "edges": 1}', "edges are not a list"),
        ('{"meta": {}, "nodes": [NaN], "edges": []}', "NaN"),
        ('{"meta": {}, "nodes": [1e999], "edges": []}', "inf"),
        ('{"meta": {}, "nodes": ["\\ud800"], "edges": []}', "Unicode"),
        (
            '{"meta": {}, "nodes": [' + "9" * 5000 + '], "edges": []}',
            "contains a number with thousands of digits",
        ),
        ('{"meta": {}, "nodes": ' + "[" * 100_000 + "]" * 100_000 + ', "edges": []}', "nested more than"),
        ('{"meta": {}, "nodes": ' + "[" * 300 + "]" * 300 + ', "edges": []}', "nested more than"),
        ('{"last_node_id": 3, "nodes": [], "links": []}', "ComfyUI"),
        ('{"3": {"class_type": "KSampler", "inputs": {}}}', "ComfyUI"),
        ('{"id": "g", "nodes": {}, "edges": []}', "looks like a graph"),
        ('{"workflow_id": "w", "workflow": {}}', "'workflow'"),
        ('{"prepend": false, "batch": {}}', "request to the queue"),
    ],
)
def test_error_describes_the_problem(text: str, said: str) -> None:
    with pytest.raises(WorkflowFormatError) as caught:
        WorkflowDefinition.from_json(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "data", [{1: 2}, {"nodes": [{1}]}, {"nodes": [object()]}, {"x": float("nan")}, None, "x"]
)
def test_values_that_json_cannot_represent_are_rejected(data: Any) -> None:
    with pytest.raises(WorkflowFormatError):
        WorkflowDefinition.from_dict(data)


def test_error_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "empty.png").write_bytes(png())
    (tmp_path / "bad.png").write_bytes(png((b"zTXt", b"invokeai_workflow\0\0nonsense")))
    (tmp_path / "cut.png").write_bytes(png(CHUNKS["iTXt"])[:60])
    for name, said in {
        "gone.json": "not found",
        "": "a directory",
        "bytes": "neither JSON text nor an image",
        "empty.png": "no embedded workflow",
        "bad.png": "Cannot read",
        "cut.png": "no embedded workflow",
    }.items():
        with pytest.raises(WorkflowFormatError, match=said) as caught:
            WorkflowDefinition.from_file(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
    with pytest.raises(WorkflowFormatError):
        WorkflowDefinition.from_file("nul\0byte")
    with pytest.raises(WorkflowFormatError, match="not a PNG"):
        WorkflowDefinition.from_png(b"GIF89a")


def test_decompression_is_limited() -> None:
    bomb = zlib.compress(bytes(70 * 1024 * 1024), 1)
    with pytest.raises(WorkflowFormatError, match="bytes of text"):
        WorkflowDefinition.from_png(png((b"zTXt", b"invokeai_workflow\0\0" + bomb)))


@pytest.mark.parametrize("depth", [198, 199, 200, 201])
def test_text_and_data_have_the_same_depth_limit(depth: int) -> None:
    """The document is level 0, its list of nodes level 1: 200 is the deepest."""
    text = '{"meta": {}, "edges": [], "nodes": ' + "[" * depth + "]" * depth + "}"
    if depth <= 200:
        assert WorkflowDefinition.from_json(text) == WorkflowDefinition.from_dict(json.loads(text))
        return
    with pytest.raises(WorkflowFormatError, match="nested more than"):
        WorkflowDefinition.from_json(text)
    with pytest.raises(WorkflowFormatError, match="nested more than"):
        WorkflowDefinition.from_dict(json.loads(text))


@pytest.mark.parametrize("escape", ["\\ud800", "\\uD800", "\\uDfff"])
@pytest.mark.parametrize("where", ['"nodes": ["%s"]', '"nodes": [], "%s": 1', '"nodes": [{"%s": []}]'])
def test_lone_surrogates_are_rejected_everywhere(escape: str, where: str) -> None:
    text = '{"meta": {}, "edges": [], ' + where % escape + "}"
    with pytest.raises(WorkflowFormatError, match="Unicode"):
        WorkflowDefinition.from_json(text)
    whole = text.replace(escape, "\\ud83d\\ude00")
    assert WorkflowDefinition.from_json(whole).to_dict() == json.loads(whole)


def test_text_and_data_are_read_alike() -> None:
    text = json.dumps(DOCUMENT)
    assert WorkflowDefinition.from_json(text) == WorkflowDefinition.from_dict(json.loads(text))
