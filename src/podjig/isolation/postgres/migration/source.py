"""What a function's result depends on, as far as its sources tell."""

from __future__ import annotations

import ast
import functools
import importlib.util
import inspect
import secrets
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType
from typing import Any

from podjig.isolation.postgres.migration.digest import Digest

_SUFFIXES = (".py", ".sql")


def add_function(digest: Digest, function: Callable[..., Any]) -> None:
    """Add what a function is: its name, what it is bound to, and the sources it comes from."""
    for part in _identity(function):
        digest.add(part)
    for path in _sources(function):
        digest.add(path.name)
        digest.add_files([path], suffixes=_SUFFIXES)


def inner_function(function: Any) -> Any:
    """Return the function in a partial one, a decorated one, or an object that can be called."""
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    return function if inspect.isroutine(function) or isinstance(function, type) else type(function).__call__


def _identity(value: Any) -> Iterator[str]:
    """Yield what tells a function from another of the same module, such as one made by the same outer function."""
    if isinstance(value, functools.partial):
        yield "partial"
        yield from _identity(value.func)
        for each in (*value.args, *(item for pair in sorted(value.keywords.items()) for item in pair)):
            yield from _identity(each)
    elif isinstance(value, FunctionType):
        yield f"{value.__module__}:{value.__qualname__}"
        code = value.__code__
        constants = [each for each in code.co_consts if isinstance(each, (str, bytes, int, float))]
        yield repr((code.co_code, code.co_names, constants))
        for cell in value.__closure__ or ():
            yield from _identity(cell.cell_contents)
    elif inspect.ismethod(value):
        yield from _identity(value.__func__)
        yield from _identity(value.__self__)
    elif isinstance(value, type) or inspect.isroutine(value):
        yield f"{value.__module__}:{value.__qualname__}"
    elif inspect.ismodule(value):
        yield value.__name__
    else:
        shown = repr(value)
        # An address says nothing of the content, so no other process may take its template for this one.
        yield f"{shown} {secrets.token_hex(8)}" if " at 0x" in shown else shown


def _sources(function: Callable[..., Any]) -> list[Path]:
    """Return the function's file or its top-level package, and what that file imports that is not installed."""
    file = _file(sys.modules.get(inner_function(function).__module__))
    if file is None:
        return []
    own = _outermost(file)
    imported = sorted(path for path in map(_local, _imports(file)) if path is not None)
    return list(dict.fromkeys([own, *imported]))


def _file(module: Any) -> Path | None:
    name = getattr(module, "__file__", None)
    return Path(name).resolve() if name and name.endswith(".py") and Path(name).is_file() else None


def _outermost(file: Path) -> Path:
    """Return the folder of the top-level package that a file belongs to; the file, where it is in none."""
    found = file
    for folder in file.parents:
        if not (folder / "__init__.py").is_file():
            break
        found = folder
    return found


def _imports(file: Path) -> set[str]:
    """Return the top-level names that a file imports, inside functions as well."""
    names: set[str] = set()
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):  # edited since it was imported
        return names
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def _local(name: str) -> Path | None:
    """Return the file or folder of a top-level module, unless it is installed or of Python's own."""
    if name in sys.stdlib_module_names or name == "podjig":
        return None
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):  # broken, or not a real module: importing it has its own error
        return None
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        return None
    file = Path(spec.origin).resolve()
    installed = [Path(sysconfig.get_path(each)).resolve() for each in ("purelib", "platlib", "stdlib")]
    if any(file.is_relative_to(folder) for folder in installed) or "site-packages" in file.parts:
        return None
    return file.parent if spec.submodule_search_locations else file
