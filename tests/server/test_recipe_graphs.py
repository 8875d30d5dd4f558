"""The graphs of all recipes, checked by the classes of the server itself."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import recipes

import invokeai_py_client
from invokeai_py_client.schema.reference import REFERENCE_VERSION, reference_schema
from invokeai_py_client.server import install

SCRIPT = Path(recipes.__file__).with_name("validate_graphs.py")
OPERATORS = Path(invokeai_py_client.__file__).parent / "server" / "inside" / "operators.py"


def rejected(graphs: dict[str, object]) -> dict[str, str]:
    """Return the errors of the server's classes for graphs, by name."""
    done = subprocess.run(
        [install(REFERENCE_VERSION).python, "-P", "-W", "ignore", SCRIPT, OPERATORS],
        input=json.dumps(graphs),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_server_accepts_the_graph_of_every_recipe() -> None:
    graphs = dict(recipes.graphs(reference_schema()))
    assert len(graphs) == 2 * len(recipes.CASES)
    broken = json.loads(json.dumps(graphs["sdxl text with a seed"]))
    broken["edges"][0]["destination"]["field"] = "no_such_field"
    errors = rejected({**graphs, "broken": broken})
    assert "no_such_field" in errors.pop("broken")
    assert errors == {}
