"""Cases of the chart: what it renders to, that a real API server takes all of it, and that the program takes what it passes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from . import chart
from .cases_leader import HEARTBEAT, LEASE
from .chart import NAME, NAMESPACE, SETS, container_of, one, pod_of, render
from .harness import T, case
from .kubeclient import kubectl, load_yaml, write_kubeconfig
from .procs import REPO, Failure, Skip, free_port, wait_for
from .provider import Provider
from .realkube import AnotherApiServer

SCRAPE = "networking.resources.gardener.cloud/from-all-seed-scrape-targets-allowed-ports"
KINDS = {"ClusterRole", "ClusterRoleBinding", "ConfigMap", "Deployment", "PodDisruptionBudget", "Service", "ServiceAccount"}
ON_SEED = KINDS | {"PrometheusRule", "VerticalPodAutoscaler"}


def renderings(t: T) -> dict[str, list[dict]]:
    return {name: render(t.directory, values) for name, values in SETS.items()}


@case(gardener=(69,))
def chart_renders_from_what_gardenlet_injects(t: T) -> None:
    """Six sets of values, with the seed and without: the objects that belong there; no hooks, nothing that looks into the cluster."""
    kinds = {name: {o["kind"] for o in objects} for name, objects in renderings(t).items()}
    t.equal(kinds, {"gardenlet": ON_SEED, "minimal": KINDS | {"VerticalPodAutoscaler"}, "two replicas": ON_SEED, "self-hosted": KINDS,
                    "extra pod labels": ON_SEED, "everything off": KINDS - {"Service"}}, "kinds")
    text = "".join(f.read_text() for f in (chart.CHART / "templates").iterdir())
    for word in ("helm.sh/hook", "lookup", ".Capabilities", "NOTES", ".Release.IsInstall"):
        t.check(word not in text, f"the chart uses {word}")
    done = subprocess.run([str(chart.go_program("helm")), "lint", "--strict", str(chart.CHART)], capture_output=True, text=True,
                          env={"HOME": str(t.directory), "PATH": ""})
    t.equal(done.returncode, 0, f"helm lint: {done.stdout}")


@case(gardener=(70,))
def chart_carries_what_a_seed_needs(t: T) -> None:
    """Labels for NetworkPolicies and replicas, annotations for scraping, priority class, PDB, VPA, no token of its own."""
    got = renderings(t)
    for name, objects in got.items():
        deployment, template = one(objects, "Deployment"), one(objects, "Deployment")["spec"]["template"]
        labels = template["metadata"]["labels"]
        for way in ("dns", "runtime-apiserver", "public-networks"):
            t.equal(labels.get(f"networking.gardener.cloud/to-{way}"), "allowed", f"{name}: the way to {way}")
        t.check(deployment["spec"]["selector"]["matchLabels"].items() <= labels.items(), f"{name}: the selector misses its pods")
        t.check("high-availability-config.resources.gardener.cloud/type" in deployment["metadata"]["labels"], f"{name}: replicas")
        t.equal(template["spec"]["priorityClassName"], "gardener-system-900", f"{name}: priority class")
        t.equal(one(objects, "ServiceAccount")["automountServiceAccountToken"], False, f"{name}: automount")
        t.check("automountServiceAccountToken" not in template["spec"], f"{name}: the pod asks for a token by itself")
        t.check(not any(v["name"].startswith("kube-api-access") for v in template["spec"]["volumes"]), f"{name}: a token's volume")
        t.equal(one(objects, "PodDisruptionBudget")["spec"], {"maxUnavailable": 1, "unhealthyPodEvictionPolicy": "AlwaysAllow",
                "selector": deployment["spec"]["selector"]}, f"{name}: PDB")
        t.equal([o["metadata"]["namespace"] for o in objects if o["metadata"].get("namespace") not in (NAMESPACE, "garden", None)], [],
                f"{name}: namespaces")
    check_scraping(t, got)
    t.equal(one(got["two replicas"], "Deployment")["spec"]["replicas"], 2, "replicas")
    t.equal(one(got["gardenlet"], "VerticalPodAutoscaler")["spec"]["targetRef"]["name"], NAME, "target of the VPA")
    labels = one(got["extra pod labels"], "Deployment")["spec"]["template"]["metadata"]["labels"]
    t.equal(labels["networking.gardener.cloud/to-private-networks"], "allowed", "an extra label")
    t.equal(one(got["everything off"], "Deployment")["metadata"]["annotations"], {"resources.gardener.cloud/ignore": "true"}, "ignored")


def check_scraping(t: T, got: dict[str, list[dict]]) -> None:
    """Prometheus finds the pod by its annotations, and is let in by those of the Service; on the port that is served."""
    for name, objects in got.items():
        pod = one(objects, "Deployment")["spec"]["template"]["metadata"]["annotations"]
        if name == "everything off":
            t.check(not any(k.startswith("prometheus") for k in pod), f"{name}: annotations {pod}")
            continue
        port = {p["name"]: p["containerPort"] for p in container_of(objects)["ports"]}["metrics"]
        t.equal({k.split("/")[1]: v for k, v in pod.items() if k.startswith("prometheus")},
                {"scrape": "true", "port": str(port), "name": "provider-packet"}, f"{name}: annotations")
        service = one(objects, "Service")
        t.equal(json.loads(service["metadata"]["annotations"][SCRAPE]), [{"port": port, "protocol": "TCP"}], f"{name}: who may come in")
        t.equal(service["metadata"]["annotations"]["networking.resources.gardener.cloud/pod-label-selector-namespace-alias"],
                "extensions", f"{name}: alias")
        t.check(json.loads(service["metadata"]["annotations"]["networking.resources.gardener.cloud/namespace-selectors"]),
                f"{name}: namespaces")
        t.equal((service["spec"]["ports"][0]["port"], service["spec"]["type"]), (port, "ClusterIP"), f"{name}: the Service's port")


@case(gardener=(62, 68))
def chart_asks_for_what_the_program_takes(t: T) -> None:
    """Each flag that is passed is one of --help and is accepted; ports, probes and rights fit; the Go extension's values do no harm."""
    program = t.build / "bin/gardener-extension-provider-packet"
    known = set(re.findall(r"(?m)^  --([a-z-]+)", subprocess.run([program, "--help"], capture_output=True, text=True).stdout))
    rights = next(o for o in load_yaml(REPO / "deploy/rbac.yaml") if o["kind"] == "ClusterRole")["rules"]
    go = {"disableWebhooks": ["shoot"], "imageVectorOverwrite": "images: []", "webhookConfig": {"servicePort": 443, "serverPort": 10250},
          "controllers": {"controlplane": {"concurrentSyncs": 5}, "worker": {"concurrentSyncs": 5}}, "disableControllers": ["worker"]}
    for name, objects in {**renderings(t), "Go's": render(t.directory, go)}.items():
        container = container_of(objects)
        for flag in container["args"]:
            t.check(re.match(r"--([a-z-]+)=", flag)[1] in known, f"{name}: {flag} is no flag")
        done = subprocess.run([program, *container["args"], "--version"], capture_output=True, text=True)
        t.equal(done.returncode, 0, f"{name}: {container['args']}: {done.stderr}")
        t.equal(one(objects, "ClusterRole")["rules"], rights, f"{name}: rights and deploy/rbac.yaml")
        subject = one(objects, "ClusterRoleBinding")["subjects"]
        t.equal(subject, [{"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}], f"{name}: who has them")
        ports = {p["name"]: p["containerPort"] for p in container.get("ports", [])}
        for port in ("metrics", "health"):
            t.check(f"--{port}-bind-address=" + (f":{ports[port]}" if port in ports else "0") in container["args"], f"{name}: {port}")
        for probe, path in (("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
            t.equal(container.get(probe, {}).get("httpGet"), {"path": path, "port": "health"} if ports else None, f"{name}: {probe}")
    t.equal({f"--workers={n}" in container_of(render(t.directory, v))["args"] for n, v in (
        (5, {}), (7, {"controllers": {"infrastructure": {"concurrentSyncs": 7}}}), (20, SETS["two replicas"]))}, {True}, "workers")


@case(gardener=(72,))
def chart_is_accepted_by_the_api_server(t: T) -> None:
    """Each rendering, and the Pod of its Deployment, by a dry run where pod-security `restricted` is enforced; less is refused."""
    if t.kube.kind != "real":
        raise Skip("only the real server judges")
    server = AnotherApiServer(t.kube, t.directory / "another", without="--disable-admission-plugins=ServiceAccount")
    try:
        server.start()
        admin = t.directory / "another.kubeconfig"
        write_kubeconfig(admin, server.url, server.ca_file, "admin", t.kube.admin_token)
        prepare(t, admin)
        for name, objects in renderings(t).items():
            dry_run(t, admin, name, objects)
            dry_run(t, admin, f"{name}: the Pod", [pod_of(one(objects, "Deployment"))])
        weaker = shutil.copytree(chart.CHART, t.directory / "weaker")
        for line, word in (("runAsNonRoot: true", "runAsNonRoot"), ("allowPrivilegeEscalation: false", "allowPrivilegeEscalation"),
                           ("drop: [ALL]", "capabilities")):
            template = chart.CHART.joinpath("templates/deployment.yaml").read_text()
            t.equal(template.count(line), 1, f"places with {line}")
            (weaker / "templates/deployment.yaml").write_text(template.replace(line, line.split(":")[0] + ": null"))
            pod = pod_of(one(render(t.directory, SETS["gardenlet"], weaker), "Deployment"))
            refused = refusal(t, admin, pod)
            t.check("violates PodSecurity" in refused and word in refused, f"without {line}: {refused or 'accepted'}")
        unknown = pod_of(one(render(t.directory, SETS["gardenlet"]), "Deployment"))
        unknown["spec"]["containers"][0]["livenesProbe"] = {}
        t.check("livenesProbe" in refusal(t, admin, unknown), "a misspelt field is accepted")
    finally:
        server.stop()


def prepare(t: T, admin: Path) -> None:
    """What is on a seed before gardenlet applies the chart: namespace, PriorityClass, ServiceAccount, the CRDs of others."""
    crds = subprocess.run([str(REPO / "tests/chart/crds/fetch")], stdout=subprocess.PIPE, text=True)
    if crds.returncode != 0:
        raise Skip("NO CRDS of VPA and PrometheusRule: tests/chart/crds/fetch cannot get them; are the Go modules within reach?")
    label = "pod-security.kubernetes.io/"
    objects = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": {
            label + "enforce": "restricted", label + "warn": "restricted"}}},
        {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "gardener-system-900"}, "value": 999998900},
        one(render(t.directory, {}), "ServiceAccount"),
        *[o for file in sorted(Path(crds.stdout.strip()).glob("*.yaml")) for o in load_yaml(file)],
    ]
    kubectl(t.kube.kubectl, admin, "apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(objects))
    kubectl(t.kube.kubectl, admin, "wait", "--for=condition=Established", "--timeout=60s", "crd",
            "verticalpodautoscalers.autoscaling.k8s.io", "prometheusrules.monitoring.coreos.com")


def dry_run(t: T, admin: Path, what: str, objects: list[dict]) -> None:
    try:
        text = kubectl(t.kube.kubectl, admin, "apply", "--server-side", "--dry-run=server", "--validate=strict", "--warnings-as-errors",
                       "--force-conflicts", "-f", "-", stdin=yaml.safe_dump_all(objects))
    except AssertionError as e:
        raise Failure(f"{what}: {e}") from None
    t.equal(text.count("serverside-applied (server dry run)"), len(objects), f"{what}: objects that were accepted")


def refusal(t: T, admin: Path, pod: dict) -> str:
    try:
        kubectl(t.kube.kubectl, admin, "create", "--dry-run=server", "--validate=strict", "-f", "-", stdin=yaml.safe_dump(pod))
        return ""
    except AssertionError as e:
        return str(e)


@case(gardener=(65, 68), outside="container_as_the_chart_renders_it is the same in one")
def chart_runs_as_it_is_rendered(t: T) -> None:
    """The Deployment's flags, variables and config file, as its ServiceAccount with its rights: ready, leading, at work, its probes good."""
    if t.kube.kind != "real":
        raise Skip("only the real server has ServiceAccounts")
    t.start_packet()
    objects, token = deployed(t, str(t.packet.ca_file or ""))
    account = t.directory / "account.kubeconfig"
    write_kubeconfig(account, t.kube.url, t.kube.ca_file, "account", token)
    t.provider = as_rendered(t, objects, account)
    t.provider.start()
    check_at_work(t, objects)


def deployed(t: T, ca_file: str) -> tuple[list[dict], str]:
    """The rendered objects, of which the ServiceAccount and its rights are in the API server now, and a token of it."""
    objects = render(t.directory, {"metricsPort": free_port(), "healthPort": free_port(), "gardener": SETS["gardenlet"]["gardener"],
                                   "flags": {"packet-url": t.packet.url, "packet-ca-file": ca_file}})
    t.client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    admin = t.kube.admin_kubeconfig
    wanted = [o for o in objects if o["kind"] in ("ServiceAccount", "ClusterRole", "ClusterRoleBinding")]
    one(wanted, "ClusterRole")["metadata"]["name"] = one(wanted, "ClusterRoleBinding")["metadata"]["name"] = "of-the-chart"
    one(wanted, "ClusterRoleBinding")["roleRef"]["name"] = "of-the-chart"
    kubectl(t.kube.kubectl, admin, "apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(wanted))
    token = kubectl(t.kube.kubectl, admin, "create", "token", NAME, "--namespace", NAMESPACE).strip()
    t.secrets.append(token)
    return objects, token


def check_at_work(t: T, objects: list[dict]) -> None:
    container = container_of(objects)
    port = {p["name"]: p["containerPort"] for p in container["ports"]}
    for probe in ("livenessProbe", "readinessProbe"):
        get = container[probe]["httpGet"]
        url = f"http://127.0.0.1:{port[get['port']]}{get['path']}"
        wait_for(f"{probe} at {url}", lambda: answer(url) == "ok")
    annotated = one(objects, "Deployment")["spec"]["template"]["metadata"]["annotations"]["prometheus.io/port"]
    t.check("provider_packet_ready 1" in answer(f"http://127.0.0.1:{annotated}/metrics"), "metrics at the annotated port")
    t.barrier()
    for lease in (LEASE, HEARTBEAT):
        wait_for(f"Lease {lease}", lambda: (t.client.get("Lease", NAMESPACE, lease) or {}).get("spec", {}).get("holderIdentity"))


def as_rendered(t: T, objects: list[dict], kubeconfig: Path) -> Provider:
    """The program as the kubelet would start it, but for paths: files and sockets are in this case's folder."""
    p = Provider(t.build, t.directory / "provider", kubeconfig, t.packet.url, t.packet.ca_file)
    config = t.directory / "config.yaml"
    config.write_text(next(o for o in objects if o["metadata"]["name"] == f"{NAME}-configmap")["data"]["config.yaml"])
    container = container_of(objects)
    mount = next(m["mountPath"] for m in container["volumeMounts"] if m["name"] == "config")
    p.argv = [p.argv[0], *[a.replace(f"{mount}/config.yaml", str(config)) for a in container["args"]]]
    values: dict[str, Any] = {e["name"]: e.get("value", NAMESPACE) for e in container["env"]}
    run = next(m["mountPath"] for m in container["volumeMounts"] if m["name"] == "run")
    t.check(values["RUNTIME_DIRECTORY"].startswith(run + "/"), "the sockets' folder is not on the volume for it")
    p.env |= {**values, "RUNTIME_DIRECTORY": str(p.runtime)}
    return p


def answer(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=20) as got:
            return got.read().decode()
    except OSError as e:
        return str(e)
