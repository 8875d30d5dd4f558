"""Measure the engine: building a request from a workflow, loading the schema, and the import.

    .venv/bin/python benchmarks/engine.py [--rounds N] [--json]

Needs no server. Times are medians on this machine. Ratios compare measurements of the same run, so they can be
compared across machines.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from workflows import workflow  # noqa: E402

from invokeai_py_client.engine.definition import WorkflowDefinition  # noqa: E402
from invokeai_py_client.engine.inputs import InputSet  # noqa: E402
from invokeai_py_client.engine.json_schema import json_schema  # noqa: E402
from invokeai_py_client.engine.load import load_workflow  # noqa: E402
from invokeai_py_client.engine.readiness import find_problems  # noqa: E402
from invokeai_py_client.engine.request import build_request  # noqa: E402
from invokeai_py_client.engine.workflow import LoadedWorkflow  # noqa: E402
from invokeai_py_client.schema.cache import SchemaCache  # noqa: E402
from invokeai_py_client.schema.parse import parse_schema  # noqa: E402
from invokeai_py_client.schema.reference import reference_schema  # noqa: E402


@dataclass(frozen=True)
class Figure:
    """One row of the table."""

    what: str
    value: float
    unit: str = "ms"
    target: float | None = None


def picture_workflow(nodes: int) -> str:
    """Return a workflow file with a number of nodes: 6 for each pipeline, with 5 form fields each."""
    model = {"key": "k", "hash": "h", "name": "n", "base": "sd-1", "type": "main"}
    parts: dict[str, tuple[str, dict[str, Any]]] = {}
    edges: list[str] = []
    form: list[tuple[str, str]] = []
    for n in range(nodes // 6):
        parts |= {
            f"model {n}": ("main_model_loader", {"model": model}),
            f"positive {n}": ("compel", {"prompt": "a lighthouse at dusk, " * 10}),
            f"negative {n}": ("compel", {"prompt": "fog"}),
            f"noise {n}": ("noise", {"seed": n, "width": 512, "height": 512, "use_cpu": True}),
            f"denoise {n}": ("denoise_latents", {"steps": 30, "cfg_scale": 7.5, "scheduler": "euler"}),
            f"decode {n}": ("l2i", {"board": "auto"}),
        }
        edges += [
            f"model {n}.clip -> positive {n}.clip",
            f"model {n}.clip -> negative {n}.clip",
            f"model {n}.unet -> denoise {n}.unet",
            f"positive {n}.conditioning -> denoise {n}.positive_conditioning",
            f"negative {n}.conditioning -> denoise {n}.negative_conditioning",
            f"noise {n}.noise -> denoise {n}.noise",
            f"denoise {n}.latents -> decode {n}.latents",
            f"model {n}.vae -> decode {n}.vae",
        ]
        form += [(f"positive {n}", "prompt"), (f"negative {n}", "prompt"), (f"noise {n}", "seed")]
        form += [(f"denoise {n}", "steps"), (f"denoise {n}", "cfg_scale")]
    return json.dumps(workflow(f"{nodes} nodes", parts, edges, form))


def median_ms(work: Callable[[], object], rounds: int) -> float:
    """Return the median duration of a function after one warm-up round."""
    work()
    times: list[float] = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return statistics.median(times) * 1000


def fresh_ms(program: str, rounds: int) -> float:
    """Return the median duration of a program in a new Python process."""
    environ = os.environ | {"PYTHONDONTWRITEBYTECODE": ""}
    return median_ms(lambda: subprocess.run([sys.executable, "-c", program], check=True, env=environ), rounds)


def request_figures(rounds: int) -> Iterator[Figure]:
    """Measure building the request body from a file's text, and its steps."""
    schema = reference_schema()
    totals: dict[int, float] = {}
    for nodes, target in ((60, 2.0), (600, 20.0)):
        text = picture_workflow(nodes)
        definition = WorkflowDefinition.from_json(text)
        loaded = load_workflow(definition, schema)
        request = build_request(loaded, schema, {})
        assert len(request["batch"]["graph"]["nodes"]) == nodes
        assert find_problems(loaded, schema, {}) == []

        def request_of(definition: WorkflowDefinition = definition) -> object:
            return build_request(load_workflow(definition, schema), schema, {})

        def from_text(text: str = text) -> object:
            return request_of(WorkflowDefinition.from_json(text))

        few = max(3, rounds * 60 // nodes)
        totals[nodes] = median_ms(request_of, few)
        whole = median_ms(from_text, few)
        baseline = median_ms(lambda t=text, r=request: (json.loads(t), json.dumps(r)), few)
        yield Figure(f"{nodes} nodes: workflow into request", totals[nodes], target=target)
        yield Figure(
            "  of it: loading it for the server",
            median_ms(lambda d=definition: load_workflow(d, schema), few),
        )
        yield Figure(
            "  of it: building, all that a further run takes",
            median_ms(lambda ld=loaded: build_request(ld, schema, {}), few),
        )
        yield Figure("  with reading the file's text", whole)
        yield Figure(
            "  besides: checking it all", median_ms(lambda ld=loaded: find_problems(ld, schema, {}), few)
        )
        yield Figure(
            "  besides: its inputs, listed", median_ms(lambda ld=loaded: list(InputSet(ld, schema)), few)
        )
        yield Figure("  for comparison: text parsed, request written", baseline)
        yield Figure("  with reading / parsed and written", whole / baseline, "x")
    yield Figure("600 nodes / 60 nodes", totals[600] / totals[60], "x")


def schema_figures(rounds: int) -> Iterator[Figure]:
    """Measure loading the schema of 6.14.2 from the cache and from the server's document."""
    packed = ROOT / "tests" / "data" / "openapi-6.14.2.json.xz"
    text = lzma.decompress(packed.read_bytes())
    with tempfile.TemporaryDirectory() as folder:
        cache = SchemaCache(Path(folder))
        cache.store("benchmark", parse_schema(json.loads(text), "6.14.2"))
        [file] = Path(folder).iterdir()
        from_cache = median_ms(lambda: cache.load("benchmark"), rounds)

        def look_at_all() -> object:
            schema = cache.load("benchmark")
            assert schema is not None
            return list(schema.values())

        unpacked = median_ms(look_at_all, max(3, rounds // 10))
        load = (
            "import time; from pathlib import Path; begun = time.perf_counter();"
            "from invokeai_py_client.schema.cache import SchemaCache;"
            f"schema = SchemaCache(Path({folder!r})).load('benchmark');"
            "print(time.perf_counter() - begun)"
        )
        done = [
            float(subprocess.run([sys.executable, "-c", load], check=True, capture_output=True).stdout) * 1000
            for _ in range(max(5, rounds // 4))
        ]
        size = file.stat().st_size / 1000
    parsed = median_ms(lambda: parse_schema(json.loads(text), "6.14.2"), max(3, rounds // 20))
    yield Figure("schema from the cache", from_cache, target=50.0)
    yield Figure("schema from the cache, first in a fresh Python", statistics.median(done), target=50.0)
    yield Figure("schema from the cache, every node type looked at", unpacked, target=50.0)
    yield Figure("schema from the server's document (without fetching it)", parsed)
    yield Figure("document / cache", parsed / from_cache, "x")
    yield Figure("size in the cache", size, "kB")


def json_schema_figures(rounds: int) -> Iterator[Figure]:
    """Measure the JSON Schemas of the examples and of the 60-node workflow, with names that are not cached."""
    schema = reference_schema()
    texts = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "examples").glob("*.json")}
    times: dict[bool, list[float]] = {False: [], True: []}
    for name, text in {**texts, "60 nodes": picture_workflow(60)}.items():
        loaded = load_workflow(WorkflowDefinition.from_json(text), schema)
        for everything, found in times.items():

            def make(loaded: LoadedWorkflow = loaded, everything: bool = everything) -> object:
                return json_schema("w", "", InputSet(loaded, schema), everything=everything)

            took = median_ms(make, max(5, rounds // 5))
            if name in texts:
                found.append(took)
            else:
                yield Figure(f"JSON Schema, 60 nodes{', every input' * everything}", took)
    yield Figure("JSON Schema, the slowest example", max(times[False]), target=10.0)
    yield Figure("JSON Schema, the slowest example, every input", max(times[True]), target=10.0)


def import_figures(rounds: int) -> Iterator[Figure]:
    """Measure how much time the import adds to a new Python process."""
    few = max(5, rounds // 4)
    bare = fresh_ms("pass", few)
    for what, program, target in (
        ("import invokeai_py_client", "import invokeai_py_client", 100.0),
        ("... and a client", "from invokeai_py_client import InvokeAIClient; InvokeAIClient()", 200.0),
    ):
        yield Figure(what, fresh_ms(program, few) - bare, target=target)
    yield Figure("a fresh Python that does nothing, for comparison", bare)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--rounds", type=int, default=100, help="number of rounds; more rounds give steadier medians"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object per line")
    args = parser.parse_args()
    if not args.json:
        print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}")
    for figures in (request_figures, schema_figures, json_schema_figures, import_figures):
        for figure in figures(args.rounds):
            if args.json:
                print(json.dumps(figure.__dict__))
                continue
            target = "" if figure.target is None else f"   (at most {figure.target:g})"
            print(f"{figure.what:<58}{figure.value:>9.2f} {figure.unit}{target}", flush=True)


if __name__ == "__main__":
    main()
