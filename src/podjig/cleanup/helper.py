"""Starting the helper process of a session, and taking leave of it."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from podjig.cleanup import reaper
from podjig.engine.protocol import Engine
from podjig.engine.runtime_dir import runtime_dir

_SCRIPT = 'exec 3<&0; "$@" <&3 3<&- &'  # a shell gives what it starts aside an empty standard input, unless told
"""The shell ends at once, so the helper is nobody's child: its end leaves no zombie in the user's process, and no wait
for children there ever meets it."""


class Helper:
    """The helper process of one session. It lives until the session does not."""

    def __init__(self, *, session: str, engine: Engine) -> None:
        """Start it.

        Raises:
            OSError: It cannot be started.
        """
        if not sys.executable:
            raise FileNotFoundError("this program does not say where its Python interpreter is (sys.executable)")
        read_end, self._write_end = os.pipe()  # both close on exec: no program we start keeps it waiting
        script = os.path.abspath(reaper.__file__)  # noqa: PTH100  as Python itself would
        command = [sys.executable, "-I", "-S", script, str(os.getpid())]
        command += [session, engine.info.address, str(runtime_dir())]
        command += ["private" if engine.info.origin == "private service" else "given", *_import_path(script)]
        output = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        try:
            shell = os.posix_spawn(
                "/bin/sh",
                ["/bin/sh", "-c", _SCRIPT, "podjig", *command],
                os.environ,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, read_end, 0),
                    (os.POSIX_SPAWN_DUP2, output, 1),
                    (os.POSIX_SPAWN_DUP2, output, 2),
                ],
                setsid=True,
            )
        except BaseException:
            os.close(self._write_end)
            raise
        finally:
            os.close(read_end)
            os.close(output)
        with suppress(ChildProcessError):  # this program has children reaped in its own way, and the shell was
            os.waitpid(shell, 0)

    def dismiss(self) -> None:
        """Tell it that nothing is left to do."""
        with suppress(BrokenPipeError):  # somebody killed it, and its work is done
            os.write(self._write_end, b"q")
        self.let_go()

    def let_go(self) -> None:
        """Close our end of the pipe: it cleans up unless another process holds it too."""
        os.close(self._write_end)


def _import_path(script: str) -> list[str]:
    """Where the helper finds podjig, first, and what podjig needs."""
    ours = os.path.dirname(os.path.dirname(os.path.dirname(script)))  # noqa: PTH120
    return list(dict.fromkeys([ours, *(os.path.abspath(entry) for entry in sys.path if entry)]))  # noqa: PTH100
