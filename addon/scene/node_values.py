"""What a shader node's input comes to, as far as glTF can say it: a factor, a picture, a colour attribute."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import cos, sin
from typing import Any, Final

import bpy

from .material_source import UNMOVED, Matrix

DEPTH_LIMIT: Final = 64
WHITE: Final = (1.0, 1.0, 1.0)
COLOR, ALPHA = "Color", "Alpha"
CHANNELS: Final = {"Red": 0, "Green": 1, "Blue": 2, "Alpha": 3}
WRAPS_BY_MATH: Final = {"ADD": "EXTEND", "PINGPONG": "MIRROR"}
"""How nodes wrap a UV where its two directions differ, as our own materials and those of glTF importers do."""


@dataclass(frozen=True)
class Placement:
    """Where a texture lies."""

    uv_layer: str = ""
    matrix: Matrix = UNMOVED


@dataclass(frozen=True)
class Picture:
    """An image as a texture node shows it."""

    image: bpy.types.Image
    channel: str = COLOR
    """Color, or one of `CHANNELS`."""
    wrap_u: str = "REPEAT"
    wrap_v: str = "REPEAT"
    placement: Placement = Placement()


@dataclass(frozen=True)
class NodeValue:
    """The product of what is there."""

    factor: tuple[float, ...] = WHITE
    """Three numbers"""
    picture: Picture | None = None
    color_layer: str = ""

    def times(self, other: NodeValue, node: Any) -> NodeValue:
        if (self.picture and other.picture) or (self.color_layer and other.color_layer):
            raise UnsupportedNode(node)
        red, green, blue = (a * b for a, b in zip(self.factor, other.factor, strict=True))
        return NodeValue((red, green, blue), self.picture or other.picture, self.color_layer or other.color_layer)


class UnsupportedNode(Exception):
    """`node` does something that glTF has no word for."""

    def __init__(self, node: Any) -> None:
        super().__init__(node.label or node.name)


def of_socket(socket: Any, groups: tuple[Any, ...] = (), depth: int = 0) -> NodeValue:
    """What reaches `socket`, an input of a node inside the group nodes `groups`. Raises `UnsupportedNode`."""
    link = next((link for link in socket.links if not link.is_muted and not link.from_node.mute), None)
    if link is None:
        return _constant(getattr(socket, "default_value", 0.0))
    node, output = link.from_node, link.from_socket
    if depth > DEPTH_LIMIT:
        raise UnsupportedNode(node)
    return _of_output(node, output, groups, depth + 1)


def _of_output(node: Any, output: Any, groups: tuple[Any, ...], depth: int) -> NodeValue:
    match node.type:
        case "REROUTE":
            return of_socket(node.inputs[0], groups, depth)
        case "RGB" | "VALUE":
            return _constant(output.default_value)
        case "TEX_IMAGE":
            return _of_texture(node, output, groups)
        case "VERTEX_COLOR" if output.name == COLOR:
            return NodeValue(color_layer=node.layer_name or "*")
        case "ATTRIBUTE" if node.attribute_type == "GEOMETRY" and output.name == COLOR:
            return NodeValue(color_layer=node.attribute_name)
        case "SEPARATE_COLOR" | "SEPRGB":
            return _of_channel(node, output, of_socket(node.inputs[0], groups, depth))
        case "MIX" | "MIX_RGB":
            return _of_mix(node, groups, depth)
        case "MATH" | "VECT_MATH" if node.operation == "MULTIPLY":
            first, second = (of_socket(socket, groups, depth) for socket in node.inputs[:2])
            return first.times(second, node)
        case "GROUP" if node.node_tree is not None:
            return of_socket(_inner_output(node, output), (*groups, node), depth)
        case "GROUP_INPUT" if groups:
            outer = next(socket for socket in groups[-1].inputs if socket.identifier == output.identifier)
            return of_socket(outer, groups[:-1], depth)
    raise UnsupportedNode(node)


def _constant(value: Any) -> NodeValue:
    if isinstance(value, int | float):
        return NodeValue((float(value),) * 3)
    red, green, blue = tuple(value)[:3]
    return NodeValue((red, green, blue))


def _inner_output(node: Any, output: Any) -> Any:
    """The input of a group's output node that a group node's `output` shows."""
    ends = [inner for inner in node.node_tree.nodes if inner.type == "GROUP_OUTPUT"]
    end = next((inner for inner in ends if inner.is_active_output), None)
    found = next((s for s in end.inputs if s.identifier == output.identifier), None) if end else None
    if found is None:
        raise UnsupportedNode(node)
    return found


def _of_texture(node: Any, output: Any, groups: tuple[Any, ...]) -> NodeValue:
    if node.image is None or node.projection != "FLAT":
        raise UnsupportedNode(node)
    placement, wraps = _placement(node.inputs["Vector"], groups, 0)
    own = "EXTEND" if node.extension == "CLIP" else node.extension
    wrap_u, wrap_v = wraps or (own, own)
    channel = ALPHA if output.name == ALPHA else COLOR
    return NodeValue(picture=Picture(node.image, channel, wrap_u, wrap_v, placement))


def _of_channel(node: Any, output: Any, whole: NodeValue) -> NodeValue:
    if output.name not in CHANNELS or getattr(node, "mode", "RGB") != "RGB":
        raise UnsupportedNode(node)
    if whole.color_layer or (whole.picture and whole.picture.channel != COLOR):
        raise UnsupportedNode(node)
    picture = replace(whole.picture, channel=output.name) if whole.picture else None
    return NodeValue((whole.factor[CHANNELS[output.name]],) * 3, picture)


def _of_mix(node: Any, groups: tuple[Any, ...], depth: int) -> NodeValue:
    kind = "Color" if node.type == "MIX_RGB" or node.data_type == "RGBA" else "Float"
    if node.type == "MIX" and node.data_type not in ("RGBA", "FLOAT"):
        raise UnsupportedNode(node)
    if node.type == "MIX_RGB":
        share, first, second = node.inputs[:3]
    else:
        names = ("Factor_Float", f"A_{kind}", f"B_{kind}")
        share, first, second = (next(s for s in node.inputs if s.identifier == name) for name in names)
    mixed = of_socket(share, groups, depth)
    if mixed.picture or mixed.color_layer:
        raise UnsupportedNode(node)
    weight = min(max(mixed.factor[0], 0.0), 1.0)
    blend = node.blend_type if kind == "Color" else "MIX"
    below = of_socket(first, groups, depth)
    if weight == 0.0:
        return below
    above = of_socket(second, groups, depth)
    if blend == "MIX" and weight == 1.0:
        return above
    if blend == "MULTIPLY" and weight == 1.0:
        return below.times(above, node)
    if above.picture or above.color_layer or (blend == "MIX" and (below.picture or below.color_layer)):
        raise UnsupportedNode(node)
    if blend == "MULTIPLY":
        red, green, blue = (1 - weight + weight * value for value in above.factor)
        return below.times(NodeValue((red, green, blue)), node)
    if blend != "MIX":
        raise UnsupportedNode(node)
    red, green, blue = (a + weight * (b - a) for a, b in zip(below.factor, above.factor, strict=True))
    return NodeValue((red, green, blue))


def _placement(socket: Any, groups: tuple[Any, ...], depth: int) -> tuple[Placement, tuple[str, str] | None]:
    """Where the vector that reaches `socket` puts a texture, and how nodes wrap it, if they do."""
    link = socket.links[0] if socket.links else None
    if link is None:
        return Placement(), None
    node = link.from_node
    if depth > DEPTH_LIMIT:
        raise UnsupportedNode(node)
    match node.type:
        case "REROUTE":
            return _placement(node.inputs[0], groups, depth + 1)
        case "UVMAP":
            return Placement(node.uv_map), None
        case "TEX_COORD" if link.from_socket.name == "UV":
            return Placement(), None
        case "ATTRIBUTE" if node.attribute_type == "GEOMETRY":
            return Placement(node.attribute_name), None
        case "GROUP_INPUT" if groups:
            outer = next(s for s in groups[-1].inputs if s.identifier == link.from_socket.identifier)
            return _placement(outer, groups[:-1], depth + 1)
        case "MAPPING" if node.vector_type in ("POINT", "TEXTURE"):
            inner, wraps = _placement(node.inputs["Vector"], groups, depth + 1)
            matrix = _after(_mapping(node), inner.matrix)
            a, b, _, c, d, _ = matrix
            if abs(a * b + c * d) > 1e-5 * (a * a + b * b + c * c + d * d):  # sheared: no rotation after a scaling
                raise UnsupportedNode(node)
            return replace(inner, matrix=matrix), wraps
        case "COMBXYZ":
            return _wrapped(node, groups, depth)
    raise UnsupportedNode(node)


def _wrapped(node: Any, groups: tuple[Any, ...], depth: int) -> tuple[Placement, tuple[str, str]]:
    wraps = []
    source = None
    for axis in ("X", "Y"):
        link = next(iter(node.inputs[axis].links), None)
        wrap = "REPEAT"
        if link is not None and link.from_node.type == "MATH" and link.from_node.operation in WRAPS_BY_MATH:
            wrap = WRAPS_BY_MATH[link.from_node.operation]
            link = next(iter(link.from_node.inputs[0].links), None)
        if link is None or link.from_node.type != "SEPXYZ" or link.from_socket.name != axis:
            raise UnsupportedNode(node)
        wraps.append(wrap)
        source = link.from_node.inputs[0]
    placement, _ = _placement(source, groups, depth + 1)
    return placement, (wraps[0], wraps[1])


def _mapping(node: Any) -> Matrix:
    """What a Mapping node does to a UV."""
    if any(node.inputs[name].links for name in ("Location", "Rotation", "Scale") if name in node.inputs):
        raise UnsupportedNode(node)
    x, y, _ = node.inputs["Location"].default_value
    width, height, _ = node.inputs["Scale"].default_value
    tilt_x, tilt_y, angle = node.inputs["Rotation"].default_value
    if abs(tilt_x) + abs(tilt_y) > 1e-6 or (node.vector_type == "TEXTURE" and not width * height):
        raise UnsupportedNode(node)
    c, s = cos(angle), sin(angle)
    if node.vector_type == "POINT":
        return c * width, -s * height, x, s * width, c * height, y
    # The inverse: moved back, turned back, divided by the scale.
    return c / width, s / width, -(c * x + s * y) / width, -s / height, c / height, (s * x - c * y) / height


def _after(outer: Matrix, inner: Matrix) -> Matrix:
    """`inner` first, then `outer`."""
    a, b, x, c, d, y = outer
    e, f, p, g, h, q = inner
    return a * e + b * g, a * f + b * h, a * p + b * q + x, c * e + d * g, c * f + d * h, c * p + d * q + y
