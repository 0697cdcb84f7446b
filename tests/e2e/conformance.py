"""Asks two API servers the same questions and compares the answers after taking out what may differ.

Owns the form of a question (Ask), how it is sent and what is normalised: uids, times, resource versions, continue tokens,
managedFields. The list itself is in conformance_list.py; cases_simulator.py runs it.
"""

from __future__ import annotations

import json
import re
import string
from dataclasses import dataclass, field
from typing import Any

from .kubeclient import KubeClient

UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
KEPT_HEADERS = ("Content-Type", "Retry-After", "Warning")
SECONDS = 10


@dataclass(frozen=True)
class Ask:
    """One request. $NAMES in path and body stand for what `keep` of earlier ones took out of the answer, by dotted path."""

    about: str
    method: str
    path: str
    body: Any = None                    # JSON, or text that is sent as it is
    type: str = "application/json"
    accept: str = "application/json"
    token: str | None = None            # instead of the administrator's
    keep: dict[str, str] = field(default_factory=dict)
    events: int = 0                     # of a watch: so many are read, then it is closed; 0 and a watch: until its end
    leave_out: dict[str, str] = field(default_factory=dict)     # dotted path -> why the simulator may differ there


def send(client: KubeClient, ask: Ask, values: dict[str, str]) -> dict[str, Any]:
    """The answer as {"status", "headers", "body"}, or "events" instead of the body."""
    path = string.Template(ask.path).substitute(values)
    body = ask.body if isinstance(ask.body, str) or ask.body is None else json.dumps(ask.body)
    headers = client.headers(ask.type if body is not None else None)
    headers["Accept"] = ask.accept
    if ask.token is not None:
        headers["Authorization"] = f"Bearer {ask.token}"
    connection = client.connect(SECONDS)
    try:
        data = string.Template(body).safe_substitute(values).encode() if body is not None else None
        connection.request(ask.method, path, body=data, headers=headers)
        answer = connection.getresponse()
        got: dict[str, Any] = {"status": answer.status,
                               "headers": {h: answer.headers[h] for h in KEPT_HEADERS if h in answer.headers}}
        if answer.status == 200 and "watch=" in path:
            got["events"] = _read_events(answer, ask.events)
        else:
            text = answer.read().decode(errors="replace")
            try:
                got["body"] = json.loads(text)
            except ValueError:
                got["body"] = text
    finally:
        connection.close()
    for name, where in ask.keep.items():
        found = at(got.get("body"), where)
        values[name] = "" if found is None else str(found)
    return got


def _read_events(answer: Any, wanted: int) -> list[Any]:
    events: list[Any] = []
    while not wanted or len(events) < wanted:
        line = answer.readline()
        if not line:
            break
        if line.strip():
            events.append(json.loads(line))
    return events


def at(value: Any, path: str) -> Any:
    for step in path.split("."):
        if isinstance(value, list) and step.isdigit():
            value = value[int(step)] if int(step) < len(value) else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value


def normal(value: Any, key: str = "") -> Any:
    """The value without what differs from server to server and from run to run."""
    if isinstance(value, dict):
        # a column's description is prose of the API's documentation
        leave = {"managedFields"} | ({"description"} if {"priority", "format"} <= value.keys() else set())
        return {k: normal(v, k) for k, v in sorted(value.items()) if k not in leave}
    if key == "verbs":
        return sorted(value)
    if isinstance(value, list):
        items = [normal(v, key) for v in value]
        # a group's resources come in the order in which a server that has just started saw their CRDs
        return sorted(items, key=lambda v: str(v.get("name") or v.get("resource"))) if key == "resources" else items
    if not isinstance(value, str):
        return value
    if key == "resourceVersion" and value:
        return "RV"
    if key == "name" and re.fullmatch(r"g-[a-z0-9]{5}", value):
        return "GENERATED"
    if key == "continue" and value:
        return "TOKEN"
    if key == "cells" and re.fullmatch(r"(\d+[dhms])+", value):
        return "AGE"
    if TIME.match(value):
        return "TIME"
    value = UID.sub("UID", value)
    value = re.sub(r'("?)(?<![\w.])[1-9]\d*\1(?= *\()|(?<=\()[1-9]\d*(?=\))|(?<=version: )\d+|(?<=current: )\d+', "N", value) \
        if key == "message" else value
    return value


def without(value: Any, path: str) -> None:
    """Takes the member at the dotted path out; `*` is every member of a list."""
    first, _, rest = path.partition(".")
    items = value if first == "*" and isinstance(value, list) else \
        [value[int(first)]] if isinstance(value, list) and first.isdigit() and int(first) < len(value) else None
    if items is not None:
        for item in items:
            if rest:
                without(item, rest)
    elif isinstance(value, dict):
        if rest and first in value:
            without(value[first], rest)
        elif not rest:
            value.pop(first, None)


def differences(a: Any, b: Any, where: str = "") -> list[str]:
    """One line for each place in which the two differ; a is the real server's."""
    if isinstance(a, dict) and isinstance(b, dict):
        return [line for k in sorted({*a, *b}) for line in
                ([f"{where}.{k}: only the simulator has {b[k]!r}"] if k not in a else
                 [f"{where}.{k}: the simulator lacks {a[k]!r}"] if k not in b else differences(a[k], b[k], f"{where}.{k}"))]
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return [line for i, (x, y) in enumerate(zip(a, b)) for line in differences(x, y, f"{where}.{i}")]
    return [] if a == b else [f"{where}: {a!r} is the real answer, not {b!r}"]


def compare(real: KubeClient, sim: KubeClient, asks: list[Ask]) -> list[str]:
    """Asks both everything, in order. The differences, each with what was asked."""
    kept: tuple[dict[str, str], dict[str, str]] = ({}, {})
    found = []
    for ask in asks:
        got = [normal(send(client, ask, values)) for client, values in zip((real, sim), kept)]
        for path in ask.leave_out:
            for answer in got:
                without(answer, path)
        found += [f"{ask.about} ({ask.method} ..{ask.path[-60:]}) {line}" for line in (
            differences(*got) if got[0]["status"] == got[1]["status"] else
            [f"{got[0]['status']} {at(got[0], 'body.message')} is the real answer, "
             f"not {got[1]['status']} {at(got[1], 'body.message')}"])]
    return found
