"""Builds Blender materials of glTF surfaces, in the node layout that Blender's own glTF exporter reads back."""

from __future__ import annotations

from typing import Any, Final

import bpy

from .surface import Surface, Texture

UV_LAYER: Final = "UVMap"
COLOR_LAYER: Final = "Color"
OCCLUSION_GROUP: Final = "glTF Material Output"
"""Node group by which Blender's glTF exporter finds the occlusion texture; renders ignore it."""
COLUMN: Final = 280
WHITE: Final = (1.0, 1.0, 1.0)
MATH_WRAPS: Final = {"EXTEND": "ADD", "MIRROR": "PINGPONG"}


class MaterialWriter:
    """Makes the materials of one object. Textures that share an image in the file share it in Blender."""

    def __init__(self, made: list[bpy.types.ID], has_colors: bool) -> None:
        """Everything that is created is appended to `made`, so that the caller can remove it again."""
        self._made = made
        self._has_colors = has_colors
        self._images: dict[tuple[int, bool], bpy.types.Image] = {}

    def write(self, surface: Surface) -> bpy.types.Material:
        material = bpy.data.materials.new(surface.name)
        self._made.append(material)
        if bpy.app.version < (5, 0, 0):  # always on from 5.0, where setting it is deprecated
            material.use_nodes = True
        material.use_backface_culling = not surface.double_sided
        material.surface_render_method = "BLENDED" if surface.alpha_mode == "BLEND" else "DITHERED"
        _Tree(material, self, surface).build(self._has_colors)
        return material

    def image(self, texture: Texture, is_color: bool) -> bpy.types.Image:
        key = texture.image, is_color
        if key not in self._images:
            image = bpy.data.images.new(texture.name, 1, 1, is_data=not is_color)
            self._made.append(image)
            image.alpha_mode = "STRAIGHT" if is_color else "CHANNEL_PACKED"
            image.source = "FILE"  # before packing, else the image keeps its one black pixel
            image.pack(data=texture.png, data_len=len(texture.png))
            self._images[key] = image
        return self._images[key]

    def occlusion_group(self) -> bpy.types.NodeTree:
        group = bpy.data.node_groups.get(OCCLUSION_GROUP)
        if group is None:
            group = bpy.data.node_groups.new(OCCLUSION_GROUP, "ShaderNodeTree")
            self._made.append(group)
            group.interface.new_socket("Occlusion", in_out="INPUT", socket_type="NodeSocketFloat").default_value = 1.0
            group.nodes.new("NodeGroupInput")
        return group


