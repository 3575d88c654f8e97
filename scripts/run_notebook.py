"""Execute docs/tour.ipynb in place, so that its outputs are those of today's code and models.

    make notebook

The notebook is its own source: edit the cells, then run this. Pictures are kept small (JPEG), and nothing that
differs from run to run without meaning (times of execution, ids of cells) is written.
"""

from __future__ import annotations

import base64
import io
import os
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "docs" / "tour.ipynb"
LARGEST = 1_500_000
QUALITY = 82


def main() -> None:
    # tqdm, which supervision imports, complains in a kernel that no widgets are installed.
    os.environ["PYTHONWARNINGS"] = "ignore:IProgress not found"
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=1800,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(NOTEBOOK.parent)}},
    )
    client.execute()
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number:02d}"
        for output in cell.get("outputs", []):
            _shrink(output.get("data", {}))
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    nbformat.validate(notebook)
    text = nbformat.writes(notebook) + "\n"
    if len(text.encode()) > LARGEST:
        sys.exit(f"{NOTEBOOK.name} would take {len(text.encode())} bytes, more than {LARGEST}")
    NOTEBOOK.write_text(text, encoding="utf-8")
    print(f"{NOTEBOOK.relative_to(ROOT)}: {len(notebook.cells)} cells, {len(text.encode()) // 1024} KiB")


def _shrink(data: dict[str, Any]) -> None:
    """A PNG of a photograph as JPEG."""
    if "image/png" not in data:
        return
    picture = Image.open(io.BytesIO(base64.b64decode(data.pop("image/png")))).convert("RGB")
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=QUALITY, optimize=True)
    data["image/jpeg"] = base64.b64encode(out.getvalue()).decode()


if __name__ == "__main__":
    main()
