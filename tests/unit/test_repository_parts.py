"""Parts of the repositories without I/O: uploads, file names, and models of installation sources."""

from __future__ import annotations

import ast
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow

from invokeai_py_client.dnn_model.start import (
    already_installed,
    duplicate_of,
    looks_like_repository,
    model_of_source,
)
from invokeai_py_client.errors import InputValueError, UsageError
from invokeai_py_client.files.atomic import AtomicFile, write_atomically
from invokeai_py_client.files.names import target_path
from invokeai_py_client.files.photos import Photo
from invokeai_py_client.image.upload import content_type, make_upload, read_photo
from invokeai_py_client.models import InstallStatus, IvkDnnModel, ModelInstJobInfo
from invokeai_py_client.transport.payload import Form, FormFile, path_part, portions, route

PACKAGE = Path(__file__).parents[2] / "src" / "invokeai_py_client"


def encoded(kind: str) -> bytes:
    buffer = io.BytesIO()
    Pillow.new("RGB", (4, 4)).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "bmp", "tiff", "webp"])
def test_content_type_is_detected_from_content(kind: str) -> None:
    assert content_type(encoded(kind), "misnamed.txt") == f"image/{kind}"


def test_content_type_from_name_or_default() -> None:
    assert content_type(b"????", "photo.avif").startswith("image/")
    assert content_type(b"????", "notes.txt") == "image/png"


def test_upload_from_a_path(tmp_path: Path) -> None:
    path = tmp_path / "a b.jpg"
    path.write_bytes(encoded("jpeg"))
    form = make_upload(read_photo(path))
    assert form == Form({}, {"file": FormFile(path.read_bytes(), "a b.jpg", "image/jpeg")})


def test_upload_with_all_options() -> None:
    photo = read_photo(Pillow.new("CMYK", (4, 4)))
    form = make_upload(photo, filename="x/y.png", metadata={"seed": 1}, resize_to=(8, 16))
    [(_, file)] = form.parts()
    assert file.filename == "y.png"
    fields = dict(form.texts())
    assert json.loads(fields["metadata"]) == {"seed": 1}
    assert json.loads(fields["resize_to"]) == {"width": 8, "height": 16}
    assert isinstance(file.data, bytes)
    assert Pillow.open(io.BytesIO(file.data)).mode == "RGB"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("/no/such/file.png", "Image file not found: '/no/such/file.png'"),
        ("bad\0name.png", "contains a NUL character"),
        (b"", "is empty"),
        (None, "of type NoneType"),
        ({"image_name": "a"}, "of type dict"),
    ],
)
def test_invalid_upload_sources(source: Any, message: str) -> None:
    with pytest.raises(InputValueError, match=message):
        read_photo(source)


def test_metadata_must_be_json() -> None:
    with pytest.raises(InputValueError, match="expected a mapping of JSON values"):
        make_upload(Photo(b"x", "x.png"), metadata={"a": object()})


# ---------------------------------------------------------------------- files


@pytest.mark.parametrize("name", ["../../etc/passwd", "..\\..\\passwd", "/etc/passwd"])
def test_server_name_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    assert target_path(tmp_path, name) == tmp_path / "passwd"


def test_file_appears_only_when_complete(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.png"
    file = AtomicFile(target)
    file.write(b"half")
    assert not target.exists()
    file.discard()
    assert [*target.parent.iterdir()] == []
    write_atomically(target, b"whole")
    assert target.read_bytes() == b"whole"
    assert [path.name for path in target.parent.iterdir()] == ["a.png"]


# ---------------------------------------------------------------------- paths and portions


def test_path_parts() -> None:
    assert path_part("a b?c#d%", "a board") == "a%20b%3Fc%23d%25"
    for wrong in ("", ".", "..", "a/b", None, 5):
        with pytest.raises(UsageError, match="not a valid name or id of a board"):
            path_part(wrong, "a board")  # pyright: ignore[reportArgumentType]


def test_routes_escape_names_and_ids() -> None:
    assert (
        route("/api/v1/queue/{queue}/i/{item}/cancel", queue="a b?c", item=7)
        == "/api/v1/queue/a%20b%3Fc/i/7/cancel"
    )
    for kind, article in (("queue", "a"), ("image", "an")):
        with pytest.raises(
            UsageError, match=f"'default/../default' is not a valid name or id of {article} {kind};"
        ):
            route(f"/x/{{{kind}}}", **{kind: "default/../default"})
    with pytest.raises(UsageError, match="True is not a valid"):
        route("/x/{item}", item=True)


def test_only_route_inserts_values_into_paths() -> None:
    """An f-string that begins with a path may contain only constants and calls of ``route()``."""
    wrong: list[str] = []
    for file in sorted(
        {*PACKAGE.rglob("*.py")} - {PACKAGE / "client.py"}
    ):  # its request() takes a whole path
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not isinstance(node, ast.JoinedStr) or not _begins_with_path(node):
                continue
            for part in node.values:
                if isinstance(part, ast.FormattedValue) and not _is_safe(part.value):
                    wrong.append(f"{file.name}:{node.lineno}: {ast.unparse(node)}")
    assert wrong == []


def _begins_with_path(node: ast.JoinedStr) -> bool:
    first = node.values[0]
    if isinstance(first, ast.Constant):
        return str(first.value).startswith("/api")
    inner = first.value if isinstance(first, ast.FormattedValue) else None
    rest = node.values[1] if len(node.values) > 1 else None
    is_base = isinstance(inner, ast.Name) and inner.id.isupper()
    return is_base and isinstance(rest, ast.Constant) and str(rest.value).startswith("/")


def _is_safe(value: ast.expr) -> bool:
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Name) and value.func.id == "route"
    return isinstance(value, ast.Name) and value.id.isupper()


