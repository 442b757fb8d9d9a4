"""Parses XML transcripts."""

import re
from xml.etree import ElementTree as ET

from stages.errors import TextError

_DECLARED = re.compile(r"^\s*<\?xml[^>]*\?>")


def parse_xml(text: str, root: str, what: str) -> ET.Element:
    """Returns the root element.

    Args:
        text: The file's text.
        root: The name that the root element must have, without namespace.
        what: The format, for the message.

    Raises:
        TextError: if it isn't XML, or has another root.
    """
    try:
        # Bytes, because a text may declare an encoding that it no longer has. expat itself limits entities.
        element = ET.fromstring(_DECLARED.sub("", text, count=1).encode("utf-8", "replace"))
    except ET.ParseError as error:
        raise TextError(f"must be {what}, but isn't XML: {error}. Export it again.") from error
    if local(element.tag) != root:
        raise TextError(
            f"must be {what}, with `<{root}>` around it, but has `<{local(element.tag)}>`. Export it again."
        )
    return element


def local(name: str) -> str:
    """Returns the name of an element or attribute without its namespace."""
    return name.rpartition("}")[2]


def attribute(element: ET.Element, name: str) -> str:
    """Returns an attribute, whatever its namespace; "" if there is none."""
    return next((value for key, value in element.attrib.items() if local(key) == name), "")
