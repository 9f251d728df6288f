"""The definition of a container: the fluent builder, its methods grouped by what they are about."""

from podjig.container.definition.definition import KEEP, ContainerDefinition
from podjig.container.definition.program import env_text

__all__ = ["KEEP", "ContainerDefinition", "env_text"]
