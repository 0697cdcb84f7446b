"""What is inside, from deploy/lean/lock: checked against what is installed or unpacked here, and written down as SPDX 2.3."""

from __future__ import annotations

import subprocess
from pathlib import Path

NAME = "gardener-extension-provider-packet"
LICENCES = {"zeromq3": "LGPL-3.0-or-later WITH LGPL-3.0-linking-exception", "czmq": "MPL-2.0", "curl": "curl",
            "libmicrohttpd": "LGPL-2.1-or-later", "openssl": "Apache-2.0", "nghttp2": "MIT", "jansson": "MIT", "msgpack-c": "BSL-1.0",
            "libyaml": "MIT", "libseccomp": "LGPL-2.1-only", "zlib": "Zlib", "ncurses": "X11",
            "gcc-12": "GPL-3.0-or-later WITH GCC-exception-3.1", "glibc": "LGPL-2.1-or-later"}


def installed(package: str) -> str:
    done = subprocess.run(["dpkg-query", "-W", "-f", "${source:Version}\n", package], stdout=subprocess.PIPE, text=True)
    return done.stdout.split("\n")[0]


def unpacked(root: Path) -> dict[str, str]:
    """The version of each package that deploy/lean/sysroot has put there."""
    return {binary: version for _, version, binary in (line.split() for line in (root / "packages").read_text().splitlines())}


def read_lock(path: Path, root: Path, arch: str) -> list[dict]:
    """One for each source package. What goes into the image as Debian built it must be the locked one."""
    found: dict[str, dict] = {}
    here = root == Path("/")
    there = {} if here else unpacked(root)
    rows = [line.split() for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]
    of_arch = {row[3]: row[2] for row in rows if row[0] == arch}
    for word in rows:
        if word[0] == "source":
            found[word[1]] = {"name": word[1], "version": word[2], "built": True, "binary": "", "files": {}}
            last = found[word[1]]
        elif word[0] == "package":
            _, name, version, binary = word
            version = version if here else of_arch.get(binary, "")
            found.setdefault(name, {"name": name, "version": version, "built": False, "binary": binary, "files": {}})
            got = installed(binary) if here else there.get(binary)
            if got != version:
                raise SystemExit(f"{binary} is {got or 'not'} {'installed' if here else 'unpacked'} here, the lock says {version}: "
                                 "install that one, or run deploy/lean/build --update and commit deploy/lean/lock")
        elif len(word) == 2:
            last["files"][word[1]] = word[0]
    return list(found.values())


def package(p: dict) -> dict:
    said = {"SPDXID": f"SPDXRef-{p['name']}", "name": p["name"], "versionInfo": p["version"], "supplier": "Organization: Debian",
            "downloadLocation": "NOASSERTION", "filesAnalyzed": False, "copyrightText": "NOASSERTION",
            "licenseConcluded": "NOASSERTION", "licenseDeclared": "NOASSERTION",
            "comment": "built from Debian's source package by deploy/lean/build" if p["built"] else "as Debian built it",
            "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                              "referenceLocator": f"pkg:deb/debian/{p['name']}@{p['version'].replace('+', '%2B')}?arch=source&distro=bookworm"}]}
    licence = LICENCES.get(p["name"])
    if licence and p["name"] != "zeromq3":      # its exception has no identifier in SPDX's list for every reader
        said["licenseDeclared"] = licence
    orig = next((f for f in p["files"] if ".orig." in f), "")
    if orig:
        said["packageFileName"] = orig
        said["checksums"] = [{"algorithm": "SHA256", "checksumValue": p["files"][orig]}]
    return said


def sbom(lock: list[dict], version: str, when: str, digest: str) -> dict:
    own = {"SPDXID": f"SPDXRef-{NAME}", "name": NAME, "versionInfo": version, "downloadLocation": "NOASSERTION", "filesAnalyzed": False,
           "licenseConcluded": "Apache-2.0", "licenseDeclared": "Apache-2.0", "copyrightText": "NOASSERTION",
           "primaryPackagePurpose": "CONTAINER", "checksums": [{"algorithm": "SHA256", "checksumValue": digest.split(":")[1]}]}
    return {
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"{NAME}-{version}",
        "documentNamespace": f"https://spdx.org/spdxdocs/{NAME}-{digest.split(':')[1]}",
        "creationInfo": {"created": when, "creators": ["Tool: deploy/image/build"]},
        "packages": [own, *(package(p) for p in sorted(lock, key=lambda p: p["name"]))],
        "relationships": [
            {"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": own["SPDXID"]},
            *({"spdxElementId": own["SPDXID"], "relationshipType": "CONTAINS", "relatedSpdxElement": f"SPDXRef-{p['name']}"}
              for p in sorted(lock, key=lambda p: p["name"]))],
    }
