"""gardenlet's wait for an extension object, condition by condition in its order (gardener 6.2). What it says ends a Shoot's operation."""

from __future__ import annotations

import re
from datetime import datetime, timezone

from .shoot import OPERATION, TIMESTAMP


def whole_second(stamp: str) -> datetime:
    """An RFC 3339 time with up to nine digits after the point, truncated to the second."""
    m = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", stamp)
    if not m:
        raise ValueError(stamp)
    return datetime.fromisoformat(m[1] + m[3].replace("Z", "+00:00")).astimezone(timezone.utc)


def not_ready(obj: dict, written: str | None = None) -> str:
    """Why the object is not ready, in gardenlet's words; "" when it is. written: the timestamp annotation that gardenlet wrote."""
    meta, status = obj["metadata"], obj.get("status") or {}
    annotations, last = meta.get("annotations") or {}, status.get("lastOperation")
    if written is not None and annotations.get(TIMESTAMP) != written:
        return f"object's annotation {TIMESTAMP} is {annotations.get(TIMESTAMP)}, not the {written} that was written"
    if status.get("lastError"):
        return f"error during reconciliation: {status['lastError'].get('description')}"
    if status.get("observedGeneration") != meta.get("generation"):
        return f"observed generation outdated ({status.get('observedGeneration')}/{meta.get('generation')})"
    if OPERATION in annotations:
        return f"gardener operation {annotations[OPERATION]!r} is not yet picked up"
    if not last:
        return "did not record a last operation yet"
    if last.get("state") != "Succeeded":
        return f"extension state is not succeeded but {last.get('state')}"
    if TIMESTAMP in annotations:
        try:
            asked = whole_second(annotations[TIMESTAMP])
        except ValueError:
            return f"the timestamp {annotations[TIMESTAMP]!r} cannot be read"
        if asked > whole_second(last["lastUpdateTime"]):
            return f"last operation of {last['lastUpdateTime']} is older than the timestamp annotation: not reconciled yet"
    return ""
