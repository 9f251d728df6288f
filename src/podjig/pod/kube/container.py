"""One container of a manifest."""

from __future__ import annotations

import math

from podjig.container import GenericContainer
from podjig.errors import DefinitionError
from podjig.pod.kube.document import Node
from podjig.pod.kube.probe import read_probe
from podjig.pod.kube.variables import Sources, expanded, read_environment
from podjig.pod.kube.volumes import Volumes, binary_size
from podjig.spec import LOOPBACK
from podjig.wait.composite import CompositeWaitStrategy

_PULL = {"": None, "Always": "always", "IfNotPresent": "missing", "Never": "never"}
_WITHOUT_EFFECT = ("livenessProbe", "stdin", "tty", "terminationMessagePath", "terminationMessagePolicy")
"""Of a container: what restarts or shows it, which a test does by itself."""


def read_container(
    node: Node, sources: Sources, volumes: Volumes, pod_security: Node, *, init: bool
) -> GenericContainer:
    """Read one.

    Args:
        node: The container.
        sources: ConfigMaps and Secrets.
        volumes: The pod's volumes.
        pod_security: The pod's security context.
        init: It is an init container.

    Raises:
        DefinitionError: It is malformed.
    """
    name, image = node.text("name"), node.text("image")
    if not name or not image:
        missing = "image" if name else "name"
        raise DefinitionError(f"{node.path} has no {missing}", hint=f"each container needs one: '{missing}: ...'")
    env = read_environment(node, sources)
    container = GenericContainer(image, env=env).with_network_aliases(name)
    if node.has("command"):
        container.with_entrypoint([expanded(word, env) for word in node.texts("command")])
    if node.has("args") or node.has("command"):  # a command without args drops the image's own arguments
        container.with_command([expanded(word, env) for word in node.texts("args")])
    if workdir := node.text("workingDir"):
        container.with_working_dir(workdir)
    if policy := _PULL.get(node.text("imagePullPolicy")):
        container.with_pull_policy(policy)
    ports = _ports(node, container, init=init)
    _limits(node, container)
    _security(node.node("securityContext"), pod_security, container)
    for mount in node.nodes("volumeMounts"):
        volumes.mount(container, mount)
    probes = [
        read_probe(node.node(key), container, ports) for key in ("startupProbe", "readinessProbe") if node.has(key)
    ]
    if probes:
        container.waiting_for(probes[0] if len(probes) == 1 else CompositeWaitStrategy(*probes))
    node.skip(*_WITHOUT_EFFECT)
    node.done()
    return container


def _ports(node: Node, container: GenericContainer, *, init: bool) -> dict[str, int]:
    """Publish its ports; return the number of each that has a name."""
    names: dict[str, int] = {}
    for port in node.nodes("ports"):
        number, host = port.get("containerPort", int), port.get("hostPort", int)
        protocol = (port.text("protocol") or "TCP").lower()
        if port.text("hostIP") not in ("", LOOPBACK):
            port.refuse("hostIP", f"ports are published on {LOOPBACK}")
        if number is None:
            raise DefinitionError(f"{port.path} has no containerPort", hint="write '- containerPort: 8000'")
        if protocol not in ("tcp", "udp"):
            port.refuse("protocol", protocol.upper())
        elif not init:
            container.with_bind_ports(f"{number}/{protocol}", host)
        names[port.text("name")] = number
        port.done()
    return names


def _limits(node: Node, container: GenericContainer) -> None:
    resources = node.node("resources")
    resources.skip("requests")
    limits = resources.node("limits")
    if memory := limits.get("memory", (str, int)):
        container.with_memory_limit(binary_size(str(memory)))
    if cpu := limits.get("cpu", (str, int, float)):
        container.with_cpu_limit(_processors(cpu, f"{limits.path}.cpu"))
    limits.done()
    resources.done()


def _processors(cpu: str | float, path: str) -> float:
    """``"250m"`` -> 0.25.

    Raises:
        DefinitionError: It is no number of processors.
    """
    text = str(cpu)
    try:
        number = float(text[:-1]) / 1000 if text.endswith("m") else float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise DefinitionError(f"{path} is {cpu!r}, no number of processors", hint="write 2, '0.5' or '250m'")
    return number


def _security(own: Node, pod: Node, container: GenericContainer) -> None:
    user, group = (own.get(key, int) if own.has(key) else pod.get(key, int) for key in ("runAsUser", "runAsGroup"))
    for node in (own, pod):
        node.skip("runAsNonRoot", "runAsUser", "runAsGroup", "seccompProfile")
    if user is not None:
        container.with_user(str(user) if group is None else f"{user}:{group}")
    elif group is not None:
        own.refuse("runAsGroup", "without runAsUser")
    if own.get("privileged", bool):
        container.with_kwargs(privileged=True)
    if own.get("readOnlyRootFilesystem", bool):
        container.with_kwargs(read_only=True)
    capabilities = own.node("capabilities")
    container.with_privileges(
        cap_add=capabilities.texts("add"),
        cap_drop=capabilities.texts("drop"),
        new_privileges=bool(own.get("allowPrivilegeEscalation", bool)),
    )
    capabilities.done()
    own.done()
