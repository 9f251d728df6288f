"""A pod from a Kubernetes manifest: the subset that tests need, everything else refused by name."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from podjig.container import GenericContainer
from podjig.errors import DefinitionError
from podjig.pod.kube.container import read_container
from podjig.pod.kube.document import Node, Unsupported
from podjig.pod.kube.variables import Sources
from podjig.pod.kube.volumes import Volumes
from podjig.pod.plan import Member
from podjig.spec.namespace import Namespace
from podjig.spec.pod import DEFAULT_SHARE

_WITHOUT_EFFECT = ("restartPolicy", "terminationGracePeriodSeconds", "enableServiceLinks", "schedulerName", "dnsPolicy")
"""Of a pod: what means nothing to a pod that lives as long as a test."""


@dataclass(kw_only=True)
class ReadPod:
    """What a manifest says.

    Attributes:
        hostname: The pod's host name.
        labels: Its labels.
        share: The namespaces its members share.
        init: Its init containers.
        members: Its other containers; those that are to start after its sidecars depend on them.
    """

    hostname: str | None
    labels: dict[str, str]
    share: tuple[Namespace, ...]
    init: list[GenericContainer] = field(default_factory=list)
    members: list[Member] = field(default_factory=list)


def read(manifest: str | os.PathLike[str]) -> ReadPod:
    """Read a manifest: a path, or YAML text of more than one line.

    Raises:
        DefinitionError: It cannot be read, is malformed, has not exactly one pod, or has what is not supported.
    """
    unsupported = Unsupported()
    sources = Sources()
    pods: list[Node] = []
    for raw in _documents(manifest):
        node = Node(raw, "", unsupported)
        kind = node.text("kind")
        name = node.node("metadata").text("name")
        node.path = f"{kind or 'a document without kind'} {name}:"
        if kind in ("ConfigMap", "Secret"):
            sources.add(kind, name, node)
        elif kind in ("Pod", "Deployment"):
            pods.append(node)
        else:
            unsupported.fields.append(f"{node.path} kind {kind or 'none'}")
    unsupported.check()
    if len(pods) != 1:
        found = ", ".join(pod.path.rstrip(":") for pod in pods) or "none"
        raise DefinitionError(
            f"a manifest needs one Pod or Deployment, and this has {len(pods)} ({found})",
            hint="give one pod at a time: a pod of podjig's is one",
        )
    pod = _pod(pods[0], sources)
    unsupported.check()
    return pod


def _documents(manifest: str | os.PathLike[str]) -> list[Any]:
    import yaml

    text = manifest if isinstance(manifest, str) and "\n" in manifest else None
    if text is None:
        try:
            text = Path(manifest).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DefinitionError(
                f"manifest {os.fspath(manifest)!r} cannot be read: {error}",
                hint="give the path of a file, or YAML text of more than one line",
            ) from None
    try:
        documents = [document for document in yaml.safe_load_all(text) if document is not None]
    except yaml.YAMLError as error:
        raise DefinitionError(f"the manifest is not YAML: {error}", hint="mend it at that place") from None
    if not documents:
        raise DefinitionError("the manifest is empty", hint="it needs a Pod or a Deployment")
    return documents


def _pod(node: Node, sources: Sources) -> ReadPod:
    node.skip("apiVersion", "kind", "status")
    metadata, spec = node.node("metadata"), node.node("spec")
    if node.text("kind") == "Deployment":
        replicas = spec.get("replicas", int)
        if replicas not in (None, 1):
            spec.refuse("replicas", f"{replicas} of them: a pod is one")
        spec.skip("selector", "strategy", "revisionHistoryLimit", "progressDeadlineSeconds", "minReadySeconds")
        template = spec.node("template")
        spec.done()
        metadata, spec = template.node("metadata"), template.node("spec")
        template.done()
    node.done()
    return _pod_spec(metadata, spec, sources)


def _pod_spec(metadata: Node, spec: Node, sources: Sources) -> ReadPod:
    labels = {str(key): str(value) for key, value in (metadata.get("labels", dict) or {}).items()}
    share: tuple[Namespace, ...] = (*DEFAULT_SHARE, *(("pid",) if spec.get("shareProcessNamespace", bool) else ()))
    pod = ReadPod(hostname=spec.text("hostname") or None, labels=labels, share=share)
    volumes = Volumes(spec, sources)
    hosts = [(name, alias.text("ip")) for alias in spec.nodes("hostAliases") for name in alias.texts("hostnames")]
    security = spec.node("securityContext")
    sidecars: list[GenericContainer] = []
    services = 0
    for key in ("initContainers", "containers"):
        for raw in spec.nodes(key):
            policy = raw.text("restartPolicy") if key == "initContainers" else ""
            init = key == "initContainers" and not policy
            if policy not in ("", "Always"):
                raw.refuse("restartPolicy", policy)
            if init and sidecars:
                spec.refuse(key, f"{raw.text('name')} runs to its end after a sidecar has started")
            container = read_container(raw, sources, volumes, security, init=init)
            for name, address in hosts:
                container.with_extra_host(name, address)
            if init:
                pod.init.append(container)
                continue
            pod.members.append(Member(container=container, depends_on=tuple(sidecars)))
            if policy:
                sidecars.append(container)
            else:
                services += 1
    if not services:
        raise DefinitionError(f"{spec.path} has no containers", hint="list at least one")
    volumes.mount_shared()
    security.done()
    spec.skip(*_WITHOUT_EFFECT)
    spec.done()
    return pod
