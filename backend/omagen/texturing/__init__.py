"""From pictures with cameras to the base colour of a mesh."""

from omagen.texturing.fitting import DIRECTIONS, fitted_camera, opposite
from omagen.texturing.projection import project_pictures
from omagen.texturing.settings import TextureSettings, Unseen

__all__ = ["DIRECTIONS", "TextureSettings", "Unseen", "fitted_camera", "opposite", "project_pictures"]
