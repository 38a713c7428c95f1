"""From pictures with cameras to the base colour of a mesh."""

from omagen.texturing.fitting import DIRECTIONS, fitted_camera, opposite
from omagen.texturing.projection import Unseen, project_pictures

__all__ = ["DIRECTIONS", "Unseen", "fitted_camera", "opposite", "project_pictures"]
