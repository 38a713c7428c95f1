"""Blender's materials as what glTF can say of them; what it cannot say is told, and what stands in for it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import bpy

from .material_source import Channel, Composite, MaterialSource, TextureSource
from .node_values import ALPHA, CHANNELS, COLOR, NodeValue, Picture, UnsupportedNode, of_socket
from .pixels import Pixels
from .read_image import image_behind, read_pixels

SENT_AS_IS: Final = {"PNG", "JPEG"}
LINEAR_SPACES: Final = {"Non-Color", "Linear", "Linear Rec.709", "Raw", "Generic Data"}
OTHER_SHADERS: Final = {"BSDF_DIFFUSE", "BSDF_GLOSSY", "BSDF_METALLIC", "BSDF_SHEEN", "BSDF_TRANSLUCENT"}
BLACK: Final = (0.0, 0.0, 0.0, 1.0)
SIMPLE: Final = {"BSDF_DIFFUSE": (0.0, 1.0), "BSDF_GLOSSY": (1.0, 0.5), "BSDF_METALLIC": (1.0, 0.5)}
"""Metalness and roughness of shaders that have no such inputs."""


class MaterialReader:
    """Reads the materials of one request; pictures that materials share are read once."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self._files: dict[Hashable, Any] = {}
        self._pixels: dict[str, Pixels] = {}
        self._name = ""
        self._groups: tuple[Any, ...] = ()

    def read(self, material: bpy.types.Material | None) -> MaterialSource:
        if material is None:
            return MaterialSource()
        self._name = material.name
        look = replace(
            MaterialSource(material.name[:60]),
            double_sided=not material.use_backface_culling,
            base_color=(*_unit(tuple(material.diffuse_color)[:3]), 1.0),
            metallic=material.metallic,
            roughness=material.roughness,
        )
        shader, self._groups = _shader(material)
        if shader is None:
            if material.node_tree and material.node_tree.nodes:
                self._warn("has no Principled BSDF; its colour in the viewport is used")
        elif shader.type == "EMISSION":
            look = self._glowing(replace(look, base_color=BLACK), shader, "Color", "Strength")
        elif shader.type == "BSDF_PRINCIPLED":
            look = self._base_color(look, shader)
            look = self._metallic_roughness(look, shader)
            look = self._normal(look, shader)
            look = self._glowing(look, shader, "Emission Color", "Emission Strength")
        else:
            look = self._simple(look, shader)
        if len({texture.uv_layer for texture in look.textures} - {""}) > 1:
            self._warn("Its textures lie on more UV maps than two; the last ones are put on the second")
        return look

    def _simple(self, look: MaterialSource, shader: Any) -> MaterialSource:
        metallic, roughness = SIMPLE.get(shader.type, (0.0, 1.0))
        color = self._value(shader, "Color")
        if "Roughness" in shader.inputs and shader.type != "BSDF_DIFFUSE":
            roughness = self._value(shader, "Roughness").factor[0]
        return replace(
            look,
            base_color=(*_unit(color.factor), 1.0),
            metallic=metallic,
            roughness=roughness,
            color_layer=color.color_layer,
            base_color_texture=self._color_texture(color.picture),
        )

    def _base_color(self, look: MaterialSource, shader: Any) -> MaterialSource:
        color = self._value(shader, "Base Color")
        cutoff, alpha = self._alpha(shader)
        opacity = min(max(alpha.factor[0], 0.0), 1.0)
        mode = "OPAQUE"
        if alpha.picture is not None or opacity < 1.0:
            mode = "BLEND" if cutoff is None else "MASK"
        return replace(
            look,
            base_color=(*_unit(color.factor), opacity),
            color_layer=color.color_layer,
            alpha_mode=mode,
            alpha_cutoff=0.5 if cutoff is None else min(max(cutoff, 0.0), 1.0),
            base_color_texture=self._color_and_alpha(color.picture, alpha.picture),
        )

    def _alpha(self, shader: Any) -> tuple[float | None, NodeValue]:
        """The cutoff, where nodes make the transparency a matter of yes or no, and what is cut off."""
        socket = shader.inputs["Alpha"]
        node = socket.links[0].from_node if socket.links else None
        if node is None or node.type != "MATH":
            return None, self._value(shader, "Alpha")
        if node.operation == "ROUND":
            return 0.5, self._value(shader, "Alpha", node.inputs[0])
        if node.operation == "GREATER_THAN" and not node.inputs[1].links:
            return node.inputs[1].default_value, self._value(shader, "Alpha", node.inputs[0])
        below = node.inputs[1].links[0].from_node if node.inputs[1].links else None
        inverted = node.operation == "SUBTRACT" and not node.inputs[0].links and node.inputs[0].default_value == 1.0
        if inverted and below is not None and below.type == "MATH" and below.operation == "LESS_THAN":
            return below.inputs[1].default_value, self._value(shader, "Alpha", below.inputs[0])
        return None, self._value(shader, "Alpha")

    def _color_and_alpha(self, color: Picture | None, alpha: Picture | None) -> TextureSource | None:
        if alpha is None:
            return self._color_texture(color)
        if color is not None and color.image == alpha.image and (color.channel, alpha.channel) == (COLOR, ALPHA):
            return self._color_texture(color)
        channels = [None if color is None else self._channel(color, index) for index in range(3)]
        return self._composite([*channels, self._number(alpha)], color or alpha)

    def _color_texture(self, picture: Picture | None) -> TextureSource | None:
        if picture is None:
            return None
        if picture.channel != COLOR:
            return self._composite([self._channel(picture, 0)] * 3, picture)
        return self._texture(picture, is_color=True)

    def _metallic_roughness(self, look: MaterialSource, shader: Any) -> MaterialSource:
        metallic, roughness = self._value(shader, "Metallic"), self._value(shader, "Roughness")
        look = replace(look, metallic=_unit(metallic.factor)[0], roughness=_unit(roughness.factor)[0])
        blue, green = metallic.picture, roughness.picture
        one = blue or green
        if one is None:
            return look
        packed = blue is not None and green is not None and replace(blue, channel="Green") == green
        if packed and one.channel == "Blue" and one.image.colorspace_settings.name in LINEAR_SPACES:
            texture = self._texture(one, is_color=False)
        else:
            if blue and green and blue.placement != green.placement:
                self._warn("Roughness and metalness lie on different UVs; both are put on those of the metalness")
            texture = self._composite([None, green and self._number(green), blue and self._number(blue)], one)
        return replace(look, metallic_roughness_texture=texture)

    def _normal(self, look: MaterialSource, shader: Any) -> MaterialSource:
        socket = shader.inputs["Normal"]
        if not socket.links:
            return look
        node = socket.links[0].from_node
        while node.type == "REROUTE" and node.inputs[0].links:
            node = node.inputs[0].links[0].from_node
        if node.type != "NORMAL_MAP" or node.space != "TANGENT":
            self._warn(f'the node "{node.label or node.name}" behind Normal is left out')
            return look
        value = self._value(node, "Color")
        if value.picture is None or value.picture.channel != COLOR:
            return look
        strength = node.inputs["Strength"]
        if strength.links:
            self._warn("the strength of the normal map is taken as 1")
        scale = 1.0 if strength.links else strength.default_value
        picture = value.picture
        if not picture.placement.uv_layer and node.uv_map:
            picture = replace(picture, placement=replace(picture.placement, uv_layer=node.uv_map))
        return replace(look, normal_texture=self._texture(picture, is_color=False), normal_scale=scale)

    def _glowing(self, look: MaterialSource, shader: Any, color: str, strength: str) -> MaterialSource:
        power = max(self._value(shader, strength).factor[0], 0.0)
        if power == 0.0:
            return look
        glow = self._value(shader, color)
        emissive = tuple(max(value, 0.0) * power for value in glow.factor)
        return replace(look, emissive=emissive, emissive_texture=self._color_texture(glow.picture))

    def _value(self, shader: Any, name: str, socket: Any = None) -> NodeValue:
        """What reaches an input; where nodes compute it, the picture behind them, or the input's own value."""
        own = shader.inputs[name]
        try:
            return of_socket(own if socket is None else socket, self._groups)
        except UnsupportedNode as error:
            image = image_behind(own)
            if image is not None:
                self._warn(f'{name}: the node "{error}" is left out, and the image "{image.name}" used as it is')
                return NodeValue(picture=Picture(image))
            value = own.default_value
            shown = f"{value:.3g}" if isinstance(value, float) else "its colour"
            self._warn(f'{name}: the node "{error}" cannot be encoded, {shown} is used. Bake it to an image first')
            return NodeValue((value,) * 3 if isinstance(value, float) else tuple(value)[:3])

    def _texture(self, picture: Picture, is_color: bool) -> TextureSource:
        return self._source((picture.image.name_full, is_color), lambda: self._file(picture.image, is_color), picture)

    def _source(self, key: Hashable, make: Callable[[], Any], like: Picture) -> TextureSource:
        """The texture of a picture that is made only once, placed and wrapped like `like`."""
        if key not in self._files:
            self._files[key] = make()
        placed = like.placement
        return TextureSource(self._files[key], like.wrap_u, like.wrap_v, placed.uv_layer, placed.matrix)

    def _file(self, image: bpy.types.Image, is_color: bool) -> Path | bytes | Pixels:
        """A file that says the same as the image, or the image's pixels."""
        as_stored = not image.is_float and (not is_color or image.colorspace_settings.name not in LINEAR_SPACES)
        if as_stored and image.source == "FILE" and not image.is_dirty and image.file_format in SENT_AS_IS:
            if image.packed_file:
                return bytes(image.packed_file.data)
            file = Path(bpy.path.abspath(image.filepath, library=image.library))
            if file.is_file():
                return file
        pixels = self._read(image)
        return replace(pixels, is_linear=is_color and not as_stored)

    def _channel(self, picture: Picture, index: int) -> Channel:
        """The channel `index` of a colour, stored as sRGB."""
        number = CHANNELS.get(picture.channel, index)
        return Channel(self._read(picture.image), number)

    def _number(self, picture: Picture) -> Channel:
        """A picture as a plain number."""
        space = picture.image.colorspace_settings.name
        stored_linear = picture.channel == ALPHA or picture.image.is_float or space in LINEAR_SPACES
        return Channel(self._read(picture.image), CHANNELS.get(picture.channel, 1), to_linear=not stored_linear)

    def _composite(self, channels: list[Channel | None], like: Picture) -> TextureSource:
        key = tuple(channel and (id(channel.pixels), channel.index, channel.to_linear) for channel in channels)
        return self._source(key, lambda: Composite(channels), like)

    def _read(self, image: bpy.types.Image) -> Pixels:
        if image.name_full not in self._pixels:
            self._pixels[image.name_full] = Pixels(read_pixels(image))
        return self._pixels[image.name_full]

    def _warn(self, text: str) -> None:
        warning = f'Material "{self._name}": {text[:1].upper()}{text[1:]}.'
        if warning not in self.warnings:
            self.warnings.append(warning)


