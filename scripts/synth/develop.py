"""From a clean render to what a camera delivers: blur, noise, on-screen text, JPEG or GeoTIFF. No Blender."""

from __future__ import annotations

import datetime as dt
import functools
from pathlib import Path

import drone_meta
import geo
import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from shots import Shot

WEEKDAYS = "一二三四五六日"


def as_sensor(rgb: np.ndarray, shot: Shot, rng: np.random.Generator) -> np.ndarray:
    """Blur, sharpening, vignetting (haze from space), shot and read noise; uint8 in and out."""
    blur = {"ortho": 0.8, "pole": 0.6, "drone": 0.5}[shot.kind]
    picture = Image.fromarray(rgb).filter(ImageFilter.GaussianBlur(blur))
    if shot.kind == "pole":  # cheap cameras sharpen what they blurred
        picture = picture.filter(ImageFilter.UnsharpMask(radius=1.6, percent=70, threshold=2))
    x = np.asarray(picture).astype(np.float32)
    if shot.kind == "ortho":
        x = (20 + x * 0.88) if shot.weather == "hazy" else (10 + x * 0.95)
    else:
        yy, xx = np.mgrid[-1 : 1 : x.shape[0] * 1j, -1 : 1 : x.shape[1] * 1j]
        x *= (1 - 0.12 * (xx**2 + yy**2))[..., None]
    noise = {"ortho": 0.035, "pole": 0.06, "drone": 0.03}[shot.kind]
    grain = rng.normal(size=x.shape) * np.sqrt(1.5 + x * noise)
    return np.clip(x + grain, 0, 255).astype(np.uint8)


def stamp(rgb: np.ndarray, shot: Shot, title: str, font: Path | None) -> np.ndarray:
    """Time and camera name on pictures of pole cameras; untouched when there is no font."""
    return rgb if font is None or shot.kind != "pole" else caption(rgb, shot.time, title, font)


@functools.cache
def _face(font: Path, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(font), size)


def caption(rgb: np.ndarray, t: dt.datetime, title: str, font: Path) -> np.ndarray:
    """Time and camera name as fixed cameras write them into the picture."""
    picture = Image.fromarray(rgb)
    unit = picture.height / 720
    pen, face = ImageDraw.Draw(picture), _face(font, round(26 * unit))
    clock = f"{t:%Y}年{t:%m}月{t:%d}日 星期{WEEKDAYS[t.weekday()]} {t:%H:%M:%S}"
    style = {"font": face, "fill": (250, 250, 250), "stroke_width": 1, "stroke_fill": (25, 25, 25)}
    pen.text((22 * unit, 14 * unit), clock, **style)
    wide, high = picture.size
    pen.text((wide - 24 * unit - pen.textlength(title, font=face), high - 48 * unit), title, **style)
    return np.asarray(picture)


def save(rgb: np.ndarray, shot: Shot, archive: Path) -> Path:
    """Writes the picture under its archive path and returns that path."""
    path = archive / (shot.name + shot.suffix)
    path.parent.mkdir(parents=True, exist_ok=True)
    if shot.kind == "pole":
        Image.fromarray(rgb).save(path, quality=78)
    elif shot.kind == "drone":
        path.write_bytes(drone_meta.jpeg(rgb, shot))
    else:
        _save_raster(rgb, shot, path)
    return path


def _save_raster(rgb: np.ndarray, shot: Shot, path: Path) -> None:
    import rasterio
    from rasterio.transform import from_origin

    (width, height), gsd = shot.size, shot.gsd
    west, north = geo.to_map(shot.at[0] - width * gsd / 2, shot.at[1] + height * gsd / 2)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=width,
        height=height,
        count=3,
        dtype="uint8",
        crs=geo.CRS,
        transform=from_origin(west, north, gsd, gsd),
        compress="deflate",
        predictor=2,
        photometric="RGB",
    ) as out:
        out.write(rgb.transpose(2, 0, 1))
        out.update_tags(
            TIFFTAG_DATETIME=f"{shot.time:%Y:%m:%d %H:%M:%S}", TIFFTAG_SOFTWARE="huoyan scripts/synth"
        )
