"""Cases of the registration with Gardener: what it says, and that the packed chart in it is always the same and whole."""

from __future__ import annotations

import base64
import io
import os
import shutil
import subprocess
import tarfile

from . import chart
from .chart import NAME, RELEASE, SETS, generator, render
from .harness import T, case
from .kubeclient import load_yaml
from .procs import REPO

ENFORCE = {"security.gardener.cloud/pod-security-enforce": "restricted"}
RESOURCES = [{"kind": "Infrastructure", "type": "packet"}]     # nothing else may stand there: the admission refuses it (gardener 10.2)


def packed(file: str) -> bytes:
    """The chart in one of the registrations."""
    deployment = load_yaml(REPO / "example" / file)[0]
    return base64.b64decode(deployment.get("helm", {}).get("rawChart") or deployment["providerConfig"]["chart"], validate=True)


@case(gardener=(71,))
def registration_says_what_is_ours(t: T) -> None:
    """Kind Infrastructure, type packet and no more, in each of the three forms; the deployment has the version's image."""
    version = (REPO / "VERSION").read_text().strip()
    values = {"image": {"repository": f"registry.example.com/{NAME}", "tag": version}}
    registration = {"apiVersion": "core.gardener.cloud/v1beta1", "kind": "ControllerRegistration",
                    "metadata": {"name": RELEASE, "annotations": ENFORCE},
                    "spec": {"deployment": {"deploymentRefs": [{"name": RELEASE}]}, "resources": RESOURCES}}
    raw = base64.b64encode(packed("controller-registration.yaml")).decode()
    t.equal(load_yaml(REPO / "example/controller-registration.yaml"), [
        {"apiVersion": "core.gardener.cloud/v1", "kind": "ControllerDeployment", "metadata": {"name": RELEASE},
         "helm": {"rawChart": raw, "values": values}}, registration], "the registration")
    t.equal(load_yaml(REPO / "example/controller-registration-legacy.yaml"), [
        {"apiVersion": "core.gardener.cloud/v1beta1", "kind": "ControllerDeployment", "metadata": {"name": RELEASE}, "type": "helm",
         "providerConfig": {"chart": raw, "values": values}}, registration], "its older form")
    extension = load_yaml(REPO / "example/extension.yaml")[0]
    helm = {"ociRepository": {"ref": f"registry.example.com/charts/{NAME}:{version}"}}
    t.equal(extension, {"apiVersion": "operator.gardener.cloud/v1alpha1", "kind": "Extension", "metadata": {"name": RELEASE, "annotations": ENFORCE},
                        "spec": {"resources": RESOURCES, "deployment": {"extension": {"helm": helm, "values": values}}}}, "the Extension")


@case(gardener=(69, 73))
def registration_holds_the_chart(t: T) -> None:
    """Packed again from another folder, with other times, modes, owner and locale: the same bytes; what helm makes of it is the chart."""
    elsewhere = t.directory / "elsewhere" / "chart"
    elsewhere.parent.mkdir()
    for file in sorted(chart.CHART.rglob("*"), reverse=True):       # another order on disk
        if file.is_file():
            copy = elsewhere / file.relative_to(chart.CHART)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
            copy.chmod(0o600)
            os.utime(copy, (1, 1))
    make = generator()
    t.check(make.pack(elsewhere) == make.pack(), "the chart, packed from elsewhere, has other bytes")
    again = subprocess.run([REPO / "deploy/generate", "--pack"], stdout=subprocess.PIPE, check=True, umask=0o077, cwd=t.directory,
                           env={"PATH": os.environ["PATH"], "TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONHASHSEED": "7"})
    t.check(again.stdout == make.pack(), "the chart, packed by the command, has other bytes")
    (t.directory / "chart.tgz").write_bytes(packed("controller-registration.yaml"))
    version = (REPO / "VERSION").read_text().strip()
    for name, values in SETS.items():
        t.check(render(t.directory, values, t.directory / "chart.tgz") == render(t.directory, values), f"{name}: the packed chart is another")
    with tarfile.open(fileobj=io.BytesIO(packed("controller-registration.yaml"))) as archive:
        text = archive.extractfile(f"{NAME}/Chart.yaml").read().decode()
        t.equal({(m.mtime, m.mode, m.uname) for m in archive.getmembers()}, {(make.MTIME, 0o644, "root")}, "times, modes, owners")
    t.check(f"\nversion: {version}\nappVersion: {version}\n" in text, f"Chart.yaml: {text}")


@case(gardener=(73,))
def registration_that_is_stale_is_found(t: T) -> None:
    """`make check` ends with an error and the file's name when the chart, the version or the rules were changed without `make generate`."""
    tree = t.directory / "tree"
    for part in ("deploy", "example"):
        shutil.copytree(REPO / part, tree / part)
    shutil.copy(REPO / "VERSION", tree / "VERSION")

    def stale() -> list[str]:
        done = subprocess.run([tree / "deploy/generate", "--check"], capture_output=True, text=True)
        t.equal(done.returncode, 1 if done.stderr else 0, "status")
        return [line.split()[0] for line in done.stderr.splitlines()]

    both = ["example/controller-registration.yaml", "example/controller-registration-legacy.yaml"]
    t.equal(stale(), [], "stale at first")
    role = tree / "deploy/charts" / NAME / "templates/rbac.yaml"
    role.write_text(role.read_text().replace("watch, patch]", "watch, patch, delete]"))
    t.equal(stale(), ["deploy/rbac.yaml", *both], "stale with another rule")
    subprocess.run([tree / "deploy/generate"], check=True)
    t.equal(stale(), [], "stale after it was made again")
    (tree / "VERSION").write_text("9.9.9\n")
    t.equal(stale(), [*both, "example/extension.yaml"], "stale with another version")
