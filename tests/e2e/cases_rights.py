"""Cases of what an operator's tools see: the rights that are asked for, and the lines of the log."""

from __future__ import annotations

import json
import re

from .harness import T, case
from .kubeclient import load_yaml
from .procs import REPO, Skip
from .shoot import NAME

# gardener 10.7, without what is optional there and is not needed here.
RIGHTS = {
    ("extensions.gardener.cloud", "infrastructures"): {"get", "list", "watch", "patch"},
    ("extensions.gardener.cloud", "infrastructures/status"): {"patch"},
    ("extensions.gardener.cloud", "clusters"): {"get"},
    ("", "namespaces"): {"get"},
    ("", "secrets"): {"get"},
    ("", "events"): {"create", "patch"},
    ("coordination.k8s.io", "leases"): {"create"},
    ("coordination.k8s.io", "leases of two names"): {"get", "update", "patch", "watch"},
}
LEASES = ["provider-packet-leader-election", "gardener-extension-heartbeat"]


@case(gardener=(68,))
def rights_are_those_of_the_contract(t: T) -> None:
    """deploy/rbac.yaml asks for what the contract lists and no more; the API server refuses the rest (that they suffice: every case)."""
    role = next(o for o in load_yaml(REPO / "deploy/rbac.yaml") if o["kind"] == "ClusterRole")
    found: dict[tuple[str, str], set[str]] = {}
    for rule in role["rules"]:
        names = rule.get("resourceNames")
        t.check(names in (None, LEASES), f"names {names}")
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                found.setdefault((group, resource + (" of two names" if names else "")), set()).update(rule["verbs"])
    t.equal(found, RIGHTS, "rights")
    if t.kube.kind != "real":
        raise Skip("only the real server knows rights")
    for verb, group, resource in (("list", "", "secrets"), ("delete", "extensions.gardener.cloud", "infrastructures"),
                                  ("update", "extensions.gardener.cloud", "infrastructures"), ("get", "", "configmaps"),
                                  ("get", "coordination.k8s.io", "leases"), ("create", "", "pods")):
        review = t.kube.client_of_provider().request("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": {"verb": verb, "group": group, "resource": resource, "namespace": "default"}}})
        t.check(not review["status"]["allowed"], f"{verb} {resource} is allowed")


@case(gardener=(67,))
def lines_of_the_log(t: T) -> None:
    """One JSON object a line with level, ts and msg; the line of a run's end has the fields that controller-runtime's have."""
    t.start()
    s = t.shoot().create()
    s.wait_state("Succeeded")
    s.delete()
    s.wait_gone()
    t.provider.stop()
    lines = [json.loads(line) for line in t.provider_log().splitlines()]
    for line in lines:
        t.check({"level", "ts", "msg"} <= line.keys() and line["level"] in ("debug", "info", "error"), f"line {line}")
        t.check(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["ts"]), f"ts {line['ts']!r}")
    runs = [n for n in lines if n["logger"] == "worker" and n["msg"] == "job ended" and n["namespace"] == s.namespace]
    t.equal([(n["controller"], n["name"], n["operation"], n["result"]) for n in runs],
            [("infrastructure", NAME, "reconcile", "done"), ("infrastructure", NAME, "delete", "done")], "runs")
    t.equal(len({n["reconcileID"] for n in runs}), 2, "reconcileIDs")
