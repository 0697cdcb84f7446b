"""Cases of alerts and dashboard: that they ask for what is served, fire when they should, and that somebody wrote down what to do then."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import yaml

from . import chart
from .chart import SETS, one, render
from .harness import T, case
from .procs import REPO

LINK = "docs/alerts.md#"
NOT_OURS = {"up"}                   # Prometheus makes it by itself


def rules(t: T, name: str = "gardenlet") -> list[dict]:
    return one(render(t.directory, SETS[name]), "PrometheusRule")["spec"]["groups"][0]["rules"]


def dashboard(t: T) -> dict:
    maps = [o for o in render(t.directory, SETS["gardenlet"]) if o["kind"] == "ConfigMap"]
    shown = [o for o in maps if o["metadata"].get("labels", {}).get("dashboard.monitoring.gardener.cloud/seed") == "true"]
    t.equal([o["metadata"]["namespace"] for o in shown], ["garden"], "where dashboards are")
    return json.loads(shown[0]["data"]["provider-packet.json"])


def queries(board: dict) -> list[str]:
    """Those of its panels, with values for the dashboard's variables."""
    return [target["expr"].replace("$__rate_interval", "5m").replace("$pod", ".*") for panel in board["panels"]
            for target in panel.get("targets", [])]


def served() -> dict[str, set[str]]:
    """Each series of docs/metrics.md (which metrics_and_probes holds against the program) and its labels."""
    found: dict[str, set[str]] = {}
    for name, kind, labels in re.findall(r"(?m)^\| `(\w+)` \| (\w+) \| ([^|]*) \|", (REPO / "docs/metrics.md").read_text()):
        names = [name + end for end in ("_bucket", "_sum", "_count")] if kind == "histogram" else [name]
        for n in names:
            found[n] = set(re.findall(r"\w+", labels)) | ({"le"} if kind == "histogram" else set())
    return found


def check_names(t: T, expr: str) -> None:
    """Each series is one that is served, each label in a selector is its own or a target's."""
    selectors = re.findall(r"\b([a-z][a-z_]+)\{([^}]*)\}", expr)
    t.check(selectors, f"no series in {expr}")
    for name, inside in selectors:
        t.check(name in NOT_OURS or name in served(), f"{name}, which nobody serves, in {expr}")
        t.check('job="provider-packet"' in inside, f"{name} of any program in {expr}")
        labels = set(re.findall(r"(\w+)\s*=~?", inside)) - {"job", "pod", "namespace"}
        t.check(labels <= served().get(name, set()), f"labels {labels} of {name} in {expr}")


def promtool(t: T, *args: str) -> None:
    done = subprocess.run([str(chart.go_program("promtool")), *args], capture_output=True, text=True, cwd=t.directory)
    t.equal(done.returncode, 0, f"promtool {' '.join(args)}: {done.stdout[-3000:]}{done.stderr[-3000:]}")


@case
def alerts_fire_when_they_should(t: T) -> None:
    """`promtool test rules` on what the chart renders to; each alert has a test in which it fires and one in which it does not."""
    (t.directory / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "provider-packet", "rules": rules(t)}]}))
    promtool(t, "check", "rules", "--lint=all", "--lint-fatal", "rules.yaml")
    fired, quiet = set(), set()
    for file in sorted((REPO / "tests/alerts").glob("*_test.yaml")):
        shutil.copy(file, t.directory)
        promtool(t, "test", "rules", file.name)
        for test in yaml.safe_load(file.read_text())["tests"]:
            for moment in test["alert_rule_test"]:
                (fired if moment["exp_alerts"] else quiet).add(moment["alertname"])
    names = {r["alert"] for r in rules(t)}
    t.equal((sorted(names - fired), sorted(names - quiet)), ([], []), "alerts that are never seen to fire, and never seen to be quiet")


@case
def alerts_ask_for_what_is_served(t: T) -> None:
    """Alerts and dashboard name only series and labels that the exporter has; each query is good PromQL."""
    board = dashboard(t)
    for expr in [r["expr"] for r in rules(t)] + queries(board):
        check_names(t, expr)
    records = [{"record": f"panel:{n}", "expr": expr} for n, expr in enumerate(queries(board))]
    (t.directory / "board.yaml").write_text(yaml.safe_dump({"groups": [{"name": "board", "rules": records}]}))
    promtool(t, "check", "rules", "board.yaml")
    ids = [p["id"] for p in board["panels"]]
    t.equal(len(set(ids)), len(ids), "ids of panels")
    for row in {p["gridPos"]["y"] for p in board["panels"]}:
        t.equal(sum(p["gridPos"]["w"] for p in board["panels"] if p["gridPos"]["y"] == row), 24, f"width at {row}")


@case
def alerts_say_what_to_do(t: T) -> None:
    """Each alert leads to its section of docs/alerts.md, and each section has an alert; severities are those of that page."""
    page = (REPO / "docs/alerts.md").read_text()
    sections = re.findall(r"(?m)^## (\w+)$", page)
    t.equal(sorted(sections), sorted(r["alert"] for r in rules(t)), "sections and alerts")
    for r in rules(t):
        t.equal(r["annotations"]["runbook_url"], LINK + r["alert"].lower(), f"the link of {r['alert']}")
        t.check(f"\n| {r['labels']['severity']} | " in page, f"severity of {r['alert']}")
        t.equal({k: v for k, v in r["labels"].items() if k != "severity"},
                {"service": "provider-packet", "type": "seed", "visibility": "operator"}, f"labels of {r['alert']}")
        section = page.split(f"\n## {r['alert']}\n")[1].split("\n## ")[0]
        t.check("\n- " in section and "\nWho: " in section, f"where to look and who must act: {r['alert']}")
    for target in re.findall(r"\]\(#([a-z]+)\)", page):
        t.check(target in [s.lower() for s in sections], f"a link to #{target}")
    place = "https://git.example.com/pp/blob/main/" + LINK
    t.equal({r["annotations"]["runbook_url"].startswith(place) for r in rules(t, "extra pod labels")}, {True}, "links with a repository")
    check_commands(t, page)


def check_commands(t: T, page: str) -> None:
    """Each `packetctl ...` of the page is one that its help has."""
    help_ = subprocess.run([str(t.build / "bin/packetctl"), "--help"], capture_output=True, text=True).stdout
    known = set(re.findall(r"(?m)^  ([a-z]+)\b", help_))
    for command in re.findall(r"`packetctl ([a-z]+)", page):
        t.check(command in known, f"packetctl {command} is none of {sorted(known)}")
