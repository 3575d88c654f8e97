"""Pictures, videos and rasters made on the spot: seeded, small, each with exactly one thing to look at."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
import rasterio
from affine import Affine
from PIL import Image as Pil

from huoyan import config
from huoyan.records import Frame, Image, Skip
from huoyan.sources import Discovered, discover

ORIGINAL, OFFSET, SUBSEC, MODIFIED, ORIENTATION = 0x9003, 0x9011, 0x9291, 0x0132, 0x0112
XMP = b"http://ns.adobe.com/xap/1.0/\x00"
GIMBAL = {
    "RelativeAltitude": "+80.00",
    "AbsoluteAltitude": "+120.50",
    "GpsLatitude": "+29.500100",
    "GpsLongitude": "+120.900200",
    "GimbalYawDegree": "+30.00",
    "GimbalPitchDegree": "-60.00",
    "GimbalRollDegree": "+0.00",
    "FlightYawDegree": "+55.00",
}


def texture(width: int, height: int, seed: int = 0) -> Image:
    """A picture with structure at every scale, as a photo has."""
    random = np.random.default_rng(seed)
    image = np.zeros((height, width, 3), np.float32)
    for cells in (4, 16, 64):
        noise = random.random((cells, cells, 3), dtype=np.float32)
        image += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(image * 85, 0, 255), dtype=np.uint8)


def save_jpeg(
    path: Path,
    size: tuple[int, int] = (64, 48),
    *,
    seed: int = 0,
    tags: dict[int, Any] | None = None,
    details: dict[int, Any] | None = None,
    thumbnail: bytes = b"",
    xmp: bytes = b"",
) -> Path:
    """A JPEG with EXIF `tags`, tags of its EXIF block (`details`), and an XMP packet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Pil.Exif()
    exif.update(tags or {})
    if details:
        exif.get_ifd(0x8769).update(details)
    Pil.fromarray(texture(*size, seed=seed)).save(path, "JPEG", quality=90, exif=exif, subsampling=0)
    data = path.read_bytes()
    for body in (thumbnail, XMP + xmp if xmp else b""):
        if body:
            segment = b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body
            data = data[:2] + segment + data[2:]
    path.write_bytes(data)
    return path


def dji_packet(fields: dict[str, str]) -> bytes:
    """An XMP packet as DJI's cameras write it."""
    told = "\n".join(f'   drone-dji:{name}="{value}"' for name, value in fields.items())
    return f"""<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="DJI Meta Data"
   xmlns:drone-dji="http://www.dji.com/drone-dji/1.0/"
{told}>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>""".encode()


def save_video(
    path: Path,
    moments_ms: Sequence[int],
    *,
    size: tuple[int, int] = (96, 64),
    codec: str = "libx264",
    group: int = 10,
    created: str | None = None,
) -> Path:
    """A video whose frames lie at `moments_ms`; each shows its number as brightness."""
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"bf": "2"} if codec == "libx264" else {}
    with av.open(str(path), "w", options={"movflags": "+faststart"} if path.suffix == ".mp4" else {}) as out:
        if created:
            out.metadata["creation_time"] = created
        stream = out.add_stream(codec, rate=25, options=options)
        stream.width, stream.height = size
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.gop_size = group
        stream.codec_context.time_base = Fraction(1, 1000 if path.suffix in (".mp4", ".mkv") else 25)
        for number, moment in enumerate(moments_ms):
            image = texture(*size, seed=1) // 2 + np.uint8(5 + number % 100)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.time_base = stream.codec_context.time_base
            frame.pts = round(moment / 1000 / frame.time_base)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


def save_raster(
    path: Path,
    bands: npt.NDArray[Any],
    *,
    crs: str | None = "EPSG:32651",
    transform: Any = None,
    nodata: float | None = None,
    **options: Any,
) -> Path:
    """A GeoTIFF of `bands` (count, height, width); by default 0.5 m pixels in UTM 51 N."""
    path.parent.mkdir(parents=True, exist_ok=True)
    place = transform or Affine(0.5, 0.0, 330_000.0, 0.0, -0.5, 3_265_000.0)
    count, height, width = bands.shape
    profile = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": bands.dtype}
    with rasterio.open(path, "w", **profile, crs=crs, transform=place, nodata=nodata, **options) as out:
        out.write(bands)
    return path


def found_in(archive: Path, **settings: Any) -> Discovered:
    """What discovery finds in an archive; `settings` are keys of the configuration."""
    made = config.Config.model_validate({"archive": archive, **settings})
    return discover(config.LoadedConfig(made, archive, None, ""))


def looked_at(found: Discovered) -> tuple[list[tuple[Frame, Image]], list[Skip]]:
    """Every frame with its pixels, and all skips: of discovery, of units, and of pixels."""
    frames, skips = [], list(found.skips)
    for unit in found.units:
        for one in unit.frames():
            if isinstance(one, Skip):
                skips.append(one)
                continue
            frames.append((one, one.image()))
    return frames, skips
