"""The container of the chart's Deployment, as a kubelet makes it of the Pod: its user, flags, variables, volumes and limits (gardener 65, 68)."""

from __future__ import annotations

import os
from pathlib import Path

from e2e.cases_chart import check_at_work, deployed
from e2e.chart import NAME, NAMESPACE, container_of, one
from e2e.container import Container, bind, controllers
from e2e.harness import T, case

UNITS = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}


def size(text: str) -> int:
    return int(text[:-2]) * UNITS[text[-2:]]


class Rendered(Container):
    namespace = NAMESPACE

    def __init__(self, t: T, objects: list[dict], token: str) -> None:
        self.objects, self.pod, self.container = objects, one(objects, "Deployment")["spec"]["template"]["spec"], container_of(objects)
        self.mounts = {m["name"]: m["mountPath"] for m in self.container["volumeMounts"]}
        self.empty = t.directory / "volume"         # the one that it may write; the program makes its folder there
        super().__init__(t.build, t.directory / "provider", t.kube.provider_kubeconfig, t.packet.url, t.packet.ca_file,
                         runtime=self.empty / NAME)
        self.token = token

    def _volumes(self) -> list[dict]:
        group = self.pod["securityContext"]["fsGroup"]
        self.empty.mkdir(exist_ok=True)
        os.chown(self.empty, 0, group)
        self.empty.chmod(0o2777)            # as a kubelet leaves an emptyDir for that group
        folder = self.directory / "configmap"
        folder.mkdir(exist_ok=True)
        for name, text in next(o for o in self.objects if o["metadata"]["name"] == f"{NAME}-configmap")["data"].items():
            (folder / name).write_text(text)
        return [bind(self.empty, self.mounts["run"], "rw"), bind(folder, self.mounts["config"], "ro")]

    def _specification(self, record: Path, config: Path, account: Path) -> dict:
        spec = super()._specification(record, config, account)
        user, own = self.pod["securityContext"], self.container["securityContext"]
        values = {**dict(e.split("=", 1) for e in spec["process"]["env"]),
                  **{e["name"]: e.get("value", NAMESPACE) for e in self.container["env"]}}
        spec["process"] |= {"args": self.image.config["Entrypoint"] + self.container["args"], "env": [f"{k}={v}" for k, v in values.items()],
                            "user": {"uid": user["runAsUser"], "gid": user["runAsGroup"], "additionalGids": [user["fsGroup"]]},
                            "noNewPrivileges": not own["allowPrivilegeEscalation"]}
        spec["root"]["readonly"] = own["readOnlyRootFilesystem"]
        if "memory" in controllers():
            limit = size(self.container["resources"]["limits"]["memory"])
            spec["linux"]["resources"]["memory"] = {"limit": limit, "swap": limit}
        return spec


@case(gardener=(65, 68))
def container_as_the_chart_renders_it(t: T) -> None:
    """The Deployment's container, as its ServiceAccount with its rights: ready, leading, at work, its probes good, packetctl finds it."""
    t.start_packet()
    objects, token = deployed(t, "/config/packet-ca.crt" if t.packet.ca_file else "")
    t.provider = p = Rendered(t, objects, token)
    t.equal(p.container["securityContext"]["capabilities"], {"drop": ["ALL"]}, "capabilities")
    p.start()
    check_at_work(t, objects)
    t.check("watcher" in p.execute("packetctl", "status").stdout, "packetctl by exec")
    p.stop()
    t.equal(list(p.empty.rglob("*")), [], "what is left in the volume")
