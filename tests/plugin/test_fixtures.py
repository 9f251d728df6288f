"""Containers as fixtures."""

from __future__ import annotations

import re
from typing import Any

import pytest

from podjig import GenericContainer, container_fixture
from podjig.errors import DefinitionError

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
    project.runpytest_subprocess("-p", "no:randomly").assert_outcomes(passed=2)


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


@pytest.mark.parametrize("value", [GenericContainer, None, "postgres:16", [], [GenericContainer]])
def test_what_is_no_container_is_refused(value: object) -> None:
    with pytest.raises(DefinitionError, match="container_fixture\\(\\) needs a container"):
        container_fixture(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"images": "postgres:15"}, "images='postgres:15' is no list"),
        ({"images": []}, "does not go with"),
        ({"images": ["Not A Name"]}, "Not A Name"),
        ({"shared": True, "scope": "module"}, "scope 'module' cannot be shared"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        container_fixture(GenericContainer("busybox"), **options)


@pytest.mark.usefixtures("mark")
def test_images_run_each_test_once_with_each_and_name_it(project: pytest.Pytester) -> None:
    project.makeconftest(f"{CONFTEST}\nmybox = container_fixture(box(), images=['busybox', 'busybox:latest'])")
    project.makepyfile("def test_it(mybox):\n    assert mybox.exec('echo hi').output == b'hi\\n'")
    result = project.runpytest_subprocess("-v", "-p", "no:randomly")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*::test_it[[]busybox[]] PASSED*", "*::test_it[[]busybox:latest[]] PASSED*"])


@pytest.mark.usefixtures("mark")
def test_several_containers_run_each_test_once_with_each(project: pytest.Pytester) -> None:
    project.makeconftest(f"{CONFTEST}\nmybox = container_fixture([box().with_env('N', n) for n in '12'])")
    project.makepyfile("def test_it(mybox):\n    print(mybox.exec(['sh', '-c', 'echo N is $N']).output.decode())")
    result = project.runpytest_subprocess("-s", "-p", "no:randomly")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*N is 1", "*N is 2"])


@pytest.mark.usefixtures("mark")
def test_a_test_may_choose_the_image_itself(project: pytest.Pytester) -> None:
    project.makeconftest(f"{CONFTEST}\nmybox = container_fixture(box())")
    project.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("mybox", ["busybox:latest"], indirect=True)
        def test_it(mybox):
            assert mybox.image == "busybox:latest"

        @pytest.mark.parametrize("mybox", [15], indirect=True)
        def test_nonsense(mybox): pass
        """
    )
    result = project.runpytest_subprocess()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*15 is no parameter for a container fixture*"])


@pytest.mark.usefixtures("mark")
def test_a_function_gives_the_container_late_and_may_skip(project: pytest.Pytester) -> None:
    project.makeconftest(
        f"""{CONFTEST}
import pytest
called = []
def late():
    called.append(1)
    return box()
mybox = container_fixture(late)
wrong = container_fixture(lambda: "busybox")
skipping = container_fixture(lambda: pytest.skip("not on this machine"))
"""
    )
    project.makepyfile(
        """
        import conftest
        def test_not_called():
            assert conftest.called == []
        def test_it(mybox):
            assert conftest.called == [1] and mybox.status == "running"
        def test_wrong(wrong): pass
        def test_skipped(skipping, mybox): pass
        """
    )
    result = project.runpytest_subprocess("-rs", "-p", "no:randomly")
    result.assert_outcomes(passed=2, errors=1, skipped=1)
    result.stdout.fnmatch_lines(
        ["*returned 'busybox'*", "*hint: return a container, not started*", "SKIPPED*not on this machine"]
    )


@pytest.mark.usefixtures("mark")
def test_the_scope_may_be_chosen_by_a_function(project: pytest.Pytester) -> None:
    project.makeconftest(
        f"""{CONFTEST}
def pytest_addoption(parser):
    parser.addoption("--each", action="store_true")
def scope(fixture_name, config):
    return "function" if config.getoption("each") else "session"
mybox = container_fixture(box(), scope=scope)
"""
    )
    project.makepyfile("def test_a(mybox): print('id:', mybox.id)\ndef test_b(mybox): print('id:', mybox.id)")
    for option, containers in (("--strict-markers", 1), ("--each", 2)):
        result = project.runpytest_subprocess("-s", option)
        result.assert_outcomes(passed=2)
        assert len(set(re.findall("id: [0-9a-f]{64}", result.stdout.str()))) == containers, option


@pytest.mark.usefixtures("mark")
def test_a_nearer_fixture_of_the_same_name_overrides_and_may_use_the_other(project: pytest.Pytester) -> None:
    project.makeconftest(f"{CONFTEST}\nmybox = container_fixture(box().with_env('WHERE', 'above'))")
    for folder, body in {
        "replaces": f"{CONFTEST}\nmybox = container_fixture(box().with_env('WHERE', 'below'))",
        "uses": "import pytest\n@pytest.fixture\ndef mybox(mybox):\n    mybox.extra = 1\n    return mybox",
    }.items():
        project.mkpydir(folder)
        (project.path / folder / "conftest.py").write_text(body, encoding="utf-8")
    test = (
        "def test_it(mybox):\n    assert mybox.exec(['sh', '-c', 'echo $WHERE']).output.decode().strip() == {where!r}\n"
    )
    more = "    assert mybox.extra == 1\n"
    (project.path / "replaces" / "test_a.py").write_text(test.format(where="below"), encoding="utf-8")
    (project.path / "uses" / "test_b.py").write_text(test.format(where="above") + more, encoding="utf-8")
    project.runpytest_subprocess().assert_outcomes(passed=2)


@pytest.mark.usefixtures("mark")
def test_a_wider_fixture_that_needs_a_narrower_one_is_told_by_name(project: pytest.Pytester) -> None:
    project.makeconftest(
        f"""{CONFTEST}
import pytest
mybox = container_fixture(box(), scope="function")
@pytest.fixture(scope="session")
def wide(mybox): pass
"""
    )
    project.makepyfile("def test_it(wide): pass")
    result = project.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*ScopeMismatch*function scoped fixture mybox *", "*def wide(mybox)*"])


@pytest.mark.usefixtures("mark")
def test_a_failing_test_leaves_nothing(project: pytest.Pytester) -> None:
    project.makeconftest(f"{CONFTEST}\nmybox = container_fixture(box())")
    project.makepyfile("def test_it(mybox):\n    raise ValueError('mine')\ndef test_more(mybox): pass")
    project.runpytest_subprocess("-x", "-p", "no:randomly").assert_outcomes(failed=1)


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
            "*no container engine answered. Tried CONTAINER_HOST (unset), *private service (*",
            "*hint: *podjig doctor*",
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
    result.stdout.fnmatch_lines(["*the engine at unix:///no/such/podman.sock *cannot be used: *"])
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
