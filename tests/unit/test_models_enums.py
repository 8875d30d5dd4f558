"""Tests of open enums: each spelling resolves to one member, and unknown words are kept."""

from __future__ import annotations

import pytest

from invokeai_py_client.models.enums import (
    BaseModelEnum,
    ImageCategory,
    InstallStatus,
    JobStatus,
    ModelFormatEnum,
    ModelTypeEnum,
    OpenEnum,
)

ALL = [BaseModelEnum, ImageCategory, InstallStatus, JobStatus, ModelFormatEnum, ModelTypeEnum]

# The words of the server (6.14.2).
BASES_6_14_2 = (
    "any",
    "sd-1",
    "sd-2",
    "sd-3",
    "sdxl",
    "sdxl-refiner",
    "flux",
    "flux2",
    "cogview4",
    "z-image",
    "ernie-image",
    "ideogram-4",
    "external",
    "qwen-image",
    "anima",
    "krea-2",
    "wan",
    "unknown",
)


@pytest.mark.parametrize(
    ("word", "member"),
    [
        ("pending", JobStatus.PENDING),
        ("PENDING", JobStatus.PENDING),
        ("in_progress", JobStatus.RUNNING),
        ("IN_PROGRESS", JobStatus.RUNNING),
        ("running", JobStatus.RUNNING),
        ("canceled", JobStatus.CANCELLED),
        ("CANCELED", JobStatus.CANCELLED),
        ("cancelled", JobStatus.CANCELLED),
        ("Completed", JobStatus.COMPLETED),
        ("failed", JobStatus.FAILED),
        ("waiting", JobStatus.WAITING),
    ],
)
def test_S01_job_status_takes_every_spelling(word: str, member: JobStatus) -> None:
    assert JobStatus(word) is member
    assert JobStatus.parse(word) is member


def test_S01_job_status_values_aliases_and_wire() -> None:
    assert [status.value for status in JobStatus] == [
        "pending",
        "running",
        "waiting",
        "completed",
        "failed",
        "cancelled",
    ]
    assert JobStatus.IN_PROGRESS is JobStatus.RUNNING
    assert JobStatus.CANCELED is JobStatus.CANCELLED
    assert isinstance(JobStatus.RUNNING, str)
    assert {status.wire for status in JobStatus} == {
        "pending",
        "in_progress",
        "waiting",
        "completed",
        "failed",
        "canceled",
    }
    assert [status for status in JobStatus if status.is_final] == [
        JobStatus.COMPLETED,
        JobStatus.FAILED,
        JobStatus.CANCELLED,
    ]


def test_S02_image_categories() -> None:
    assert {category.name: category.value for category in ImageCategory} == {
        "USER": "user",
        "GENERAL": "general",
        "CONTROL": "control",
        "MASK": "mask",
        "OTHER": "other",
    }


def test_S03_bases_of_the_documents_and_of_the_server() -> None:
    assert BaseModelEnum.SD1.value == "sd-1"
    assert BaseModelEnum.SD_1 is BaseModelEnum.SD1
    assert BaseModelEnum.SD_2 is BaseModelEnum.SD2
    assert BaseModelEnum.FLUX_SCHNELL.value == "flux-schnell"
    for base in BASES_6_14_2:
        assert BaseModelEnum(base).value == base


@pytest.mark.parametrize("word", ["SD-1", "sd_1", "SD1", "sd1"])
def test_S03_bases_take_other_spellings(word: str) -> None:
    assert BaseModelEnum(word) is BaseModelEnum.SD1


@pytest.mark.parametrize("enum", ALL)
def test_spellings_are_unambiguous(enum: type[OpenEnum]) -> None:
    for name, member in enum.__members__.items():
        for spelling in (name, name.lower(), member.value, member.value.upper(), f" {member.value} "):
            assert enum(spelling) is member, spelling


@pytest.mark.parametrize("enum", ALL)
def test_unknown_words_are_kept_by_parse_and_rejected_by_enum(enum: type[OpenEnum]) -> None:
    assert enum.parse("Dreaming-9") == "Dreaming-9"
    assert not isinstance(enum.parse("Dreaming-9"), enum)
    with pytest.raises(ValueError, match="Dreaming-9"):
        enum("Dreaming-9")