class _Tree:
    """The node tree of one material while it is built, from the shader leftwards."""

    def __init__(self, material: bpy.types.Material, writer: MaterialWriter, surface: Surface) -> None:
        tree = material.node_tree
        assert tree is not None
        self._nodes = tree.nodes
        self._links = tree.links
        self._writer = writer
        self._surface = surface
        self._rows = 0
        self._nodes.clear()  # the names of the default nodes are translated
        self._shader = self._node("ShaderNodeBsdfPrincipled", 0)
        output = self._node("ShaderNodeOutputMaterial", -1)
        self._links.new(self._shader.outputs["BSDF"], output.inputs["Surface"])

    def build(self, has_colors: bool) -> None:
        self._base_color(has_colors)
        self._metallic_roughness()
        self._emission()
        self._normal()
        self._occlusion()

    def _base_color(self, has_colors: bool) -> None:
        surface = self._surface
        color = self._shader.inputs["Base Color"]
        color.default_value = (*surface.base_color[:3], 1.0)
        sources = []
        texture = self._texture(surface.base_color_texture, is_color=True)
        if texture is not None:
            sources.append(texture.outputs["Color"])
        if has_colors:
            vertex_color = self._node("ShaderNodeVertexColor", 3)
            vertex_color.layer_name = COLOR_LAYER
            sources.append(vertex_color.outputs["Color"])
        product = self._product(sources, surface.base_color[:3])
        if product is not None:
            self._links.new(product, color)
        self._alpha(texture)

    def _alpha(self, texture: bpy.types.Node | None) -> None:
        surface = self._surface
        target = self._shader.inputs["Alpha"]
        if surface.alpha_mode == "OPAQUE":
            return
        factor = surface.base_color[3]
        target.default_value = factor if surface.alpha_mode == "BLEND" else float(factor >= surface.alpha_cutoff)
        if texture is None:
            return
        source = texture.outputs["Alpha"]
        if factor != 1.0:
            source = self._math("MULTIPLY", source, factor, column=2)
        if surface.alpha_mode == "MASK":
            # "not below the cutoff", in the form that the glTF exporter recognises
            below = self._math("LESS_THAN", source, surface.alpha_cutoff, column=2)
            source = self._math("SUBTRACT", 1.0, below, column=1)
        self._links.new(source, target)

    def _metallic_roughness(self) -> None:
        surface = self._surface
        texture = self._texture(surface.metallic_roughness_texture, is_color=False)
        channels = self._channels(texture)
        for name, channel, factor in (
            ("Metallic", "Blue", surface.metallic),
            ("Roughness", "Green", surface.roughness),
        ):
            self._shader.inputs[name].default_value = factor
            if channels is not None:
                source = channels.outputs[channel]
                scaled = source if factor == 1.0 else self._math("MULTIPLY", source, factor, column=1)
                self._links.new(scaled, self._shader.inputs[name])

    def _emission(self) -> None:
        strength = max(self._surface.emissive)
        if strength <= 0:
            return
        strength = max(strength, 1.0)
        color = tuple(value / strength for value in self._surface.emissive)
        target = self._shader.inputs["Emission Color"]
        target.default_value = (*color, 1.0)
        self._shader.inputs["Emission Strength"].default_value = strength
        texture = self._texture(self._surface.emissive_texture, is_color=True)
        if texture is not None:
            self._links.new(self._product([texture.outputs["Color"]], color), target)

    def _normal(self) -> None:
        texture = self._texture(self._surface.normal_texture, is_color=False)
        if texture is not None:
            normal_map = self._node("ShaderNodeNormalMap", 1)
            normal_map.uv_map = UV_LAYER
            self._links.new(texture.outputs["Color"], normal_map.inputs["Color"])
            self._links.new(normal_map.outputs["Normal"], self._shader.inputs["Normal"])

    def _occlusion(self) -> None:
        channels = self._channels(self._texture(self._surface.occlusion_texture, is_color=False))
        if channels is not None:
            group = self._node("ShaderNodeGroup", -1)
            group.node_tree = self._writer.occlusion_group()
            self._links.new(channels.outputs["Red"], group.inputs["Occlusion"])

    def _channels(self, texture: bpy.types.Node | None) -> bpy.types.Node | None:
        if texture is None:
            return None
        channels = self._node("ShaderNodeSeparateColor", 2)
        self._links.new(texture.outputs["Color"], channels.inputs["Color"])
        return channels

    def _texture(self, texture: Texture | None, is_color: bool) -> bpy.types.Node | None:
        if texture is None:
            return None
        node = self._node("ShaderNodeTexImage", 3)
        node.image = self._writer.image(texture, is_color)
        node.label = texture.name
        if texture.wrap_u == texture.wrap_v:
            node.extension = texture.wrap_u
        else:
            self._links.new(self._wrapped(texture), node.inputs["Vector"])
        return node

    def _wrapped(self, texture: Texture) -> bpy.types.NodeSocket:
        """UV wrapped by nodes: an image node has one extension for both directions."""
        uv = self._node("ShaderNodeUVMap", 6)
        uv.uv_map = UV_LAYER
        separate = self._node("ShaderNodeSeparateXYZ", 5)
        combine = self._node("ShaderNodeCombineXYZ", 4)
        self._links.new(uv.outputs["UV"], separate.inputs["Vector"])
        for axis, wrap in (("X", texture.wrap_u), ("Y", texture.wrap_v)):
            source = separate.outputs[axis]
            if wrap in MATH_WRAPS:
                source = self._math(MATH_WRAPS[wrap], source, 0.0 if wrap == "EXTEND" else 1.0, column=4)
                source.node.use_clamp = True
            self._links.new(source, combine.inputs[axis])
        return combine.outputs["Vector"]

    def _product(self, sources: list[Any], factor: tuple[float, ...]) -> Any:
        """The product of all colours and the factor; None without sources."""
        if not sources:
            return None
        operands = [*sources, *([factor] if tuple(factor) != WHITE else [])]
        product = operands[0]
        for operand in operands[1:]:
            node = self._node("ShaderNodeMix", 1)
            node.data_type, node.blend_type = "RGBA", "MULTIPLY"
            node.inputs["Factor"].default_value = 1.0
            # The node holds the sockets of every type under the same names; those for colours are these.
            first, second = (next(s for s in node.inputs if s.identifier == id) for id in ("A_Color", "B_Color"))
            self._links.new(product, first)
            if isinstance(operand, tuple):
                second.default_value = (*operand, 1.0)
            else:
                self._links.new(operand, second)
            product = next(s for s in node.outputs if s.identifier == "Result_Color")
        return product

    def _math(self, operation: str, first: Any, second: Any, column: int) -> bpy.types.NodeSocket:
        node = self._node("ShaderNodeMath", column)
        node.operation = operation
        for socket, value in zip(node.inputs, (first, second), strict=False):
            if isinstance(value, float):
                socket.default_value = value
            else:
                self._links.new(value, socket)
        return node.outputs["Value"]

    def _node(self, kind: str, column: int) -> Any:
        node = self._nodes.new(kind)
        self._rows += column > 1
        node.location = (-COLUMN * column, 300 - (170 * self._rows if column > 0 else 0))
        return node
