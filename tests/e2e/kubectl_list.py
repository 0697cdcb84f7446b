"""The kubectl commands that the simulator must serve as the real API server does (section 11.1 of the Kubernetes contract).

Owns the list and how one command is run and its output made comparable. cases_simulator.py runs it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import yaml

from . import conformance, conformance_list
from .conformance_list import event, infra
from .kubeclient import KubeClient

SECONDS = 60
A, B = "infra/a", "infra/b"
WATCHES = "watch=true"      # stands in a line of kubectl -v=6 once the server has begun to answer


@dataclass(frozen=True)
class Step:
    """One command, or a deed of the test itself between two commands."""

    args: str = ""                          # split at blanks
    stdin: Any = None                       # JSON for -f -
    status: int = 0
    has: str = ""                           # what the output (with the complaint) must contain
    form: str = "text"                      # how outputs are compared: text, yaml, json, or "" for not at all, see why
    why: str = ""
    editor: str = ""
    deed: Callable[[KubeClient, str], Any] | None = None    # gets the namespace; with args: done when kubectl watches
    until: str = ""                         # kubectl is ended when its output has this
    newer: bool = False                     # kubectl 1.20 does not know it


def _tell_event(client: KubeClient, ns: str) -> None:
    uid = client.get("Infrastructure", ns, "a")["metadata"]["uid"]
    told = event("told", ns, count=1, firstTimestamp="2026-01-01T00:00:00Z", lastTimestamp="2026-01-01T00:00:00Z",
                 source={"component": "test"})
    told["involvedObject"].update(uid=uid, apiVersion="extensions.gardener.cloud/v1alpha1")
    client.request("POST", f"/api/v1/namespaces/{ns}/events", told)


def _condition(client: KubeClient, ns: str) -> None:
    now = "2026-01-01T00:00:00Z"
    client.patch("Infrastructure", ns, "a", {"status": {"conditions": [
        {"type": "Ready", "status": "True", "reason": "r", "message": "m", "lastTransitionTime": now, "lastUpdateTime": now}]}},
        sub="/status")


def _hold(client: KubeClient, ns: str) -> None:
    client.patch("Infrastructure", ns, "a", {"metadata": {"finalizers": ["example.com/hold"]}})


def _let_go(client: KubeClient, ns: str) -> None:
    client.patch("Infrastructure", ns, "a", {"metadata": {"finalizers": None}})


def _touch(client: KubeClient, ns: str) -> None:
    client.patch("Infrastructure", ns, "a", {"metadata": {"labels": {"touched": "yes"}}})


STEPS = [
    Step("version", has="Server Version", form="", why="each server tells its own version"),
    Step("create namespace $NS"),
    Step("create secret generic s --from-literal=a=b"),
    Step("get infra"),
    Step("apply -f -", infra("a")),
    Step("apply -f -", infra("a"), has="unchanged"),
    Step("apply -f -", infra("a", spec={"region": "ams1"}), has="configured"),
    # kubectl 1.20 would look for it in the OpenAPI v2 document, which is empty on the simulator
    Step("apply -f - --dry-run=server", infra("a"), has="configured", newer=True),
    Step("create -f -", infra("b")),
    Step("create -f -", infra("b"), status=1, has="AlreadyExists"),
    Step("create -f -", infra("x", spec={"region": 5}), status=1),
    Step("get infra"),
    Step("get infra --all-namespaces", form="", why="other cases have objects, too", has="ams1"),
    Step("get infra -o wide"),
    Step("get infra a -o yaml", form="yaml"),
    Step("get infra -o json", form="json"),
    Step("get infra a -o jsonpath={.spec.region}", has="ams1"),
    Step("get secret s -o yaml", form="yaml"),
    Step("get secret"),
    Step("get infra none", status=1, has="NotFound"),
    Step("get nothings", status=1, has="doesn't have a resource type"),
    Step(f"annotate {A} k=v"),
    Step(f"annotate {A} k=w", status=1, has="--overwrite"),
    Step(f"annotate {A} k=w --overwrite"),
    Step(f"label {A} l=m"),
    Step("get infra -l l=m -o name", has="/a"),
    Step(f"label {A} l-"),
    Step("get infra -w -o jsonpath={.metadata.labels.touched}.", deed=_touch, until="yes."),
    Step(f"patch {A} --type=merge -p {{\"spec\":{{\"region\":\"ewr1\"}}}}"),
    Step(f"patch {A} --type=json -p [{{\"op\":\"test\",\"path\":\"/spec/region\",\"value\":\"ewr1\"}}]"),
    Step(f"patch {A} -p {{\"spec\":{{}}}}", status=1, has="application/apply-patch+yaml"),
    Step("patch secret s -p {\"data\":{\"a\":\"ZA==\"}}"),
    Step("apply --server-side -f -", infra("c")),
    Step("apply --server-side -f -", infra("c")),
    Step("apply --server-side --field-manager=other -f -", infra("c", spec={"region": "ams1"}), status=1, has="conflict"),
    Step("apply --server-side --field-manager=other --force-conflicts -f -", infra("c", spec={"region": "ams1"})),
    Step(f"edit {A}", editor="sed -i s/ewr1/ams1/", has="edited"),
    Step(f"edit {A}", editor="true", has="no changes"),
    Step(deed=_tell_event),
    Step(f"describe {A}", has="Tested"),
    Step("describe secret s"),
    Step(deed=_condition),
    Step(f"wait {A} --for=condition=Ready --timeout=20s", has="condition met"),
    Step(f"wait {B} --for=condition=Ready --timeout=1s", status=1, has="timed out"),
    Step(f"wait {A} --for=jsonpath={{.spec.region}}=ams1 --timeout=20s", newer=True),
    Step("api-resources --api-group=extensions.gardener.cloud", has="infrastructures"),
    Step("auth can-i list infra", has="yes"),
    Step("get events"),
    Step(deed=_hold),
    Step(f"delete {A} --timeout=1s", status=1, has="timed out"),
    Step(f"get {A} -o jsonpath={{.metadata.generation}}"),
    Step(f"wait {A} --for=delete --timeout=1s", status=1, has="timed out"),
    Step(f"wait {A} --for=delete --timeout=60s", deed=_let_go),
    Step(f"delete {A}", status=1, has="NotFound"),
    Step(f"delete {B}", has="deleted"),
    Step("delete -f -", infra("c")),
    Step("delete secret s"),
]


def run(program: Path, kubeconfig: Path, step: Step, client: KubeClient, ns: str) -> tuple[int, str, str]:
    """Status, output and complaint."""
    env = {"PATH": os.environ.get("PATH", ""), "HOME": str(kubeconfig.parent), "KUBE_EDITOR": step.editor}
    argv = [str(program), "--kubeconfig", str(kubeconfig), "-n", ns, *step.args.replace("$NS", ns).split()]
    child = subprocess.Popen(argv + (["-v=6"] if step.deed else []), stdin=subprocess.PIPE, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)
    killer = threading.Timer(SECONDS, child.kill)
    killer.start()
    try:
        if step.deed:
            return _run_watching(child, step, client, ns)
        out, err = child.communicate(json.dumps(step.stdin).replace(conformance_list.NS, ns) if step.stdin else "")
        return child.returncode, out, err
    finally:
        killer.cancel()
        child.kill()
        child.wait()


def _run_watching(child: subprocess.Popen, step: Step, client: KubeClient, ns: str) -> tuple[int, str, str]:
    lines: list[str] = []

    def read_log() -> None:
        done = False
        for line in child.stderr:
            lines.append(line)
            if WATCHES in line and not done:
                done = True
                step.deed(client, ns)
    reader = threading.Thread(target=read_log)
    reader.start()
    out = ""
    while piece := os.read(child.stdout.fileno(), 65536).decode():
        out += piece
        if step.until and step.until in out:
            child.terminate()
            break
    status = child.wait()
    reader.join()
    return 0 if step.until and step.until in out else status, out, "".join(lines)


def comparable(step: Step, output: str) -> Any:
    """The output without uids, times, ages and resource versions, and without blanks that follow from their widths."""
    if step.form == "yaml":
        return conformance.normal(yaml.safe_load(output))
    if step.form == "json":
        return conformance.normal(json.loads(output))
    output = output if step.until == "" else step.until
    text = re.sub(r"(?m)^( *)(Managed Fields|f:\w+):.*\n(?:\1 +.*\n)*", "", output)
    text = conformance.UID.sub("UID", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME", text)
    text = re.sub(r"(?m)(?<=Resource Version:) +\d+", " RV", text)
    text = re.sub(r"\b(\d+[dhms])+\b", "AGE", text)
    return "\n".join(re.sub(r" {2,}", "  ", line).rstrip() for line in text.splitlines())
