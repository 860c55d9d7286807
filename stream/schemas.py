"""JSON Schemas of every message, generated from the types that encode and decode them.

``python -m stream.schemas DIRECTORY`` writes them; a copy is shipped in
``docs/reference/messages``.
"""

import argparse
import inspect
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from ecg.alarm import AlarmEvent
from stream.messages import (
    VERSION,
    ActionMessage,
    AlarmMessage,
    AlarmState,
    DeadLetter,
    EpochMessage,
    FindingsMessage,
    PatientMessage,
    RoleMessage,
    ScoreState,
    TrendMessage,
    Waveform,
)

TYPES: dict[str, type] = {
    "waveform": Waveform,
    "findings": FindingsMessage,
    "alarm": AlarmMessage,
    "alarm-event": AlarmEvent,
    "action": ActionMessage,
    "patient": PatientMessage,
    "trend": TrendMessage,
    "role": RoleMessage,
    "epoch": EpochMessage,
    "score-state": ScoreState,
    "alarm-state": AlarmState,
    "dead-letter": DeadLetter,
}
"""Every message by the name of its schema; the waveform is MessagePack of the same shape."""


def schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON Schema (2020-12) of each message, by name.

    Examples
    --------
    >>> schemas()["alarm-event"]["$id"]
    'urn:rhythmwatch:schema:alarm-event:1'
    """
    return {
        name: {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": f"urn:rhythmwatch:schema:{name}:{VERSION}",
            **_clean(msgspec.json.schema(kind)),
        }
        for name, kind in TYPES.items()
    }


def _clean(part: Any) -> Any:
    """Return a schema with its descriptions as they read, not as they are indented."""
    if isinstance(part, list):
        return [_clean(one) for one in part]
    if not isinstance(part, dict):
        return part
    return {
        key: inspect.cleandoc(value)
        if key == "description" and isinstance(value, str)
        else _clean(value)
        for key, value in part.items()
    }


def files() -> dict[str, str]:
    """Return the file name and text of each schema, as they are shipped."""
    return {
        f"{name}.schema.json": json.dumps(schema, indent=2, sort_keys=True) + "\n"
        for name, schema in schemas().items()
    }


def write(directory: Path) -> list[Path]:
    """Write the schemas into a directory; return the files."""
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in files().items():
        path = directory / name
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def main(words: Sequence[str] | None = None) -> None:
    """Write the schemas into the directory that the command line names."""
    parser = argparse.ArgumentParser(
        prog="python -m stream.schemas", description="Write the JSON Schema of every message."
    )
    parser.add_argument("directory", type=Path, help="where the files go; it is made")
    write(parser.parse_args(words).directory)


if __name__ == "__main__":
    main()
