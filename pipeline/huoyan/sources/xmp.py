"""DJI's fields in an XMP packet."""

from __future__ import annotations

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from huoyan.errors import BadMetadata

_RDF = b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'


def dji_fields(packet: bytes) -> dict[str, str]:
    """The fields of DJI's namespace by local name, as written (`+12.30`); attributes and elements alike.

    Args:
        packet: the XMP packet, with or without its `<?xpacket?>` wrapping and padding.

    Raises:
        BadMetadata: there are such fields, but the packet is not well-formed XML.
    """
    if b"drone-dji" not in packet and b"dji.com/drone" not in packet:
        return {}
    start = min((at for tag in (b"<x:xmpmeta", b"<rdf:RDF") if (at := packet.find(tag)) >= 0), default=-1)
    end = max(packet.rfind(tag) + len(tag) for tag in (b"</x:xmpmeta>", b"</rdf:RDF>"))
    text = packet[max(start, 0) : end]
    if text.startswith(b"<rdf:RDF") and b"xmlns:rdf" not in text:
        # Without its x:xmpmeta wrapping the prefix may be declared nowhere.
        text = text.replace(b"<rdf:RDF", b"<rdf:RDF " + _RDF, 1)
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, DefusedXmlException, ValueError) as error:
        raise BadMetadata(
            f"the XMP packet is damaged, its angles and heights are not used: {error}", code="bad_xmp"
        ) from error
    found: dict[str, str] = {}
    for element in root.iter():
        for key, value in [*element.attrib.items(), (element.tag, element.text or "")]:
            space, _, name = key.rpartition("}")
            if "dji.com/drone" in space and value.strip():
                found[name] = value.strip()
    return found
