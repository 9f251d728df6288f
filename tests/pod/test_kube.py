"""Kubernetes manifests: written for ``podman kube play``, read from what users have."""

from __future__ import annotations

import socket
import subprocess
import urllib.request
from pathlib import Path

import pytest
import yaml

from pod.conftest import MakePod, box, native_also_rootful, server
from podjig import GenericContainer, LogMessageWaitStrategy, Network, Pod, PostgresContainer
from podjig.engine.protocol import Engine
from podjig.errors import DefinitionError
from podjig.wait.exec import ExecWaitStrategy
from podjig.wait.http import HttpWaitStrategy
from podjig.wait.port import PortWaitStrategy

MANIFEST = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {GREETING: hello, LEVEL: "3"}
---
apiVersion: v1
kind: Secret
metadata: {name: keys}
type: Opaque
data: {token: c2VjcmV0}
stringData: {plain: words}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      hostname: webhost
      restartPolicy: Always
      initContainers:
      - name: prepare
        image: busybox
        command: [sh, -c, "echo made by init > /data/index.html"]
        volumeMounts: [{name: shared, mountPath: /data}]
      containers:
      - name: web
        image: busybox
        imagePullPolicy: IfNotPresent
        command: [sh, -c]
        args: ["env; id -u; exec httpd -f -p $(PORT) -h /data"]
        workingDir: /tmp
        env:
        - {name: PORT, value: "8000"}
        - {name: URL, value: "http://localhost:$(PORT)/$$x$(NONE)"}
        - {name: TOKEN, valueFrom: {secretKeyRef: {name: keys, key: token}}}
        - {name: MAYBE, valueFrom: {configMapKeyRef: {name: absent, key: x, optional: true}}}
        envFrom:
        - {configMapRef: {name: settings}}
        - {prefix: S_, secretRef: {name: keys}}
        ports: [{name: http, containerPort: 8000}]
        readinessProbe: {httpGet: {path: /, port: http}, periodSeconds: 1}
        livenessProbe: {tcpSocket: {port: http}}
        resources: {requests: {cpu: 10m}}
        securityContext: {runAsUser: 1000, capabilities: {drop: [ALL]}}
        volumeMounts: [{name: shared, mountPath: /data, readOnly: true}, {name: own, mountPath: /scratch}]
      - name: side
        image: busybox
        args: [sleep, "600"]
      volumes:
      - {name: shared, emptyDir: {}}
      - {name: own, emptyDir: {medium: Memory, sizeLimit: 1Mi}}
"""


@native_also_rootful
def test_a_deployment_runs(where: Engine, make_pod: MakePod) -> None:
    with Pod.from_kube_yaml(MANIFEST, engine=where) as pod:
        web, side = pod.members
        with urllib.request.urlopen(f"http://localhost:{web.get_exposed_port(8000)}/", timeout=10) as answer:
            assert answer.read() == b"made by init\n"
        lines = set(web.logs().splitlines())
        assert {
            "GREETING=hello", "LEVEL=3", "S_plain=words", "S_token=secret", "TOKEN=secret",
            "URL=http://localhost:8000/$x$(NONE)", "PWD=/tmp", "1000",
        } <= lines  # fmt: skip
        assert not any(line.startswith("MAYBE") for line in lines)
        assert web.exec("hostname").stdout == b"webhost\n"
        assert side.exec(["wget", "-qO-", "http://web:8000"]).stdout == b"made by init\n"


FILES = """
kind: ConfigMap
metadata: {name: site}
data: {index.html: "a page\\n", settings.ini: "x=1\\n"}
binaryData: {raw: AP8=}
---
kind: Secret
metadata: {name: keys}
data: {token: c2VjcmV0}
---
kind: Pod
metadata: {name: files}
spec:
  initContainers:
  - {name: prepare, image: busybox, command: [cat, /keys/deep/token], volumeMounts: [{name: keys, mountPath: /keys}]}
  - name: sidecar
    image: busybox
    restartPolicy: Always
    command: [sh, -c, "sleep 0.3; touch /tmp/up; exec sleep 600"]
    startupProbe: {exec: {command: [test, -e, /tmp/up]}}
  containers:
  - name: web
    image: busybox
    command: [httpd, -f, -p, "8000", -h, /srv/www]
    ports: [{containerPort: 8000}]
    startupProbe: {tcpSocket: {port: 8000}}
    readinessProbe: {httpGet: {path: /index.html, port: 8000}}
    volumeMounts:
    - {name: site, mountPath: /srv/www, readOnly: true}
    - {name: site, mountPath: /etc/one.ini, subPath: settings.ini}
    - {name: keys, mountPath: /keys}
  volumes:
  - {name: site, configMap: {name: site, defaultMode: 0444}}
  - {name: keys, secret: {secretName: keys, items: [{key: token, path: deep/token, mode: 0400}]}}
  - {name: none, configMap: {name: absent, optional: true}}
