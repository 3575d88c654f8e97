"""The live cameras of the sample county: its stills as films that a camera could send (H.264, 640x360, 25 a second).

    .venv/bin/python scripts/synth/make_live.py data_samples

Each still stands for some seconds and fades into the next; sensor noise and a key frame every two seconds make it a
camera's stream. Served in a loop (scripts/serve_rtsp.py) a site grows from a field to a shell every two minutes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

SIZE = (640, 360)
RATE, GROUP = 25, 50
STANDS_S, FADES_S = 15, 1
NOISE = 2.0
"""Standard deviation of the noise, in grey levels."""
_REPEATED = 5
"""Pictures that share one noise: new noise in each would be most of the file."""


def pictures(stills: list[Path]) -> Iterator[Any]:
    """Frames as uint8 (height, width, 3), RGB."""
    rng = np.random.default_rng(7)
    images = []
    for path in stills:
        image = cv2.imread(str(path))
        if image is None:
            raise SystemExit(f"{path} cannot be read; render the samples first")
        small = cv2.resize(image, SIZE, interpolation=cv2.INTER_AREA)
        images.append(cv2.cvtColor(small, cv2.COLOR_BGR2RGB).astype(np.float32))
    noise = np.zeros(images[0].shape, np.float32)
    count = 0
    for index, image in enumerate(images):
        after = images[(index + 1) % len(images)]
        for frame in range(RATE * (STANDS_S + FADES_S)):
            if count % _REPEATED == 0:
                noise = rng.normal(0, NOISE, (*image.shape[:2], 1)).astype(np.float32)
            share = max(0.0, (frame - RATE * STANDS_S) / (RATE * FADES_S))
            yield np.clip(image * (1 - share) + after * share + noise, 0, 255).astype(np.uint8)
            count += 1


def write(path: Path, stills: list[Path]) -> None:
    """Encode the stills of a camera."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        # No pictures that lean on later ones, as cameras send it.
        stream.options = {"crf": "30", "preset": "slow", "bf": "0", "sc_threshold": "0"}
        stream.gop_size = GROUP
        for image in pictures(stills):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        container.mux(stream.encode(None))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("samples", type=Path, help="folder of the sample county")
    samples = parser.parse_args().samples
    for folder in sorted((samples / "archive" / "camera").iterdir()):
        if folder.is_dir():
            write(samples / "live" / f"{folder.name}.mp4", sorted(folder.glob("*.jpg")))


if __name__ == "__main__":
    main()