def _shader(material: bpy.types.Material) -> tuple[Any, tuple[Any, ...]]:
    """The shader that glTF can say most of, and the group nodes that it lies in; (None, ()) without any.

    The nearest to the output, a Principled one before others.
    """
    tree = material.node_tree if bpy.app.version >= (5, 0, 0) or material.use_nodes else None
    output = tree.get_output_node("ALL") if tree else None
    found, seen = [], set()
    layer: list[tuple[Any, tuple[Any, ...]]] = [(output.inputs["Surface"], ())] if output else []
    while layer:
        behind = []
        for socket, groups in layer:
            for link in socket.links:
                node = link.from_node
                if (groups, node) in seen:
                    continue
                seen.add((groups, node))
                if node.type == "BSDF_PRINCIPLED" or node.type == "EMISSION" or node.type in OTHER_SHADERS:
                    found.append((node, groups))
                elif node.type == "GROUP" and node.node_tree is not None:
                    behind += [(end, (*groups, node)) for end in _ends(node, link.from_socket)]
                else:
                    behind += [(inner, groups) for inner in node.inputs if inner.type == "SHADER"]
        layer = behind
    principled = [one for one in found if one[0].type == "BSDF_PRINCIPLED"]
    return next(iter(principled or found), (None, ()))


def _ends(group: Any, output: Any) -> list[Any]:
    """The inputs inside a group that a group node's `output` shows."""
    ends = (node for node in group.node_tree.nodes if node.type == "GROUP_OUTPUT" and node.is_active_output)
    return [socket for end in ends for socket in end.inputs if socket.identifier == output.identifier]


def _unit(color: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(min(max(value, 0.0), 1.0) for value in color)
