"""Starts the program with tests/e2e/saboteur.c in each child, behind a wrapper that can refuse to start it, or start it late."""

from __future__ import annotations

from .harness import T
from .procs import Skip
from .provider import Provider

ROLES = ("worker", "watcher", "packet-gateway", "exporter")
SLOW_SECONDS = 15                     # longer than a start may take
WRAPPER = """#!/bin/sh
[ -e {dir}/refuse-{role} ] && exit 1
[ -e {dir}/slow-{role} ] && exec sleep {seconds}
{preload}exec {real}/{role} "$@"
"""


def only_outside(t: T) -> None:
    if t.kind is not Provider:
        raise Skip("the image has no shell, and nothing is loaded into its programs")


def library(t: T) -> str:
    """What is to be loaded before everything else."""
    only_outside(t)
    if "san" in t.build.name:
        raise Skip("a sanitizer has to be the first that is loaded")
    return str((t.build / "tests/saboteur.so").resolve())


def with_saboteur(t: T, **options: object) -> None:
    """While a file refuse-ROLE or slow-ROLE is in the case's directory, that role does not start as it should."""
    only_outside(t)
    linked, libexec = t.build / "tests/sabotaged", t.directory / "libexec"
    if linked.exists():             # the lean programs have the libraries inside
        preload, real = "", linked.resolve()
    else:
        preload, real = f"export LD_PRELOAD={library(t)}\n", t.own_programs("real")
    libexec.mkdir()
    for role in ROLES:
        wrapper = libexec / role
        wrapper.write_text(WRAPPER.format(dir=t.directory, role=role, seconds=SLOW_SECONDS, real=real, preload=preload))
        wrapper.chmod(0o755)
    t.start(env={"PROVIDER_PACKET_LIBEXEC": str(libexec)}, **options)
