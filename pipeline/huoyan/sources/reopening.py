"""Reading a frame's pixels again, from the little that is kept of it."""

from __future__ import annotations

from typing import Literal

from huoyan.errors import SourceError
from huoyan.records import FrameRef, Image


def reopen(ref: FrameRef, role: Literal["now", "before"] = "now") -> Image:
    """The pixels of a frame as *look* saw them: uint8 (height, width, 3), RGB.

    Args:
        ref: of a frame that a source gave; its file must still be there.
        role: `before` for the earlier date of a satellite pair.

    Raises:
        SourceError: the file is gone or damaged, or the frame has no earlier date.
    """
    if "window" in ref.locator:
        from huoyan.sources.satellite import read_ref

        if role == "before" and "before" not in ref.locator:
            raise SourceError("has no earlier date", subject=ref.path, code="no_before")
        return read_ref(ref, role)
    if role == "before":
        raise SourceError("has no earlier date", subject=ref.path, code="no_before")
    if "pts" in ref.locator:
        from huoyan.sources.decoding import decode_one

        return decode_one(ref.path, int(ref.locator["pts"]), int(ref.locator["key"]))
    from huoyan.sources.stills import decode

    return decode(ref.path)
