"""From surfaces, point clouds and fields to the textures of a mesh with UVs."""

from omagen.bake.baking import MAPS, bake
from omagen.bake.sources import Field, bake_field, point_field

__all__ = ["MAPS", "Field", "bake", "bake_field", "point_field"]
