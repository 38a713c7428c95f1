"""What belongs to the object in a picture: its opacity and its colours without the background's."""

from omagen.foreground.cutout import Cutout, cut_out

__all__ = ["Cutout", "cut_out"]
