"""Write the JSON Schemas of the messages that a gate takes in into docs/schemas; a test keeps them true."""

from __future__ import annotations

import json
from pathlib import Path

from huoyan.gate import messages

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "schemas"


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, schema in messages.schemas().items():
        text = json.dumps(schema, ensure_ascii=False, indent=2) + "\n"
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(f"wrote {FOLDER / name}")


if __name__ == "__main__":
    main()
