from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from podjig.engine.protocol import Engine
from podjig.errors import CommandNotFound, ContainerExited, EngineRequestError, ExecError, ExecTimeout
from podjig.spec import Healthcheck

Create = Callable[..., str]


def test_a_command_gives_its_output_and_exit_code(engine: Engine, run: Create) -> None:
    result = engine.exec(run(), ["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert result.exit_code == 3
    assert result.stdout == b"out\n"
    assert result.stderr == b"err\n"
    assert sorted(result.output.splitlines()) == [b"err", b"out"]
    code, output = result
    assert (code, output) == (3, result.output)


def test_a_command_sees_more_environment(engine: Engine, run: Create) -> None:
    lines = engine.exec(run(env={"A": "1"}), ["env"], env={"B": "x=y"}).stdout.splitlines()
    assert b"A=1" in lines
    assert b"B=x=y" in lines


@pytest.mark.needs("processes")
def test_a_command_runs_as_and_where_it_is_told(engine: Engine, run: Create) -> None:
    result = engine.exec(run(), ["sh", "-c", "id -u; pwd"], user="0:0", workdir="/etc")
    assert result.stdout == b"0\n/etc\n"


@pytest.mark.needs("processes")
def test_output_arrives_in_order_and_whole(engine: Engine, run: Create) -> None:
    line = "echo a; sleep 0.1; echo b >&2; sleep 0.1; echo c; head -c 300000 /dev/zero | tr '\\0' x"
    assert engine.exec(run(), ["sh", "-c", line]).output == b"a\nb\nc\n" + b"x" * 300000


def test_an_unknown_program_is_an_error(engine: Engine, run: Create) -> None:
    with pytest.raises(CommandNotFound, match="no-such-program"):
        engine.exec(run(), ["no-such-program", "--version"])


@pytest.mark.needs("processes")
def test_a_file_that_is_no_program_is_an_error(engine: Engine, run: Create) -> None:
    with pytest.raises(CommandNotFound, match="/etc/passwd"):
        engine.exec(run(), ["/etc/passwd"])


def test_a_shell_that_knows_no_such_command_is_a_result(engine: Engine, run: Create) -> None:
    result = engine.exec(run(), ["sh", "-c", "no-such-program"])
    assert result.exit_code == 127
    assert b"not found" in result.stderr


@pytest.mark.parametrize("code", [126, 127])
def test_exit_codes_of_shells_are_results(engine: Engine, run: Create, code: int) -> None:
    assert engine.exec(run(), ["sh", "-c", f"exit {code}"]).exit_code == code


@pytest.mark.needs("processes")
@pytest.mark.parametrize("options", [{"user": "nobody-of-that-name"}, {"workdir": "/no/such/folder"}])
def test_an_unknown_user_or_folder_is_an_error(engine: Engine, run: Create, options: dict[str, str]) -> None:
    with pytest.raises(ExecError) as caught:
        engine.exec(run(), ["sh", "-c", "true"], user=options.get("user"), workdir=options.get("workdir"))
    assert not isinstance(caught.value, CommandNotFound)


def test_a_command_has_a_deadline(engine: Engine, run: Create) -> None:
    before = time.monotonic()
    with pytest.raises(ExecTimeout, match=r"sleep 50.* 0\.3 s"):
        engine.exec(run(), ["sleep", "50"], timeout=0.3)
    assert time.monotonic() - before < 50, "it waited for the command"


def test_a_command_in_time_is_not_disturbed(engine: Engine, run: Create) -> None:
    assert engine.exec(run(), ["sh", "-c", "sleep 0.1; echo done"], timeout=20).stdout == b"done\n"


def test_a_created_container_runs_no_command(engine: Engine, create: Create) -> None:
    with pytest.raises(ContainerExited, match="created"):
        engine.exec(create(), ["sh", "-c", "true"])


def test_an_ended_container_runs_no_command(engine: Engine, run: Create) -> None:
    box = run("exit 9")
    engine.wait_container(box, timeout=10)
    with pytest.raises(ContainerExited, match="code 9") as caught:
        engine.exec(box, ["sh", "-c", "true"])
    assert caught.value.exit_code == 9


def test_the_end_of_the_container_ends_the_command(engine: Engine, run: Create) -> None:
    box = run()
    timer = threading.Timer(0.4, engine.kill_container, [box])
    timer.start()
    before = time.monotonic()
    assert engine.exec(box, ["sleep", "50"], timeout=60).exit_code == 137
    assert time.monotonic() - before < 50, "it waited for the command"
    timer.join()


def test_commands_run_at_the_same_time(engine: Engine, run: Create) -> None:
    box = run()
    results: dict[int, bytes] = {}

    def work(number: int) -> None:
        results[number] = engine.exec(box, ["sh", "-c", f"sleep 0.3; echo {number}"]).stdout

    threads = [threading.Thread(target=work, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: f"{number}\n".encode() for number in range(4)}


def test_a_healthcheck_runs_when_asked(engine: Engine, run: Create, tar: Callable[..., object]) -> None:
    box = run(healthcheck=Healthcheck(command="cat /tmp/well"))
    result = engine.run_healthcheck(box)
    assert result.status != "healthy"
    assert "/tmp/well" in result.output
    engine.put_archive(box, "/tmp", tar(well=b"yes"))  # type: ignore[arg-type]
    assert engine.run_healthcheck(box).status == "healthy"
    assert engine.inspect_container(box).state.health == "healthy"


def test_without_a_healthcheck_none_can_be_run(engine: Engine, run: Create) -> None:
    with pytest.raises(EngineRequestError, match="healthcheck") as caught:
        engine.run_healthcheck(run())
    assert caught.value.hint


def test_an_ended_container_has_no_health(engine: Engine, run: Create) -> None:
    box = run("exit 2", healthcheck=Healthcheck(command="true"))
    engine.wait_container(box, timeout=10)
    with pytest.raises(ContainerExited):
        engine.run_healthcheck(box)
