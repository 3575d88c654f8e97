"""Peak memory and time of a scan of a large satellite pair: it must stay within 1 GB.

    python scripts/bench_satellite.py                 # 20,000 x 20,000 px, tiled and compressed
    python scripts/bench_satellite.py --striped       # strips of whole rows, as many exports are written
    python scripts/bench_satellite.py --size 6000     # a quick look

Both dates are generated in a temporary folder (about 1 GB on disk at full size) and scanned by `huoyan scan` in a
process of its own with the shipped change model. Printed are that process's peak resident memory, as the kernel
counts it, and its time. The exit code is 1 if the peak is above the limit.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.transform import from_origin
from rasterio.windows import Window

LIMIT_MB = 1000
BAND_PX = 512
GSD_M = 0.5


def main() -> int:
    """Generate, scan, print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--size", type=int, default=20_000, help="side of the pair in pixels")
    options.add_argument("--striped", action="store_true", help="strips instead of tiles")
    options.add_argument("--folder", type=Path, help="where to generate the pair; default a temporary folder")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        archive = Path(folder) / "archive"
        started = time.monotonic()
        for day, built in (("20260201", False), ("20260301", True)):
            write(archive / "satellite" / day / "place.tif", chosen.size, chosen.striped, built)
        disk = sum(path.stat().st_size for path in archive.rglob("*.tif")) / 1e6
        layout = "strips" if chosen.striped else "tiles"
        print(f"pair: 2 x {chosen.size} x {chosen.size} px, 3 bands, {layout}, {disk:.0f} MB on disk")
        print(f"generated in {time.monotonic() - started:.0f} s", flush=True)
        return report(archive, Path(folder) / "state")


def report(archive: Path, state: Path) -> int:
    """Scan in a process of its own and print what it took."""
    started = time.monotonic()
    # One thread, so that the figure does not depend on the number of cores.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "huoyan.cli.main", "scan", str(archive), "--state", str(state), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak = usage.ru_maxrss / 1024
    result = json.loads(done.stdout)
    cpu = usage.ru_utime + usage.ru_stime
    print(f"windows: {result['frames']}, detections: {result['detections']}, alerts: {result['alerts']}")
    print(f"skipped: {result['skipped'] or 'none'}; CPU seconds by step: {result['cpu_seconds']}")
    print(
        f"time: {time.monotonic() - started:.0f} s, CPU {cpu:.0f} s, {cpu / max(1, result['frames']):.2f} s a window"
    )
    print(f"peak resident memory: {peak:.0f} MB (limit {LIMIT_MB} MB)")
    return 0 if result["frames"] and peak <= LIMIT_MB else 1


def write(path: Path, size: int, striped: bool, built: bool) -> None:
    """A place of fields, roads and houses, written band by band; `built` adds a house to one field in seven."""
    path.parent.mkdir(parents=True, exist_ok=True)
    layout = {"blockysize": 8} if striped else {"tiled": True, "blockxsize": 256, "blockysize": 256}
    profile = {
        "driver": "GTiff",
        "width": size,
        "height": size,
        "count": 3,
        "dtype": "uint8",
        "crs": "EPSG:32651",
        "transform": from_origin(296_000, 3_265_000, GSD_M, GSD_M),
        "compress": "deflate",
        "zlevel": 1,
        "interleave": "pixel",
        **layout,
    }
    random = np.random.default_rng(5)
    ground = field(random)
    with rasterio.open(path, "w", **profile) as target:
        for row in range(0, size, BAND_PX):
            height = min(BAND_PX, size - row)
            strip = np.tile(ground, (1, -(-size // BAND_PX), 1))[:height, :size]
            if built:
                for col in range(row // BAND_PX % 7 * BAND_PX, size - 120, 7 * BAND_PX):
                    strip[60 : 60 + min(80, height), col + 40 : col + 110] = (206, 200, 194)
            target.write(np.moveaxis(strip, 2, 0), window=Window(0, row, size, height))


def field(random: np.random.Generator) -> npt.NDArray[np.uint8]:
    """A block of ground, uint8 (BAND_PX, BAND_PX, 3): fields with a grain, a road, a few roofs."""
    side = BAND_PX
    coarse = random.integers(70, 120, (8, 8, 3)).repeat(side // 8, axis=0).repeat(side // 8, axis=1)
    grain = random.integers(-12, 13, (side, side, 1))
    block = np.clip(coarse + grain, 0, 255).astype(np.uint8)
    block[:, 240:262] = 128
    for _ in range(6):
        y, x = random.integers(0, side - 60, 2)
        block[y : y + 40, x : x + 50] = random.integers(120, 220, 3)
    return block


if __name__ == "__main__":
    sys.exit(main())