"""


def test_volumes_of_settings_startup_probes_and_sidecars(where: Engine, make_pod: MakePod) -> None:
    with Pod.from_kube_yaml(FILES, engine=where) as pod:
        sidecar, web = pod.members
        with urllib.request.urlopen(f"http://localhost:{web.get_exposed_port(8000)}/", timeout=10) as answer:
            assert answer.read() == b"a page\n"
        look = "cd /srv/www; stat -c '%n %a' *; od -An -tx1 raw; cat /etc/one.ini /keys/deep/token"
        shown = web.exec(["sh", "-c", look])
        assert shown.stdout.decode().split() == [
            "index.html", "444", "raw", "444", "settings.ini", "444", "00", "ff", "x=1", "secret",
        ]  # fmt: skip
        assert web.exec("stat -c %a /keys/deep/token").stdout == b"400\n"
        assert sidecar.exec("test -e /tmp/up").exit_code == 0
        first, second = (container.inspect().state.started_at for container in (sidecar, web))
        assert first is not None
        assert second is not None
        assert first + 0.3 <= second


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text(MANIFEST)
    assert len(Pod.from_kube_yaml(tmp_path / "pod.yaml").members) == 2
    with pytest.raises(DefinitionError, match=r"no-such-file.yaml' cannot be read"):
        Pod.from_kube_yaml(str(tmp_path / "no-such-file.yaml"))


def one(container: str, rest: str = "") -> str:
    return (
        f"kind: Pod\nmetadata: {{name: p}}\nspec:\n  containers:\n  - {{name: c, image: busybox, {container}}}\n{rest}"
    )


@pytest.mark.parametrize(
    ("probe", "strategy"),
    [
        ("exec: {command: [test, -e, /x]}", ExecWaitStrategy),
        ("httpGet: {port: 80, scheme: HTTPS, httpHeaders: [{name: A, value: b}]}", HttpWaitStrategy),
        ("tcpSocket: {port: 80}, initialDelaySeconds: 5", PortWaitStrategy),
    ],
)
def test_probes_become_wait_strategies(probe: str, strategy: type) -> None:
    (member,) = Pod.from_kube_yaml(one(f"readinessProbe: {{{probe}}}")).members
    assert isinstance(member.wait_strategy(), strategy)
    published = [port.key for port in member.spec().ports]
    assert published == (["80/tcp"] if strategy is HttpWaitStrategy else [])


def test_the_rest_of_a_container_is_read(tmp_path: Path) -> None:
    text = one(
        "ports: [{containerPort: 53, protocol: UDP, hostPort: 5353, hostIP: 127.0.0.1}], imagePullPolicy: Never, "
        "resources: {limits: {memory: 64Mi, cpu: 250m}}, volumeMounts: [{name: v, mountPath: /v}], "
        "securityContext: {privileged: true, readOnlyRootFilesystem: true, allowPrivilegeEscalation: true}",
        f"  securityContext: {{runAsUser: 5, runAsGroup: 6}}\n  shareProcessNamespace: true\n"
        "  hostAliases: [{ip: 192.0.2.9, hostnames: [far]}]\n"
        f"  volumes: [{{name: v, hostPath: {{path: {tmp_path}}}}}]\n",
    )
    pod = Pod.from_kube_yaml(text)
    (member,) = pod.members
    spec = member.spec()
    assert [(port.key, port.host) for port in spec.ports] == [("53/udp", 5353)]
    assert (spec.limits.memory, spec.limits.cpus) == (64 << 20, 0.25)
    assert (spec.privileged, spec.read_only, spec.no_new_privileges, spec.user) == (True, True, False, "5:6")
    assert [(mount.kind, mount.source, mount.read_only) for mount in spec.mounts] == [("bind", str(tmp_path), False)]
    assert spec.extra_hosts == {"far": "192.0.2.9"}
    assert "pid" in pod._spec.share


def test_what_is_not_supported_is_named_all_of_it() -> None:
    text = one(
        "lifecycle: {postStart: {}}, readinessProbe: {exec: {command: ['true']}, grpc: {port: 1}}, "
        "ports: [{containerPort: 1, protocol: SCTP}, {containerPort: 2, hostIP: 0.0.0.0}], restartPolicy: Always, "
        "volumeMounts: [{name: e, mountPath: /e, subPath: x}]",
        "  hostNetwork: true\n  securityContext: {fsGroup: 7}\n"
        "  volumes: [{name: v, nfs: {server: s}}, {name: e, emptyDir: {}}, {name: p, projected: {sources: []}}]\n"
        "  initContainers:\n  - {name: s, image: busybox, restartPolicy: Always}\n  - {name: i, image: busybox}\n"
        "  - {name: j, image: busybox, restartPolicy: Never}\n",
    )
    with pytest.raises(DefinitionError) as caught:
        Pod.from_kube_yaml(text)
    for field in (
        "Pod p: spec.containers[0].lifecycle",
        "Pod p: spec.containers[0].readinessProbe.grpc",
        "Pod p: spec.containers[0].ports[0].protocol: SCTP",
        "Pod p: spec.containers[0].ports[1].hostIP",
        "Pod p: spec.hostNetwork",
        "Pod p: spec.volumes[0].nfs",
        "Pod p: spec.volumes[2].projected",
        "Pod p: spec.containers[0].volumeMounts[0].subPath",
        "Pod p: spec.containers[0].restartPolicy",
        "Pod p: spec.initContainers: i runs to its end after a sidecar has started",
        "Pod p: spec.initContainers[2].restartPolicy: Never",
        "Pod p: spec.securityContext.fsGroup",
    ):
        assert f"\n  {field}" in caught.value.message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: Service\nmetadata: {name: s}\n---\nkind: Pod\n", "kind Service"),
        ("kind: ConfigMap\nmetadata: {name: s}\n", "needs one Pod or Deployment, and this has 0"),
        (one("") + "---\n" + one(""), "this has 2"),
        (MANIFEST.replace("replicas: 1", "replicas: 3"), "spec.replicas: 3 of them"),
        (MANIFEST.replace("name: settings}\ndata", "name: other}\ndata"), "needs the ConfigMap 'settings'"),
        (MANIFEST.replace("key: token", "key: nothing"), "needs 'nothing', which Secret 'keys' lacks"),
        (MANIFEST.replace("c2VjcmV0", "no base64"), "Secret keys: data.token is not base64"),
        (MANIFEST.replace("port: http}, per", "port: what}, per"), "port is 'what', which no port"),
        (MANIFEST.replace("name: own, mount", "name: lost, mount"), "needs the volume 'lost'"),
        (FILES.replace("subPath: settings.ini", "subPath: lost"), "subPath is 'lost', which the volume lacks"),
        (FILES.replace("key: token", "key: lost"), "needs 'lost', which Secret 'keys' lacks"),
        (FILES.replace("name: site, default", "name: lost, default"), "needs the ConfigMap 'lost'"),
        (FILES.replace("path: deep", "path: ../deep"), "which is not below the volume"),
        (FILES.replace("AP8=", "A"), "ConfigMap site: binaryData.raw is not base64"),
        (FILES.replace("mountPath: /srv", "mountPath: srv"), "'srv/www' is not absolute"),
        (MANIFEST.replace("token: c2VjcmV0", "token: AP8="), "token is no text, as a variable must be"),
        (one("args: [1]"), "args has 1, which is no text"),
        (one("env: [{name: PORT, value: 8000}]"), "env[0].value is 8000, which is of the wrong type"),
        (one("env: [{name: PORT, value: 8000}]"), "put it in quotes"),
        (one("stdin: true, resources: {limits: {cpu: lots}}"), "limits.cpu is 'lots', no number of processors"),
        (one("resources: {limits: {cpu: -1}}"), "limits.cpu is -1, no number of processors"),
        (one("", "  volumes: [{name: v, persistentVolumeClaim: {}}]\n"), "has no claimName"),
        (one("ports: [{containerPort: many}]"), "containerPort is 'many', which is of the wrong type"),
        (one("readinessProbe: {periodSeconds: 1}"), "has none of exec, httpGet and tcpSocket"),
        ("kind: Pod\nspec: {containers: [{name: x}]}\n", "has no image"),
        ("kind: Pod\nspec: {}\n", "has no containers"),
        ("kind: Pod\nspec: [1]\n", "is not a mapping"),
        ("{\n", "is not YAML"),
        ("# nothing\n", "the manifest is empty"),
    ],
)
def test_what_is_wrong_is_told(text: str, said: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        Pod.from_kube_yaml(text)
    assert said in str(caught.value)
    assert caught.value.hint


def test_what_a_manifest_cannot_say_is_told() -> None:
    db = box("sleep 600", "db").with_tmpfs_mount("/cache", "2m")
    db.with_kwargs(stop_signal="SIGINT", platform="linux/amd64")
    web = server(8000, "web").with_init().expose_host_port(9000).waiting_for(LogMessageWaitStrategy("up"))
    web.with_volume_mapping("data", "/data", "ro")
    pod = Pod(
        db, userns="keep-id", memory="64m", networks="net", share=("net",), engine_options={"exit_policy": "stop"}
    ).add(web, depends_on=[db, "db"])
    text = pod.to_kube_yaml()
    told = [line.removeprefix("# Not in this manifest: ") for line in text.splitlines() if line.startswith("#")]
    assert told == [
        "the user namespace keep-id",
        "the limits of the whole pod",
        "the networks net",
        "that it shares net alone",
        "the pod's options for the engine",
        "db: its stop signal SIGINT",
        "db: its platform linux/amd64",
        "web: that it starts when db is ready",
        "web: what it waits for: 'up' in the log",
        "web: its init, the first process",
        "web: its ports of this machine, 9000",
    ]
    assert "127.0.0.254" not in text
    again = Pod.from_kube_yaml(text)
    tmpfs, volume = (member.spec().mounts[0] for member in again.members)
    assert (tmpfs.target, tmpfs.size) == ("/cache", 2 << 20)
    assert (volume.kind, volume.source, volume.read_only) == ("volume", "data", True)
    assert "# Not in this manifest: the network mode none\n" in Pod(db, network_mode="none").to_kube_yaml()
    assert yaml.safe_load(Pod(db, network_mode="host").to_kube_yaml())["spec"]["hostNetwork"] is True


@pytest.mark.also_rootful
def test_podman_plays_what_is_written(engine: Engine, unique: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    web = GenericContainer("busybox", command=server(8000).spec().command).with_bind_ports(8000, port)
    web.with_network_aliases("web").with_tmpfs_mount("/cache", "2m").with_user("0")
    pod = Pod(web, box("sleep 600", "side"), name=unique, hostname="kube").add_init(box("true", "first"))
    text = pod.to_kube_yaml()
    podman = ["podman", "--url", engine.info.address]

    def run(*words: str, given: str = "") -> str:
        done = subprocess.run([*podman, *words], input=given, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    network = Network(engine=engine).create()  # Podman would make one that nobody removes
    try:
        run("kube", "play", "--network", network.name, "-", given=text)
        assert run("exec", f"{unique}-side", "wget", "-qO-", "http://web:8000") == "hello\n"
        ports = engine.inspect_pod(unique).ports
        assert [(where.host_ip, where.host) for where in ports["8000/tcp"]] == [("127.0.0.1", port)]
    finally:
        engine.remove_pod(unique)
        network.remove()


@native_also_rootful
def test_what_is_written_can_be_read(where: Engine, make_pod: MakePod) -> None:
    postgres = PostgresContainer("postgres:16")
    pod = make_pod(postgres, server(8000, "web"), hostname="both")
    text = pod.to_kube_yaml()
    assert "# Not in this manifest: postgres: its image's volumes on tmpfs" in text
    with pod:
        document = yaml.safe_load(pod.to_kube_yaml())
        (port,) = document["spec"]["containers"][0]["ports"]
        assert port["hostPort"] == postgres.get_exposed_port(5432)
    again = Pod.from_kube_yaml(text)
    assert [member.network_aliases for member in again.members] == [("postgres",), ("web",)]
    assert again.members[1].spec().command == pod.members[1].spec().command
    assert {port.container for member in again.members for port in member.spec().ports} == {5432, 8000}
