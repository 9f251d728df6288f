"""What the plugin costs a run that uses no container."""

from __future__ import annotations

import re
import sys

import pytest

# Those that no other plugin of this suite's environment loads.
HEAVY = (
    "podman", "docker", "requests", "urllib3", "tomli_w", "psycopg", "redis", "alembic",
    "podjig.container.generic", "podjig.engine.podman", "podjig.services", "podjig.cleanup.session", "podjig.pod",
    "podjig.network", "podjig.isolation.postgres", "podjig.isolation.redis", "podjig.pytest_plugin.sharing",
    "podjig.pytest_plugin.shared_services", "podjig.pytest_plugin.line",
)  # fmt: skip


@pytest.fixture(autouse=True)
def tests(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests that use no container, and what tells which modules they had loaded."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:pytest_postgresql")  # there once benchmarks have run; it loads psycopg
    project.makepyfile("def test_one(tmp_path): pass\nclass TestTwo:\n    def test_two(self): pass")
    project.makeconftest(
        f"""
        import sys
        def pytest_unconfigure():
            print("LOADED", *sorted(name for name in sys.modules if name.startswith("podjig") or name in {HEAVY}))
        """
    )


def loaded(result: pytest.RunResult) -> set[str]:
    """Return the modules that were loaded at the end of a run."""
    return {name for line in result.outlines if line.startswith("LOADED ") for name in line.split()[1:]}


@pytest.mark.parametrize("args", [(), ("--podjig-early",), ("--collect-only",)])
def test_nothing_heavy_is_loaded_without_a_container(project: pytest.Pytester, args: tuple[str, ...]) -> None:
    modules = loaded(project.runpytest_subprocess(*args))
    assert "podjig.pytest_plugin" in modules
    assert sorted(modules.intersection(HEAVY)) == []


def test_a_quiet_run_does_not_even_look_for_an_engine(project: pytest.Pytester) -> None:
    modules = loaded(project.runpytest_subprocess("-q"))
    assert [name for name in modules if name.startswith("podjig.engine")] == []


def test_what_no_option_asks_for_is_not_even_imported(project: pytest.Pytester) -> None:
    for options, wanted in (
        ((), set()),
        (("--podjig-early",), {"early"}),
        (("--podjig-reuse",), {"reuse"}),
        (("--podjig-keep=on-failure",), {"keeping"}),
        (("-n1",), {"xdist"}),
    ):
        modules = loaded(project.runpytest_subprocess("-q", *options))
        optional = {f"podjig.pytest_plugin.{name}" for name in ("early", "keeping", "marking", "reuse", "xdist")}
        assert modules & optional == {f"podjig.pytest_plugin.{name}" for name in wanted}, options


def test_it_costs_little_beside_pytest_itself(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    """By processor time, the least of several: what else the machine does makes it longer, never shorter."""
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path))
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    program = (
        "import time\n"
        "began = time.process_time()\n"
        "import pytest, _pytest.terminal, _pytest.junitxml\n"
        "between = time.process_time()\n"
        "import podjig.pytest_plugin\n"
        "print('TOOK', between - began, time.process_time() - between)\n"
    )
    took = []
    for _ in range(8):
        result = project.run(sys.executable, "-c", program)
        found = re.search(r"TOOK (\S+) (\S+)", result.stdout.str())
        assert found, result.stderr.str()
        took.append((float(found[1]), float(found[2])))
    pytests, ours = (min(each) for each in zip(*took, strict=True))
    told = f"import podjig.pytest_plugin: {1000 * ours:.1f} ms; pytest: {1000 * pytests:.1f} ms"
    print(told)
    assert ours < pytests / 4, f"{told}: is something imported that only containers need?"
