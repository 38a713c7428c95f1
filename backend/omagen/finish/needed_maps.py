"""Which textures a surface has something to say on: those that one value for all of it could not replace."""

from __future__ import annotations

from dataclasses import fields

from omagen.shapes import Material, Mesh


def needed_maps(mesh: Mesh, *, is_reshaped: bool) -> frozenset[str]:
    """Some of `settings.MAPS` for `mesh`; `is_reshaped`: they go onto a simpler surface, so details become normals."""
    materials = mesh.materials or (Material(),)
    found = set()
    if mesh.colors is not None or _differ(mesh, "base_color", "base_color_texture"):
        found.add("base_color")
    if _differ(mesh, "metallic", "roughness", "metallic_roughness_texture"):
        found.add("metallic_roughness")
    if is_reshaped or any(m.normal_texture is not None for m in materials):
        found.add("normal")
    if any(m.occlusion_texture is not None for m in materials):
        found.add("occlusion")
    if _differ(mesh, "emissive", "emissive_texture"):
        found.add("emissive")
    return frozenset(found)


def _differ(mesh: Mesh, *names: str) -> bool:
    """Whether materials have a texture among `names`, or different values of them."""
    assert set(names) <= {field.name for field in fields(Material)}
    textured = any(getattr(m, name) is not None for m in mesh.materials for name in names if "texture" in name)
    values = {tuple(getattr(m, name) for name in names if "texture" not in name) for m in mesh.materials}
    return textured or len(values) > 1
