"""Renders the chart as gardenlet does, with real helm, for the sets of values that are tried.

Knows nothing of servers. Used by cases_chart.py and cases_alerts.py.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

from .procs import REPO, Skip

CHART = REPO / "deploy/charts/gardener-extension-provider-packet"
NAME = "gardener-extension-provider-packet"
RELEASE = "provider-packet"                                # the ControllerRegistration's name
NAMESPACE = "extension-provider-packet-x7k2p"              # as gardenlet names it
GARDENLET = {"version": "v1.150.0", "garden": {"clusterIdentity": "landscape-garden"},
             "gardenlet": {"featureGates": {"DefaultSeccompProfile": True}}}
SEED = {
    "name": "packet-ewr1", "clusterIdentity": "packet-ewr1-id", "annotations": {}, "labels": {"region": "ewr1"}, "provider": "packet",
    "region": "ewr1", "volumeProvider": "", "volumeProviders": [], "ingressDomain": "ingress.example.com", "protected": False,
    "visible": True, "taints": [], "networks": {"pods": "100.96.0.0/11", "services": "100.64.0.0/13", "nodes": "10.250.0.0/16"},
    "blockCIDRs": ["169.254.169.254/32"], "spec": {"provider": {"type": "packet", "region": "ewr1"}},
}
# What a ControllerDeployment says, and what gardenlet adds to it.
SETS: dict[str, dict[str, Any]] = {
    "gardenlet": {"image": {"repository": "registry.example.com/pp", "tag": "0.1.0"}, "gardener": {**GARDENLET, "seed": SEED}},
    "minimal": {"gardener": {"version": "v1.150.0"}},
    "two replicas": {"replicaCount": 2, "workers": 20, "gardener": {**GARDENLET, "seed": SEED},
                     "image": "registry.example.com/pp:0.1.0@sha256:" + "0" * 64},
    "self-hosted": {"usablePorts": [41001, 41002, 41003, 41004, 41005], "vpa": {"enabled": False},
                    "gardener": {**GARDENLET, "selfHostedShootCluster": True,
                                 "shoot": {"name": "root", "namespace": "garden", "labels": {}, "annotations": {}, "spec": {}}}},
    "extra pod labels": {"podLabels": {"networking.gardener.cloud/to-private-networks": "allowed",
                                       "app.kubernetes.io/name": "not-this"},
                         "podAnnotations": {"example.com/owner": "infra"}, "env": {"HTTPS_PROXY": "http://proxy.example.com:3128"},
                         "flags": {"packet-url": "https://packet.example.com/metal/v1", "packet-rate": 50, "record": ""},
                         "image": {"repository": "registry.example.com/pp", "tag": "sha256:" + "0" * 64},
                         "metrics": {"repositoryURL": "https://git.example.com/pp"}, "gardener": {**GARDENLET, "seed": SEED}},
    "everything off": {"vpa": {"enabled": False}, "metrics": {"enableScraping": False, "alerts": False, "dashboard": False},
                       "metricsPort": 0, "healthPort": 0, "resources": None, "config": None, "ignoreResources": True,
                       "disableControllers": ["infrastructure", "heartbeat"], "gardener": {**GARDENLET, "seed": SEED}},
}


def go_program(folder: str) -> Path:
    """A program of a Go module, built once on each machine. Skip, and what to do, where it cannot be had."""
    done = subprocess.run([str(REPO / "tests/tools/go-program"), str(REPO / "tests" / folder)], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise Skip(f"NO {folder.upper()}: tests/tools/go-program tests/{folder} cannot build it; are the Go modules within reach?")
    return Path(done.stdout.strip())


def render(directory: Path, values: dict[str, Any], chart: Path = CHART) -> list[dict]:
    """The objects, as gardenlet would apply them: templates only, hooks dropped, no cluster to look into."""
    file = directory / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    env = {"HOME": str(directory), "PATH": ""}
    done = subprocess.run([str(go_program("helm")), "template", RELEASE, str(chart), "--namespace", NAMESPACE, "--values", str(file),
                           "--no-hooks"], capture_output=True, text=True, env=env, timeout=60)
    if done.returncode != 0:
        raise AssertionError(f"helm template: {done.stderr.strip()}")
    return [obj for obj in yaml.safe_load_all(done.stdout) if obj]


def one(objects: list[dict], kind: str) -> dict:
    found = [o for o in objects if o["kind"] == kind]
    if len(found) != 1:
        raise AssertionError(f"{len(found)} objects of kind {kind}")
    return found[0]


def pod_of(deployment: dict) -> dict:
    """The Pod that a ReplicaSet would make."""
    template = deployment["spec"]["template"]
    meta = {**template["metadata"], "name": "pod", "namespace": deployment["metadata"]["namespace"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}


def container_of(objects: list[dict]) -> dict:
    return one(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]


def generator() -> ModuleType:
    """deploy/generate, to call its functions."""
    loader = importlib.machinery.SourceFileLoader("generate", str(REPO / "deploy/generate"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("generate", loader))
    loader.exec_module(module)
    return module
