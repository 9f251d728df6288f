"""Containers as fixtures."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from podjig import GenericContainer, container_fixture
from podjig.engine.protocol import Engine
from podjig.errors import DefinitionError


@pytest.fixture
def mark(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A label that the project's containers carry; at the end none of them may be left."""
    value = uuid.uuid4().hex
    monkeypatch.setenv("MARK", value)
    yield value
    assert engine.list_containers(labels={"podjig-test": value}) == []


CONFTEST = """
import os
from podjig import GenericContainer, container_fixture

def box():
    return GenericContainer("busybox", command="sleep 600").with_labels({"podjig-test": os.environ["MARK"]})
"""


@pytest.mark.usefixtures("mark")
def test_the_fixture_has_the_variables_name_and_lives_for_the_session(project: pytest.Pytester) -> None:
    project.makeconftest(f"{CONFTEST}\nmybox = container_fixture(box())")
    project.makepyfile(
        test_one="def test_a(mybox):\n    assert mybox.status == 'running'\n    mybox.seen = 1",
        test_two="def test_b(mybox):\n    assert mybox.seen == 1",
    )
    project.runpytest_subprocess().assert_outcomes(passed=2)


@pytest.mark.usefixtures("mark")
@pytest.mark.parametrize(
    ("scope", "containers"), [("session", 1), ("package", 1), ("module", 2), ("class", 3), ("function", 4)]
)
def test_scopes(project: pytest.Pytester, scope: str, containers: int) -> None:
    project.makeconftest(f"{CONFTEST}\nmybox = container_fixture(box(), scope={scope!r})")
    project.makepyfile(
        test_one="""
        class TestTwo:
            def test_a(self, mybox): print("id:", mybox.id)
            def test_b(self, mybox): print("id:", mybox.id)
        def test_c(mybox): print("id:", mybox.id)
        """,
        test_two="def test_d(mybox): print('id:', mybox.id)",
    )
    result = project.runpytest_subprocess("-s")
    result.assert_outcomes(passed=4)
    assert len(set(re.findall("id: [0-9a-f]{64}", result.stdout.str()))) == containers


@pytest.mark.usefixtures("mark")
def test_a_name_of_its_own_and_autouse(project: pytest.Pytester) -> None:
    project.makeconftest(f"{CONFTEST}\n_a = container_fixture(box(), name='other', autouse=True)")
    project.makepyfile("def test_it(request):\n    assert request.getfixturevalue('other').status == 'running'")
    project.runpytest_subprocess().assert_outcomes(passed=1)
    project.runpytest_subprocess("--fixtures").stdout.fnmatch_lines(["other*"])


@pytest.mark.usefixtures("mark")
def test_two_fixtures_of_one_definition_are_two_containers(project: pytest.Pytester) -> None:
    project.makeconftest(f"{CONFTEST}\nit = box()\none = container_fixture(it)\ntwo = container_fixture(it)")
    project.makepyfile(
        "import conftest\n"
        "def test_it(one, two):\n    assert one.id != two.id\n    assert conftest.it.status == 'not_started'"
    )
    project.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


@pytest.mark.parametrize("value", [GenericContainer, None, "postgres:16"])
def test_what_is_no_container_is_refused(value: object) -> None:
    with pytest.raises(DefinitionError, match="container_fixture\\(\\) needs a container"):
        container_fixture(value)  # type: ignore[arg-type]


@pytest.mark.usefixtures("mark")
def test_a_failing_test_leaves_nothing(project: pytest.Pytester) -> None:
    project.makeconftest(f"{CONFTEST}\nmybox = container_fixture(box())")
    project.makepyfile("def test_it(mybox):\n    raise ValueError('mine')\ndef test_more(mybox): pass")
    project.runpytest_subprocess("-x").assert_outcomes(failed=1)


@pytest.mark.usefixtures("mark")
def test_xdist_workers_have_a_container_each(project: pytest.Pytester) -> None:
    project.makeconftest(f"{CONFTEST}\nmybox = container_fixture(box())")
    project.makepyfile(
        "import pytest, time\n"
        "@pytest.mark.parametrize('n', range(4))\n"
        "def test_it(mybox, n):\n    assert mybox.exec(['echo', str(n)]).output == b'%d\\n' % n"
    )
    project.runpytest_subprocess("-n", "2").assert_outcomes(passed=4)


@pytest.mark.usefixtures("no_engine")
def test_no_engine_fails_the_fixture_with_the_reasons(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARK", "none")
    project.makeconftest(f"{CONFTEST}\nmybox = container_fixture(box())")
    project.makepyfile("import pytest\n@pytest.mark.integration\ndef test_real(mybox): pass\n\ndef test_other(): pass")
    result = project.runpytest_subprocess()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "E *EngineNotFound: no container engine answered. Tried CONTAINER_HOST (unset), *private service (*",
            "E *hint: *podjig doctor*",
        ]
    )
    for client in ("requests", "urllib3", "podman/", "http/client"):
        result.stdout.no_fnmatch_line(f"*{client}*Error*")
    project.runpytest_subprocess("-m", "not integration").assert_outcomes(passed=1, deselected=1)


def test_an_engine_that_is_named_and_absent_is_told(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARK", "none")
    monkeypatch.setenv("PODJIG_ENGINE", "unix:///no/such/podman.sock")
    project.makeconftest(f"{CONFTEST}\nmybox = container_fixture(box())")
    project.makepyfile("import pytest\n@pytest.mark.integration\ndef test_real(mybox): pass\ndef test_other(): pass")
    result = project.runpytest_subprocess()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["E *EngineUnavailable: the engine at unix:///no/such/podman.sock *cannot be used: *"])
    project.runpytest_subprocess("-m", "not integration").assert_outcomes(passed=1, deselected=1)


@pytest.mark.parametrize("capture", ["fd", "sys", "no"])
def test_progress_reaches_the_terminal_past_the_capture(project: pytest.Pytester, capture: str) -> None:
    project.makepyfile(
        """
        import pytest
        from podjig.image import progress

        @pytest.fixture
        def image(monkeypatch):
            monkeypatch.setattr(progress, "_QUIET_FOR", 0)
            with progress.ProgressLine("podjig: pulling an image") as line:
                line.update("layer 1 of 2")
            print("this stays captured")

        def test_it(image): pass
        """
    )
    result = project.runpytest_subprocess(f"--capture={capture}")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        ["podjig: pulling an image [[]0s[]] layer 1 of 2", "podjig: pulling an image: done in *"]
    )
    if capture != "no":
        result.stdout.no_fnmatch_line("*this stays captured*")


def test_the_articles_project_is_green_and_leaves_nothing(project: pytest.Pytester, engine: Engine) -> None:
    article = Path(__file__).parents[1] / "projects" / "article"
    project.makepyfile(
        recorder="""
        import pathlib
        from podjig import GenericContainer

        start = GenericContainer.start

        def recorded(container):
            start(container)
            with pathlib.Path("ids").open("a") as ids:
                print(container.id, file=ids)
            return container

        GenericContainer.start = recorded
        """
    )
    result = project.runpytest_subprocess("-p", "recorder", "-p", "no:cacheprovider", str(article))
    result.assert_outcomes(passed=3)
    started = (project.path / "ids").read_text(encoding="utf-8").split()
    assert len(started) == 2
    assert {container.id for container in engine.list_containers()}.isdisjoint(started)
