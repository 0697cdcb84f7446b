"""Cases of /metrics and the probes: what dashboards and kubelet rely on, on a leader, on a standby, and in bad times."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.error
import urllib.request

from .cases_leader import two_trees
from .chart import go_program
from .harness import T, case
from .procs import REPO, wait_for
from .provider import Provider

QUEUE = ("controller", "name")
# kubernetes 3.5: name, type, labels besides le; present from the start.
TABLE = (
    ("controller_runtime_reconcile_total", "counter", ("controller", "result")),
    ("controller_runtime_reconcile_errors_total", "counter", ("controller",)),
    ("controller_runtime_terminal_reconcile_errors_total", "counter", ("controller",)),
    ("controller_runtime_reconcile_panics_total", "counter", ("controller",)),
    ("controller_runtime_reconcile_timeouts_total", "counter", ("controller",)),
    ("controller_runtime_reconcile_time_seconds", "histogram", ("controller",)),
    ("controller_runtime_max_concurrent_reconciles", "gauge", ("controller",)),
    ("controller_runtime_active_workers", "gauge", ("controller",)),
    ("workqueue_depth", "gauge", (*QUEUE, "priority")),
    ("workqueue_adds_total", "counter", QUEUE),
    ("workqueue_queue_duration_seconds", "histogram", QUEUE),
    ("workqueue_work_duration_seconds", "histogram", QUEUE),
    ("workqueue_unfinished_work_seconds", "gauge", QUEUE),
    ("workqueue_longest_running_processor_seconds", "gauge", QUEUE),
    ("workqueue_retries_total", "counter", QUEUE),
    ("rest_client_requests_total", "counter", ("code", "host", "method")),
    ("leader_election_master_status", "gauge", ("name",)),
    ("process_cpu_seconds_total", "counter", ()),
    ("process_resident_memory_bytes", "gauge", ()),
    ("process_start_time_seconds", "gauge", ()),
)
SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z_]+="[^"\\]*",?)*)\})? (\S+)')


def get(p: Provider, what: str, path: str) -> tuple[int, str]:
    """Asks the port that the log names for `what`: metrics or health."""
    line = next(n for n in map(json.loads, p.log.read_text().splitlines()) if n.get("for") == what)
    try:
        with urllib.request.urlopen(f"http://{line['address']}{path}", timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()


def check_families(page: str) -> None:
    """HELP and TYPE once each, before the samples, which stand together; buckets grow and the last one is the count."""
    family, seen, below = "", set(), 0.0
    for line in page.splitlines():
        words = line.split(" ")
        if line.startswith("# HELP "):
            family, below = words[2], 0.0
            assert family not in seen, f"twice: {line}"
            seen.add(family)
        elif line.startswith("# TYPE "):
            assert words[2] == family, f"no HELP before {line}"
        else:
            name = re.split(r"[{ ]", line)[0]
            assert name == family or name in (family + "_bucket", family + "_sum", family + "_count"), f"{line} stands under {family}"
            number = float(words[-1])
            if name.endswith("_bucket"):
                assert number >= below, f"fewer than below: {line}"
                below = number
            elif name.endswith("_count"):
                assert number == below, f"not the last bucket: {line}"


def samples(page: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for line in page.splitlines():
        if line.startswith("#"):
            continue
        m = SAMPLE.fullmatch(line)
        if not m:
            raise AssertionError(f"no sample: {line!r}")
        labels = dict(re.findall(r'([a-z_]+)="([^"]*)"', m[2] or ""))
        if any(labels == seen for seen, _ in found.get(m[1], [])):
            raise AssertionError(f"twice on one page: {line!r}")
        found.setdefault(m[1], []).append((labels, float(m[3])))
    return found


def check_table(t: T, page: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    found = samples(page)
    check_families(page)
    for name, kind, labels in TABLE:
        t.check(f"# TYPE {name} {kind}\n" in page, f"{name} is no {kind}")
        rows = found.get(name + "_bucket" if kind == "histogram" else name)
        t.check(rows, f"no sample of {name}")
        for got, _ in rows:
            t.equal(tuple(sorted(k for k in got if k != "le")), tuple(sorted(labels)), f"labels of {name}")
    return found


def value(found: dict, name: str, **labels: str) -> float:
    return sum(v for got, v in found.get(name, []) if all(got.get(k) == w for k, w in labels.items()))


@case(gardener=(65,), kubernetes=(37, 69))
def metrics_and_probes(t: T) -> None:
    """The series of controller-runtime on leader and standby; they count what is done, and the probes answer on both."""
    first, second = two_trees(t)
    for p in (first, second):
        wait_for("the first beat", lambda: "rest_client_requests_total" in get(p, "metrics", "/metrics")[1])
        for path in ("/healthz", "/readyz"):
            wait_for(f"{path} of {p.directory.name}", lambda: get(p, "health", path) == (200, "ok"))
    before = check_table(t, get(first, "metrics", "/metrics")[1])
    standby = check_table(t, get(second, "metrics", "/metrics")[1])
    t.equal(value(standby, "controller_runtime_reconcile_total"), 0, "runs of the standby")
    t.shoot().create().wait_state("Succeeded")
    done = "controller_runtime_reconcile_total"

    def counted() -> dict | None:
        now = samples(get(first, "metrics", "/metrics")[1])
        return now if value(now, done, result="success") > value(before, done, result="success") else None

    now = wait_for("the run to be counted", counted)
    t.check(value(now, "rest_client_requests_total", method="PATCH", code="200") >= 3, "PATCHes are not counted")
    wait_for("the POST to be counted", lambda: value(samples(get(first, "metrics", "/metrics")[1]),
                                                     "provider_packet_api_calls_total", method="POST", code="201") == 1)
    for name in ("workqueue_queue_duration_seconds_count", "workqueue_work_duration_seconds_count",
                 "controller_runtime_reconcile_time_seconds_count", "workqueue_adds_total"):
        t.check(value(now, name) > value(before, name), f"{name} did not grow")
    described = set(re.findall(r"(?m)^\| `([a-z_]+)` \|", (REPO / "docs/metrics.md").read_text()))
    shown = set(re.findall(r"(?m)^# TYPE ([a-z_]+) ", get(first, "metrics", "/metrics")[1]))
    # Who may not look into the other processes' folders in /proc does not count their descriptors.
    t.equal(sorted((shown ^ described) - {"process_open_fds"}), [], "series that only docs/metrics.md or only the page has")
    t.equal(value(now, "controller_runtime_max_concurrent_reconciles"), len(first.processes("worker")), "workers")


@case(gardener=(65,), kubernetes=(29, 69))
def probes_in_bad_times(t: T) -> None:
    """Without an API server the program lives and says on /readyz what is missing; it is ready by itself later."""
    t.start_packet()
    kubeconfig = t.kube.breakable_kubeconfig()
    t.kube.stop_apiserver()
    try:
        p = t.kind(t.build, t.directory / "provider", kubeconfig, t.packet.url, t.packet.ca_file)
        t.provider = p
        p.start(wait=False)
        wait_for("the ports", lambda: p.log.exists() and '"for":"health"' in p.log.read_text())
        wait_for("a live program", lambda: get(p, "health", "/healthz") == (200, "ok"))
        wait_for("metrics", lambda: "controller_runtime_reconcile_total" in get(p, "metrics", "/metrics")[1])
        p.wait_ready()
        missing = "[+]workers ok\n[-]informer-sync failed: reason withheld\n"
        wait_for("only the first list to be missing", lambda: missing in get(p, "health", "/readyz?verbose")[1])
        t.equal(get(p, "health", "/readyz")[0], 500, "/readyz without an API server")
    finally:
        t.kube.start_apiserver()
    wait_for("a ready program", lambda: get(p, "health", "/readyz") == (200, "ok"))
    t.forgive_refusals()        # a server that has just started does not know everybody's rights yet


@case(kubernetes=(37,))
def metrics_please_the_linter(t: T) -> None:
    """`promtool check metrics` has nothing against /metrics, on leader and standby."""
    two_trees(t)
    t.barrier()
    linter = [str(go_program("promtool")), "check", "metrics"]
    for p in (t.provider, t.second):
        wait_for("the first beat", lambda: "rest_client_requests_total" in get(p, "metrics", "/metrics")[1])
        done = subprocess.run(linter, input=get(p, "metrics", "/metrics")[1], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=20)
        t.equal((done.returncode, done.stdout), (0, ""), "what the linter says")
