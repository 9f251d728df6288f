"""Commands inside a container."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from podjig import GenericContainer
from podjig.errors import CommandNotFound, ContainerExited, DefinitionError, ExecError, ExecTimeout


def test_it_unpacks_as_exit_code_and_output(box: GenericContainer) -> None:
    exit_code, output = box.exec("echo hello")
    assert (exit_code, output) == (0, b"hello\n")


def test_both_streams_are_there_apart_and_together(box: GenericContainer) -> None:
    result = box.exec(["sh", "-c", "echo out; sleep 0.05; echo err >&2; sleep 0.05; echo again"])
    assert result.stdout == b"out\nagain\n"
    assert result.stderr == b"err\n"
    assert result.output == b"out\nerr\nagain\n"


@pytest.mark.parametrize("code", [0, 1, 125, 126, 127, 255])
def test_exit_codes_are_the_programs_own(box: GenericContainer, code: int) -> None:
    assert box.exec(["sh", "-c", f"exit {code}"]).exit_code == code


def test_a_command_that_a_shell_does_not_know_is_the_shells_affair(box: GenericContainer) -> None:
    result = box.exec(["sh", "-c", "no-such-program"])
    assert result.exit_code == 127
    assert b"no-such-program" in result.stderr


@pytest.mark.parametrize("command", ["no-such-program --flag", ["/no/such/program"], "/etc/passwd"])
def test_an_unknown_program_is_an_error_that_names_it(box: GenericContainer, command: str | list[str]) -> None:
    with pytest.raises(CommandNotFound) as caught:
        box.exec(command)
    assert (command.split()[0] if isinstance(command, str) else command[0]) in caught.value.message
    assert "['sh', '-c'" in caught.value.hint


def test_a_string_is_split_and_nothing_is_expanded(box: GenericContainer) -> None:
    assert box.exec("echo 'a  b' $HOME *").stdout == b"a  b $HOME *\n"
    assert box.exec(["echo", "a  b", "ä€😀"]).stdout == "a  b ä€😀\n".encode()


def test_environment_user_and_folder(box: GenericContainer) -> None:
    result = box.exec(
        ["sh", "-c", 'echo "$A|$B|$C"; id -u; pwd'], env={"A": "1 2", "B": "", "C": "ä=b"}, user=65534, workdir="/tmp"
    )
    assert result.stdout.decode() == "1 2||ä=b\n65534\n/tmp\n"
    assert box.exec("id -un", user="nobody").stdout == b"nobody\n"


def test_a_missing_folder_is_told(box: GenericContainer) -> None:
    with pytest.raises(ExecError, match="cannot run 'true'") as caught:
        box.exec("true", workdir="/no/such/folder")
    assert not isinstance(caught.value, CommandNotFound)
    assert "working directory" in caught.value.hint


def test_an_unknown_user_is_told(box: GenericContainer) -> None:
    with pytest.raises(ExecError, match="no-such-user"):
        box.exec("true", user="no-such-user")


def test_a_timeout_shows_what_came_and_leaves_the_container_usable(box: GenericContainer) -> None:
    with pytest.raises(ExecTimeout, match=r"'sh -c echo begun; sleep 600' did not end within 0\.4 s") as caught:
        box.exec(["sh", "-c", "echo begun; sleep 600"], timeout=timedelta(milliseconds=400))
    assert "begun" in caught.value.logs
    assert isinstance(caught.value, TimeoutError)
    assert box.exec("echo still here").stdout == b"still here\n"


def test_large_output_arrives_whole(box: GenericContainer) -> None:
    result = box.exec(["sh", "-c", "yes 0123456789abcde | head -c 5242880; yes x | head -c 100000 >&2"])
    assert len(result.stdout) == 5 << 20
    assert result.stdout == b"0123456789abcde\n" * (5 << 16)
    assert len(result.stderr) == 100_000


def test_binary_output_arrives_as_it_is(box: GenericContainer) -> None:
    every_byte = bytes(range(256))
    octal = "".join(f"\\{byte:03o}" for byte in every_byte)
    assert box.exec(["printf", octal.replace("%", "%%").replace("\\045", "%%")]).stdout == every_byte


def test_output_may_be_empty(box: GenericContainer) -> None:
    result = box.exec("true")
    assert (result.stdout, result.stderr, result.output) == (b"", b"", b"")


def test_a_process_left_in_the_background_does_not_hold_it(box: GenericContainer) -> None:
    assert box.exec(["sh", "-c", "sleep 600 >/dev/null 2>&1 & echo done"], timeout=10).stdout == b"done\n"


def test_a_container_that_has_ended_runs_nothing() -> None:
    with GenericContainer("busybox", command=["sh", "-c", "exit 3"]) as job:
        assert job.wait(timeout=10) == 3
        with pytest.raises(ContainerExited, match="exited with code 3: cannot run 'true'") as caught:
            job.exec("true")
        assert caught.value.exit_code == 3


def test_a_container_that_ends_meanwhile_ends_the_command() -> None:
    with GenericContainer("busybox", command=["sh", "-c", "sleep 0.5; exit 3"]) as job:
        outcome: object
        try:
            outcome = job.exec("sleep 600", timeout=30).exit_code
        except ContainerExited as error:
            outcome = error
        # Whether the engine still tells how the killed command ended is a matter of moments.
        assert outcome == 137 or isinstance(outcome, ContainerExited)


@pytest.mark.parametrize(
    ("command", "arguments", "says"),
    [
        ("", {}, "the command to run is empty"),
        ([], {}, "the command to run is empty"),
        ("echo 'x", {}, "cannot be split"),
        (["echo", 5], {}, "5 is not a string"),
        ("env", {"env": {"A": None}}, "variable A has the value None"),
        ("env", {"env": {"A=B": "x"}}, "'A=B'"),
        ("true", {"timeout": -1}, "-1"),
        ("true", {"timeout": "1"}, "'1'"),
    ],
)
def test_bad_values_are_refused_and_named(
    box: GenericContainer, command: Any, arguments: dict[str, Any], says: str
) -> None:
    with pytest.raises(DefinitionError, match=re.escape(says)):
        box.exec(command, **arguments)
