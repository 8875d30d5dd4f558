"""``make demo``: make an image, run one of InvokeAI's built-in workflows, and sweep it.

If ``INVOKEAI_URL`` is set, the demo uses that server and one of its SDXL models. Otherwise it starts a local
InvokeAI with tiny random models. They only draw noise, but everything else is real.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from invokeai_py_client import InvokeAIClient, InvokeAIClientError, LocalServer

OUTPUT = Path("demo-output")
WORKFLOW = "Text to Image - SDXL"


def main() -> int:
    """Run the demo and return its exit code."""
    began = time.monotonic()
    OUTPUT.mkdir(exist_ok=True)
    for old in OUTPUT.glob("*.png"):
        old.unlink()
    try:
        with server_url() as url, InvokeAIClient.from_url(url) as client:
            show(client)
    except InvokeAIClientError as error:
        say(f"The demo failed: {error}")
        return 1
    say(
        f"Done in {time.monotonic() - began:.0f} s. The images and a contact sheet (sheet.png) are in {OUTPUT}/."
    )
    say(
        "To use your own server and models:\n"
        "  export INVOKEAI_URL=http://localhost:9090\n"
        '  ivk generate "a lighthouse at dusk" -m "your model" -o out/\n'
        f"  ivk inputs {WORKFLOW!r}\n"
        f'  ivk run {WORKFLOW!r} -s positive_prompt="a lighthouse at dusk" -s model="your model" -o out/\n'
        "  make demo"
    )
    return 0


def show(client: InvokeAIClient) -> None:
    """Make an image, run a workflow once, then sweep two of its inputs."""
    say(f"Connected to InvokeAI {client.version()} at {client.url}.")
    model = pick(client, "main")
    vae = pick(client, "vae")
    first = ["generate", "a lighthouse at dusk", "-m", model, "--size", "256x256", "-s", "steps=8"]
    say(f"An image without a workflow: {shlex.join(['ivk', *first])}")
    ivk = [sys.executable, "-m", "invokeai_py_client.cli.main"]
    made = subprocess.run([*ivk, *first, "--url", client.url, "-o", str(OUTPUT / "first.png")], check=False)
    if made.returncode:
        raise InvokeAIClientError("ivk generate failed.")

    say(f"Workflow {WORKFLOW!r} from the server's library with model {model!r}:")
    wf = client.workflow_repo.create_workflow(WORKFLOW)
    wf.set({"Model": model, "vae_model": vae}, width=256, height=256)
    say(repr(wf))

    say("One run with progress output (a run takes a few seconds on a CPU):")
    run = wf.run(positive_prompt="a lighthouse at dusk, watercolor", steps=8, progress=True)
    say(f"Saved {run.images[0].save(OUTPUT / 'lighthouse.png')}")

    sweep = wf.sweep(
        positive_prompt=["a lighthouse at dusk", "a tiger cub, chinese watercolor"], cfg_scale=[3.0, 6.0, 9.0]
    )
    say(f"A sweep of {len(sweep)} runs, sent in one request. Images in the order in which they finish:")
    for run in sweep:
        run.raise_if_failed()
        name = f"sweep-{sweep.runs.index(run)}.png"
        say(f"  {run.images[0].save(OUTPUT / name)}: { ({name: run.inputs[name] for name in sweep.axes}) }")
    sheet = sweep.grid(rows="positive_prompt", columns="cfg_scale")
    sheet.save(OUTPUT / "sheet.png")


def pick(client: InvokeAIClient, kind: str) -> str:
    """Return the name of an SDXL model of a given type."""
    for model in client.dnn_model_repo.list_models():
        if model.base == "sdxl" and model.type == kind:
            return model.name
    raise InvokeAIClientError(f"{client.url} has no SDXL {kind} model. Install one in its model manager.")


@contextmanager
def server_url() -> Generator[str]:
    """Yield the URL of the user's server, or start a server for the demo."""
    given = os.environ.get("INVOKEAI_URL")
    if given:
        yield given
        return
    from invokeai_py_client.server import install, install_tiny_models, make_tiny_models
    from invokeai_py_client.server.paths import default_root

    models = make_tiny_models(install(say=say), only=["tiny-sdxl", "tiny-vae-sdxl"], say=say)
    with LocalServer(root=default_root("demo"), config={"attention_type": "torch-sdp"}, say=say) as server:
        install_tiny_models(server.url, models)
        yield server.url


def say(text: str) -> None:
    """Print a line and flush, so that it also appears at once in a pipe."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
