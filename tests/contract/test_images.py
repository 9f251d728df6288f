from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from contract.conftest import Tidy
from podjig.engine.protocol import Engine
from podjig.errors import EngineRequestError, ImageBuildError, ImagePullError, ResourceNotFound
from podjig.spec import BuildSpec

Create = Callable[..., str]
Tar = Callable[..., io.BytesIO]


def build(engine: Engine, context: Path, text: str, tag: str, **fields: object) -> str:
    (context / "Containerfile").write_text(text)
    return "".join(engine.build_image(BuildSpec(context=context, tags=(tag,), **fields)))  # type: ignore[arg-type]


def test_an_image_is_inspected(engine: Engine, tiny_image: str) -> None:
    image = engine.inspect_image(tiny_image)
    assert image is not None
    assert len(image.id) == 64
    assert tiny_image in image.names
    assert image.command == ("sh",)
    assert image.os == "linux"
    assert image.architecture
    by_id = engine.inspect_image(image.id)
    assert by_id is not None
    assert by_id.id == image.id


def test_an_absent_image_is_none(engine: Engine) -> None:
    assert engine.inspect_image("localhost/podjig/nothing:1") is None


def test_one_more_name(engine: Engine, new_image: str, unique: str, tidy: Tidy, tar: Tar) -> None:
    first = new_image.replace("contract-", "first-")
    tidy.images.append(first)
    box = engine.import_image(tar(file=unique.encode()), first)  # its own: other tests name the images that all share
    engine.tag_image(first, new_image)
    tagged = engine.inspect_image(new_image)
    assert tagged is not None
    assert tagged.id == box
    assert {first, new_image} == set(tagged.names)
    engine.remove_image(new_image)
    assert engine.inspect_image(new_image) is None
    assert engine.inspect_image(first) is not None


def test_an_absent_image_gets_no_name(engine: Engine, new_image: str) -> None:
    with pytest.raises(ResourceNotFound, match="localhost/podjig/nothing:1"):
        engine.tag_image("localhost/podjig/nothing:1", new_image)


def test_removal_is_quiet_where_there_is_none(engine: Engine) -> None:
    engine.remove_image("localhost/podjig/nothing:1")


def test_a_used_image_is_not_removed(engine: Engine, create: Create, new_image: str, unique: str, tar: Tar) -> None:
    engine.import_image(tar(file=unique.encode()), new_image)
    box = create(image=new_image)
    with pytest.raises(EngineRequestError):
        engine.remove_image(new_image)
    engine.remove_container(box)
    engine.remove_image(new_image)
    assert engine.inspect_image(new_image) is None


def test_a_root_file_system_becomes_an_image(engine: Engine, new_image: str, unique: str, tar: Tar) -> None:
    # No other test's layer is the same: Podman would lose one that goes while it is made again.
    box = engine.import_image(tar(file=unique.encode()), new_image, changes=['CMD ["/file", "-v"]', "ENV A=b"])
    image = engine.inspect_image(new_image)
    assert image is not None
    assert image.id == box
    assert image.command == ("/file", "-v")
    assert image.env["A"] == "b"


def test_what_is_no_archive_becomes_no_image(engine: Engine, new_image: str) -> None:
    with pytest.raises(EngineRequestError, match=new_image):
        engine.import_image(io.BytesIO(b"no archive" * 1000), new_image)
    assert engine.inspect_image(new_image) is None


def test_a_pull_from_nowhere_names_image_and_reason(engine: Engine) -> None:
    with pytest.raises(ImagePullError, match="localhost:1/podjig/nothing:1") as caught:
        list(engine.pull_image("localhost:1/podjig/nothing:1"))
    assert caught.value.hint


@pytest.mark.needs("registry")
def test_a_pull_says_why_the_registry_did_not_answer(engine: Engine) -> None:
    with pytest.raises(ImagePullError, match="connection refused"):
        list(engine.pull_image("localhost:1/podjig/nothing:1"))


