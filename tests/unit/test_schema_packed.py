"""Tests of the compact form of schemas, and of the packaged schema."""

from __future__ import annotations

import json
import lzma
import pickle
import runpy
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from invokeai_py_client.errors import SchemaFormatError
from invokeai_py_client.schema.packed import FORMAT, pack, unpack
from invokeai_py_client.schema.parse import parse_schema
from invokeai_py_client.schema.reference import REFERENCE_FILE, REFERENCE_VERSION, reference_schema
from invokeai_py_client.schema.template import (
    FieldType,
    InputTemplate,
    Limits,
    ModelFilter,
    NodeTemplate,
    OutputTemplate,
    Schema,
)

ROOT = Path(__file__).parents[2]


def parsed(version: str) -> Schema:
    data = (ROOT / "tests" / "data" / f"openapi-{version}.json.xz").read_bytes()
    return parse_schema(json.loads(lzma.decompress(data)), version)


def exact(schema: Schema) -> str:
    """Return all data of a schema, including the order of keys and the difference between 1, 1.0 and true."""

    def originals(node: NodeTemplate) -> list[FieldType | None]:
        return [t.type.original for t in (*node.inputs.values(), *node.outputs.values())]

    return repr([(name, node, originals(node)) for name, node in schema.items()])


@pytest.mark.parametrize("version", ["5.15.0", "6.0.2", "6.14.2"])
def test_pack_round_trip(version: str) -> None:
    schema = parsed(version)
    back = unpack(pack(schema))
    assert exact(back) == exact(schema)
    assert back.version == version


def test_every_attribute_is_packed() -> None:
    template = InputTemplate(
        name="n",
        title="t",
        type=FieldType("A", "COLLECTION", True, FieldType("B", "SINGLE_OR_COLLECTION")),
        input="direct",
        required=True,
        default=None,
        description="d",
        limits=Limits(0, 1.5, 2, 3, 4, 5, 6, 7, 8),
        nested_limits=Limits(minimum=-1),
        options=("a", 1, None, 2.0, True),
        option_labels={"a": "A"},
        models=ModelFilter(("b",), ("t",), ("v",), ("f",), ("p",)),
        ui_component="slider",
        ui_hidden=True,
        ui_order=0,
        ui_type="u",
        nullable=True,
        json_schema={
            "anyOf": [{"properties": {"$": {"type": "string"}}}, {"items": False}, {}],
            "default": {"$": 0, "anyOf": [1]},
            "additionalProperties": {"type": "string"},
        },
        server_input="connection",
    )
    node = NodeTemplate(
        type="x",
        title="X",
        version="1.2.3",
        inputs={"n": template, "plain": InputTemplate("plain", "", FieldType("A"), "any", False)},
        outputs={"o": OutputTemplate("o", "O", FieldType("A", "SINGLE", True))},
        output_type="x_output",
        description="é\n\ud800",
        category="c",
        tags=("t", "u"),
        classification="beta",
        node_pack="p",
        use_cache=False,
    )
    schema = Schema({"x": node}, "9")
    assert exact(unpack(pack(schema))) == exact(schema)


def test_nodes_are_decoded_once_on_demand() -> None:
    schema = unpack(pack(parsed("6.14.2")))
    assert "add" in schema and "no_such_node" not in schema and len(schema) == 309
    assert schema["add"] is schema["add"]
    with pytest.raises(KeyError):
        schema["no_such_node"]
    assert schema.get("no_such_node") is None


def test_equal_shapes_are_one_object() -> None:
    schema = unpack(pack(parsed("6.14.2")))
    one = schema["img_resize"].inputs["image"].json_schema["anyOf"][0]
    other = schema["img_crop"].inputs["image"].json_schema["anyOf"][0]
    assert one["title"] == "ImageField"
    assert one is other


def test_threads_get_the_same_nodes() -> None:
    schema = unpack(pack(parsed("6.14.2")))
    names = list(schema) * 2
    with ThreadPoolExecutor(8) as pool:
        nodes = list(pool.map(schema.__getitem__, names))
    assert all(node is schema[name] for name, node in zip(names, nodes, strict=True))


def test_an_unpacked_schema_can_be_pickled() -> None:
    schema = unpack(pack(parsed("6.0.2")))
    assert exact(pickle.loads(pickle.dumps(schema))) == exact(schema)


def test_an_unpacked_schema_can_be_packed_again() -> None:
    packed = pack(parsed("6.14.2"))
    assert pack(unpack(packed)) == packed


GOOD = pack(parsed("6.0.2"))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        FORMAT,
        GOOD[:-1],
        GOOD[: len(GOOD) // 2],
        GOOD[:200] + bytes([GOOD[200] ^ 1]) + GOOD[201:],
        GOOD.replace(b"schema 1 ", b"schema 0 ", 1),
        FORMAT + zlib.compress(b"nonsense"),
        FORMAT + zlib.compress(b"[]\n[]"),
        FORMAT + zlib.compress(b'{"version":"1","shapes":0,"nodes":[]}\n'),
        FORMAT + zlib.compress(b'{"version":"1","shapes":"0","nodes":{"a":1}}\n'),
        FORMAT + zlib.compress(b"\xff\xfe\n"),
    ],
)
def test_invalid_bytes_are_rejected(data: bytes) -> None:
    with pytest.raises(SchemaFormatError):
        unpack(data)


# ------------------------------------------------------------------------------- the packaged schema


def test_packaged_schema_matches_tool_output(tmp_path: Path) -> None:
    main = runpy.run_path(str(ROOT / "tools" / "make_reference_schema.py"))["main"]
    source = ROOT / "tests" / "data" / f"openapi-{REFERENCE_VERSION}.json.xz"
    made = tmp_path / "made"
    assert main([str(source), "--version", REFERENCE_VERSION, "-o", str(made)]) == 0
    assert exact(unpack(made.read_bytes())) == exact(reference_schema())
    assert main([str(source), "--version", "6.0.2", "-o", str(made)]) == 1


def test_packaged_schema_is_small_and_complete() -> None:
    assert REFERENCE_FILE.stat().st_size < 300_000
    schema = reference_schema()
    assert (schema.version, len(schema)) == ("6.14.2", 309)
    assert {node.node_pack for node in schema.values()} == {"invokeai"}
    assert schema["denoise_latents"].inputs["steps"].description == "Number of steps to run"
    assert all(len(node.description) <= 200 for node in schema.values())
