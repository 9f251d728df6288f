"""The names under which the members of a pod find each other."""

from __future__ import annotations

from collections.abc import Sequence

from podjig.container import GenericContainer
from podjig.errors import DefinitionError
from podjig.image.reference import ImageReference
from podjig.spec.hostname import LABEL, check_hostname, is_hostname


def member_names(members: Sequence[GenericContainer]) -> dict[int, list[str]]:
    """Return the names of each member, by its place in the list: its own name and aliases, else its image's.

    An image's name that several would have is nobody's. A container's name that is no host name (``my_db``) is none.

    Raises:
        DefinitionError: An alias is not a host name, or two members claim it.
    """
    names: dict[int, list[str]] = {}
    owner: dict[str, int] = {}
    for index, member in enumerate(members):
        names[index] = []
        own = [member.name] if member.name and is_hostname(member.name) else []
        for name in dict.fromkeys([*own, *map(check_hostname, member.network_aliases)]):
            if name in owner:
                raise DefinitionError(
                    f"two members of the pod claim the name {name!r}: {members[owner[name]].description} "
                    f"and {member.description}",
                    hint="give each a name of its own with with_name() or with_network_aliases()",
                )
            owner[name] = index
            names[index].append(name)
    images = [_image_name(member.image) for member in members]
    for index, image in enumerate(images):
        if images.count(image) == 1 and image not in owner and image:
            names[index].append(image)
    return names


def _image_name(image: str) -> str:
    """``docker.io/library/postgres:16`` -> ``postgres``; empty for what is no host name."""
    if "/" not in image and len(image) >= 64:  # an id
        return ""
    last = ImageReference.parse(image).repository.rpartition("/")[2]
    return last if LABEL.fullmatch(last) else ""
