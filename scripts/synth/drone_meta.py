"""EXIF and DJI XMP of the drone pictures, written so that the metadata alone lead back to the truth."""

from __future__ import annotations

import datetime as dt
import io

import geo
import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import IFDRational
from shots import DRONE_FOCAL_35MM, FULL_FRAME_DIAGONAL_MM, Shot

#: Diagonal of the modelled sensor, mm (4:3, 1/1.3 inch).
SENSOR_DIAGONAL_MM = 12.0
XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="DJI Meta Data"
    xmlns:tiff="http://ns.adobe.com/tiff/1.0/"
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:drone-dji="http://www.dji.com/drone-dji/1.0/"
{fields}/>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""


def _half_turn(degrees: float) -> float:
    return (degrees + 180) % 360 - 180


def xmp_fields(shot: Shot) -> dict[str, str]:
    """DJI's tags. Yaw angles are clockwise from true north; the picture's own yaw is from grid north."""
    lon, lat = geo.to_lonlat(*shot.at[:2])
    yaw = _half_turn(shot.yaw + geo.grid_convergence_deg())
    return {
        "tiff:Make": "DJI",
        "tiff:Model": "SYNTHETIC",
        "xmp:CreateDate": shot.time.isoformat(),
        "drone-dji:AltitudeType": "RtkAlt",
        "drone-dji:GpsStatus": "RTK",
        "drone-dji:GpsLatitude": f"{lat:+.8f}",
        "drone-dji:GpsLongitude": f"{lon:+.8f}",
        "drone-dji:AbsoluteAltitude": f"{geo.GROUND_ELEVATION_M + shot.at[2]:+.3f}",
        "drone-dji:RelativeAltitude": f"{shot.at[2]:+.3f}",
        "drone-dji:GimbalRollDegree": "+0.00",
        "drone-dji:GimbalYawDegree": f"{yaw:+.2f}",
        "drone-dji:GimbalPitchDegree": f"{shot.pitch:+.2f}",
        "drone-dji:FlightRollDegree": "-1.10",
        "drone-dji:FlightYawDegree": f"{_half_turn(yaw + 1.4):+.2f}",
        "drone-dji:FlightPitchDegree": "-3.20",
        "drone-dji:FlightXSpeed": "+0.0",
        "drone-dji:FlightYSpeed": "+0.0",
        "drone-dji:FlightZSpeed": "+0.0",
        "drone-dji:CamReverse": "0",
        "drone-dji:GimbalReverse": "0",
        "drone-dji:RtkFlag": "50",
        "drone-dji:CalibratedFocalLength": f"{shot.focal():.6f}",
        "drone-dji:CalibratedOpticalCenterX": f"{shot.size[0] / 2:.6f}",
        "drone-dji:CalibratedOpticalCenterY": f"{shot.size[1] / 2:.6f}",
    }


def _dms(degrees: float) -> tuple[IFDRational, IFDRational, IFDRational]:
    whole = abs(degrees)
    minutes = (whole % 1) * 60
    return (
        IFDRational(int(whole)),
        IFDRational(int(minutes)),
        IFDRational(round((minutes % 1) * 60 * 10**5), 10**5),
    )


def exif(shot: Shot) -> Image.Exif:
    """EXIF with time and offset, position, focal length and its 35 mm equivalent (by diagonal)."""
    lon, lat = geo.to_lonlat(*shot.at[:2])
    clock, zone = f"{shot.time:%Y:%m:%d %H:%M:%S}", f"{shot.time:%z}"
    zone = f"{zone[:3]}:{zone[3:]}"
    out = Image.Exif()
    out.update(
        {
            0x010E: "synthetic picture, rendered by scripts/synth",
            0x010F: "DJI",
            0x0110: "SYNTHETIC",
            0x0112: 1,
            0x0131: "huoyan scripts/synth",
            0x0132: clock,
        }
    )
    focal = DRONE_FOCAL_35MM * SENSOR_DIAGONAL_MM / FULL_FRAME_DIAGONAL_MM
    out.get_ifd(0x8769).update(
        {
            0x829A: IFDRational(1, 800),
            0x829D: IFDRational(28, 10),
            0x8827: 100,
            0x9003: clock,
            0x9004: clock,
            0x9010: zone,
            0x9011: zone,
            0x9012: zone,
            0x920A: IFDRational(round(focal * 1000), 1000),
            0xA405: DRONE_FOCAL_35MM,
            0xA002: shot.size[0],
            0xA003: shot.size[1],
        }
    )
    utc = shot.time.astimezone(dt.UTC)
    out.get_ifd(0x8825).update(
        {
            0: b"\x02\x03\x00\x00",
            1: "N" if lat >= 0 else "S",
            2: _dms(lat),
            3: "E" if lon >= 0 else "W",
            4: _dms(lon),
            5: b"\x00",
            6: IFDRational(round((geo.GROUND_ELEVATION_M + shot.at[2]) * 1000), 1000),
            7: (IFDRational(utc.hour), IFDRational(utc.minute), IFDRational(utc.second)),
            0x12: "WGS-84",
            0x1D: f"{utc:%Y:%m:%d}",
        }
    )
    return out


def jpeg(rgb: np.ndarray, shot: Shot, quality: int = 85) -> bytes:
    """The picture as a JPEG with EXIF and an XMP segment behind it."""
    held = io.BytesIO()
    Image.fromarray(rgb).save(held, "JPEG", quality=quality, exif=exif(shot))
    data = held.getvalue()
    fields = "\n".join(f'    {key}="{value}"' for key, value in xmp_fields(shot).items())
    body = b"http://ns.adobe.com/xap/1.0/\x00" + XMP.format(fields=fields).encode()
    segment = b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body
    first = data.find(b"\xff\xe1")  # the EXIF segment; XMP follows it
    end = first + 2 + int.from_bytes(data[first + 2 : first + 4], "big")
    return data[:end] + segment + data[end:]
