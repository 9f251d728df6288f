"""Image substitution: run a test that names ``postgres:16`` on a mirror's or our own image.

The table (``[tool.podjig.images]``, ``PODJIG_IMAGE_MAP``) maps, the longest match winning:

* a whole name with its tag: ``postgres:16 = localhost/mine/postgres:17``
* a repository: ``postgres = mirror.example/postgres`` (the tag is carried over unless the value has one)
* a prefix ending in a slash: ``quay.io/ = mirror.example/quay/``

Keys are normalised first: ``postgres`` means ``docker.io/library/postgres``. A result is not substituted again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from podjig.errors import ConfigError, ImageNameError
from podjig.image.reference import ImageReference, normalise, normalise_repository


def substitute(name: str, table: Mapping[str, str]) -> str:
    """Return the full name of the image to use for ``name``.

    Raises:
        ImageNameError: ``name`` is not an image name.
        ConfigError: The table's result is not one.
    """
    full = normalise(name)
    if not table or "/" not in full:  # an id is what it is
        return full
    reference = ImageReference.parse(full)
    best_key, best_value = "", ""
    for key, value in table.items():
        match = _match(reference, key)
        if match is not None and len(match) > len(best_key):
            best_key, best_value = match, value
    if not best_key:
        return full
    if best_key.endswith("/"):
        return _checked(f"{best_value.rstrip('/')}/{full[len(best_key) :]}", name, best_value)
    return _carry_tag(reference, best_value, name)


def _match(reference: ImageReference, key: str) -> str | None:
    """Return the normalised key if it matches the reference."""
    if key.endswith("/"):
        prefix = normalise_repository(key)
        return prefix if reference.repository.startswith(prefix) else None
    try:
        wanted = ImageReference.parse(key)
    except ImageNameError as error:
        raise ConfigError(f"image substitution key {key!r}: {error.message}", hint=error.hint) from None
    if wanted.repository != reference.repository:
        return None
    if wanted.digest or wanted.tag:
        same = (wanted.tag, wanted.digest) == (reference.tag, reference.digest)
        return str(wanted) if same else None
    return wanted.repository


def _carry_tag(reference: ImageReference, value: str, name: str) -> str:
    target = ImageReference.parse(_checked(value, name, value))
    if not ("@" in value or ":" in value.rpartition("/")[2]):
        target = replace(target, tag=reference.tag, digest=reference.digest)
    return str(target.with_default_tag())


def _checked(result: str, name: str, value: str) -> str:
    try:
        return normalise(result)
    except ImageNameError as error:
        raise ConfigError(
            f"image substitution turns {name!r} into {result!r} (by the value {value!r}): {error.message}",
            hint="correct [tool.podjig.images] or PODJIG_IMAGE_MAP",
        ) from None