def test_a_build_makes_a_named_image(engine: Engine, tiny_image: str, new_image: str, tmp_path: Path) -> None:
    output = build(
        engine, tmp_path, f'FROM {tiny_image}\nLABEL a=b\nCMD ["echo", "built"]\n', new_image, labels={"c": "d"}
    )
    assert "LABEL" in output
    image = engine.inspect_image(new_image)
    assert image is not None
    assert image.labels["a"] == "b"
    assert image.labels["c"] == "d"
    assert image.command == ("echo", "built")


def test_a_build_shows_what_its_steps_write(engine: Engine, tiny_image: str, new_image: str, tmp_path: Path) -> None:
    assert "from inside\n" in build(engine, tmp_path, f"FROM {tiny_image}\nRUN echo from inside\n", new_image)


def test_a_build_from_an_image_that_is_not_there(engine: Engine, new_image: str, tmp_path: Path) -> None:
    with pytest.raises(ImageBuildError, match=new_image):
        build(engine, tmp_path, "FROM localhost/podjig/nothing:1\n", new_image)


def test_a_failing_step_shows_its_last_output(engine: Engine, tiny_image: str, new_image: str, tmp_path: Path) -> None:
    with pytest.raises(ImageBuildError, match="exit status 3") as caught:
        build(engine, tmp_path, f"FROM {tiny_image}\nRUN echo almost; exit 3\n", new_image)
    assert "almost" in caught.value.logs
    assert engine.inspect_image(new_image) is None


def test_a_build_without_containerfile(engine: Engine, new_image: str, tmp_path: Path) -> None:
    with pytest.raises(ImageBuildError, match="Containerfile or Dockerfile"):
        list(engine.build_image(BuildSpec(context=tmp_path, tags=(new_image,))))


@pytest.mark.needs("processes")
def test_a_build_sees_its_context_less_what_is_ignored(
    engine: Engine, run: Create, tiny_image: str, new_image: str, tmp_path: Path
) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("kept")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("key")
    (tmp_path / "secret" / "public").write_text("public")
    (tmp_path / "notes.log").write_text("log")
    (tmp_path / ".containerignore").write_text("# comment\nsecret\n!secret/public\n**/*.log\n")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "Recipe").write_text(f"FROM {tiny_image}\nARG WHAT\nCOPY . /context/\nENV WHAT=$WHAT\n")
    spec = BuildSpec(context=tmp_path, tags=(new_image,), containerfile="elsewhere/Recipe", build_args={"WHAT": "ever"})
    list(engine.build_image(spec))
    box = run(image=new_image)
    found = engine.exec(box, ["sh", "-c", "cd /context; find . -type f | sort"]).stdout.decode().split()
    assert found == ["./.containerignore", "./elsewhere/Recipe", "./kept/file", "./secret/public"]
    assert engine.inspect_container(box).env["WHAT"] == "ever"


@pytest.mark.needs("processes")
def test_a_second_build_uses_the_layers_of_the_first(
    engine: Engine, tiny_image: str, new_image: str, unique: str, tmp_path: Path, tidy: Tidy
) -> None:
    text = f"FROM {tiny_image}\nRUN echo {unique}\nHEALTHCHECK CMD true\n"
    build(engine, tmp_path, text, new_image)
    first = engine.inspect_image(new_image)
    assert first is not None
    tidy.images.append(first.id)  # the third build takes its name
    assert "cache" in build(engine, tmp_path, text, new_image).lower()
    assert "cache" not in build(engine, tmp_path, text, new_image, no_cache=True).lower()
    image = engine.inspect_image(new_image)
    assert image is not None
    assert image.healthcheck[-1] == "true"


@pytest.mark.needs("processes")
def test_a_build_stops_at_its_target(engine: Engine, tiny_image: str, new_image: str, tmp_path: Path) -> None:
    text = f"FROM {tiny_image} AS one\nLABEL stage=one\nFROM one AS two\nLABEL stage=two\nRUN exit 1\n"
    build(engine, tmp_path, text, new_image, target="one")
    image = engine.inspect_image(new_image)
    assert image is not None
    assert image.labels["stage"] == "one"
