"""A readiness probe as a wait strategy."""

from __future__ import annotations

from collections.abc import Mapping

from podjig.container import GenericContainer
from podjig.errors import DefinitionError
from podjig.pod.kube.document import Node
from podjig.wait.exec import ExecWaitStrategy
from podjig.wait.http import HttpWaitStrategy
from podjig.wait.port import PortWaitStrategy
from podjig.wait.strategy import WaitStrategy

_TIMES = ("initialDelaySeconds", "periodSeconds", "timeoutSeconds", "successThreshold", "failureThreshold")
"""podjig polls as often as it is worth, and waits as long as the startup timeout says."""


def read_probe(probe: Node, container: GenericContainer, names: Mapping[str, int]) -> WaitStrategy:
    """Return what a probe waits for.

    Args:
        probe: The probe.
        container: Whose; a port that it asks over HTTP is published.
        names: The numbers of the container's ports that have names.

    Raises:
        DefinitionError: It names no port that there is, or has no action.
    """
    probe.skip(*_TIMES)
    strategy: WaitStrategy | None = None
    if probe.has("exec"):
        action = probe.node("exec")
        strategy = ExecWaitStrategy(action.texts("command"))
        action.done()
    elif probe.has("httpGet"):
        action = probe.node("httpGet")
        port = _port(action, names)
        if f"{port}/tcp" not in {published.key for published in container.spec().ports}:
            container.with_exposed_ports(port)
        http = HttpWaitStrategy(port, action.text("path") or "/")
        # The kubelet's rule: 200 to 399 is success.
        http.for_status_code_matching(lambda code: 200 <= code < 400)
        if action.text("scheme") == "HTTPS":
            http.using_tls(insecure=True)
        for header in action.nodes("httpHeaders"):
            http.with_header(header.text("name"), header.text("value"))
            header.done()
        action.done()
        strategy = http
    elif probe.has("tcpSocket"):
        action = probe.node("tcpSocket")
        strategy = PortWaitStrategy(_port(action, names))
        action.done()
    probe.done()
    if strategy is None:
        raise DefinitionError(f"{probe.path} has none of exec, httpGet and tcpSocket", hint="give it one of them")
    return strategy


def _port(action: Node, names: Mapping[str, int]) -> int:
    port = action.get("port", (int, str))
    if isinstance(port, str):
        if port not in names:
            raise DefinitionError(
                f"{action.path}.port is {port!r}, which no port of the container is called",
                hint=f"write its number, or one of: {', '.join(filter(None, names)) or 'none has a name'}",
            )
        return names[port]
    if port is None:
        raise DefinitionError(f"{action.path} has no port", hint="write 'port: 8000'")
    return int(port)