def test_portions() -> None:
    assert [*portions([1, 2, 3, 4, 5], 2)] == [[1, 2], [3, 4], [5]]
    assert [*portions([], 2)] == []


# ---------------------------------------------------------------------- installed sources


def model(**more: Any) -> IvkDnnModel:
    return IvkDnnModel.from_api_response({"key": "k", "name": "n", "base": "sd-1", "type": "main", **more})


@pytest.mark.parametrize(
    ("record", "source", "same"),
    [
        ({"source": "/m/a.safetensors"}, "/m/a.safetensors", True),
        ({"source": "/m/a"}, "/m/a/", True),
        ({"source": "/m/a"}, '"/m//a"', True),
        ({"path": "/m/a.safetensors"}, "/m/a.safetensors", True),
        ({"source": "org/name"}, "org/name", True),
        ({"source": "org/name:fp16::vae"}, "org/name:fp16:vae", True),
        ({"source": "https://x.org/a"}, "https://x.org/a", True),
        ({"source": "https://x.org/a"}, "https://x.org/b", False),
        ({"source": "org/name"}, "org/name:fp16", False),
        ({"source": "/m/a.safetensors"}, "/n/a.safetensors", False),
        ({"source": None, "path": None}, "", False),
        ({"source": "", "path": ""}, "/m", False),
    ],
)
def test_model_of_a_source(record: dict[str, Any], source: str, same: bool) -> None:
    found = model_of_source([model(source="elsewhere"), model(**record)], source)
    assert (found is not None) is same


def job(**more: Any) -> ModelInstJobInfo:
    return ModelInstJobInfo.from_api_response(
        {
            "id": 3,
            "status": "error",
            "error_reason": "DuplicateModelException",
            "source": {"type": "local", "path": "/link/a"},
            "local_path": "/link/a",
            **more,
        }
    )


def test_job_of_an_installed_model_counts_as_completed() -> None:
    models = [model(key="other", path="/x"), model(path="/real/a", source="/real/a")]
    told = job(error="A model with path '/real/a' is already installed")
    found = duplicate_of(models, told)
    assert found is not None
    assert found is models[1]
    info = already_installed("/link/a", found, told)
    assert (info.id, info.status, info.model_key) == (3, InstallStatus.COMPLETED, "k")
    assert (info.error, info.error_reason, info.extra) == (None, None, {"reason": "already_installed"})
    assert told.status is InstallStatus.ERROR


@pytest.mark.parametrize(
    "more",
    [
        {"error": "A model with name='a', type='main', base='sd-1' is already installed"},
        {"error": "A model with path '/gone' is already installed"},
        {"error": "x", "error_reason": "ValueError"},
        {"error": None, "status": "running", "source": {"type": "local", "path": "/real/a"}},
    ],
)
def test_other_failed_jobs_stay_failed(more: dict[str, Any]) -> None:
    assert duplicate_of([model(path="/real/a", source="/real/a")], job(**more)) is None


def test_hugging_face_repositories_are_recognized() -> None:
    assert all(map(looks_like_repository, ["a/b", "a/b:fp16", "a/b::vae", "a/b:fp16:x/y"]))
    assert not any(map(looks_like_repository, ["a", "/a/b", "a/b/c", "https://a/b", "", "a b/c"]))
