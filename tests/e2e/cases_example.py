"""Cases of the folder example/: what its page tells people to type works as it stands there."""

from __future__ import annotations

import base64
import os
import re
import subprocess

import yaml

from .harness import T, case
from .kubeclient import load_yaml
from .procs import REPO
from .shoot import Shoot

NAMESPACE = "shoot--foobar--packet"


def commands(page: str) -> str:
    """The blocks of shell commands of a page, one after the other."""
    return "".join(re.findall(r"(?ms)^```sh\n(.*?)^```", page))


@case
def example_by_hand(t: T) -> None:
    """Every command of example/README.md, in its order: reconcile, rotation, error, migration, deletion, force deletion."""
    secret = next(o for o in load_yaml(REPO / "example/30-infrastructure.yaml") if o["kind"] == "Secret")
    token, project = (base64.b64decode(secret["data"][k]).decode() for k in ("apiToken", "projectID"))
    t.start(packet={"token": token, "project": project})
    t.shoots.append(Shoot(t.client, NAMESPACE, token, project))
    script = commands((REPO / "example/README.md").read_text())
    for file in (REPO / "example").glob("[3-9]*.yaml"):
        t.check(file.name in script, f"the page does not use {file.name}")
    env = {**os.environ, "KUBECONFIG": str(t.kube.admin_kubeconfig), "PATH": f"{t.kube.kubectl.parent}:{os.environ['PATH']}",
           "HOME": str(t.directory)}
    try:
        done = subprocess.run(["bash", "-euxo", "pipefail", "-c", script], cwd=REPO, env=env, text=True, timeout=300,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    finally:                                          # the server is that of all cases: no trace on its CRDs
        for plural in ("infrastructures", "clusters"):
            subprocess.run(["kubectl", "annotate", "crd", f"{plural}.extensions.gardener.cloud",
                            "kubectl.kubernetes.io/last-applied-configuration-"], env=env, timeout=60, check=True)
    t.check(done.returncode == 0, f"ended {done.returncode}: {done.stdout[-3000:]}")
    t.check("Error reconciling infrastructure: " in done.stdout, "no error text was shown")
    seen = t.recorder.operations(NAMESPACE, "infrastructure")
    for step in ("Create/Succeeded", "Reconcile/Succeeded", "Reconcile/Error", "Migrate/Succeeded", "Restore/Succeeded", "Delete/Error",
                 "Delete/Succeeded"):
        t.check(step in seen, f"{step} is not in {seen}")
    t.equal([k["label"] for k in t.packet.keys()], [f"{NAMESPACE}-ssh-publickey"], "keys that the force deletion left")
    posts = sum(e["method"] == "POST" for e in t.packet.ledger())
    t.equal(posts, 3, "keys that were made: at first, after SSH access was switched on again, and after the deletion")


@case
def example_config_is_whole(t: T) -> None:
    """The component config has each field of the contract, and the program takes it."""
    config = yaml.safe_load((REPO / "example/00-componentconfig.yaml").read_text())
    t.equal(config, {"apiVersion": "packet.provider.extensions.config.gardener.cloud/v1alpha1", "kind": "ControllerConfiguration",
                     "clientConnection": {"kubeconfig": "", "acceptContentTypes": "application/json", "contentType": "application/json",
                                          "qps": 100, "burst": 130},
                     "etcd": {"storage": {"className": "gardener.cloud-fast", "capacity": "25Gi"}},
                     "healthCheckConfig": {"syncPeriod": "30s"}}, "fields")
    t.start()       # with this file, as every case
