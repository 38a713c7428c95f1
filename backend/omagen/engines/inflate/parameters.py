"""What the user can set."""

from __future__ import annotations

from omagen.protocol import Choice, Parameter, ParameterKind

PARAMETERS = (
    Parameter(
        "faces", ParameterKind.INT, "Triangles", 20000, minimum=500, maximum=200000,
        description="How many triangles the object has.",
    ),
    Parameter(
        "thickness", ParameterKind.FLOAT, "Thickness", 1.0, minimum=0.05, maximum=2.0,
        description="At 1 arms, legs and stalks are round; less is flatter, more is deeper.",
    ),
    Parameter(
        "relief", ParameterKind.FLOAT, "Relief", 0.25, minimum=0.0, maximum=1.0,
        description="How far brighter parts of the picture stand out, as shape and as a normal map.",
    ),
    Parameter(
        "depth_limit", ParameterKind.FLOAT, "Depth limit", 0.6, minimum=0.02, maximum=2.0, group="Shape",
        description="Broad parts level off at this depth from front to back, as a fraction of the longest side.",
    ),
    Parameter(
        "back", ParameterKind.CHOICE, "Back", "round", group="Shape",
        choices=(
            Choice("round", "Round", "The back mirrors the front."),
            Choice("flat", "Flat", "The back is a plane, as for a badge or a wall decoration."),
        ),
    ),
    Parameter(
        "back_picture", ParameterKind.CHOICE, "Back shows", "mirror", group="Material",
        choices=(
            Choice("mirror", "The picture", "The picture again, mirrored."),
            Choice("fill", "Plain colours", "The colours along the outline, without the picture's detail."),
        ),
    ),
    Parameter(
        "roughness", ParameterKind.FLOAT, "Roughness", 0.6, minimum=0.0, maximum=1.0, group="Material",
        description="0 is a mirror, 1 is chalk. Bright parts are made a little smoother than dark ones.",
    ),
    Parameter(
        "metallic", ParameterKind.FLOAT, "Metallic", 0.0, minimum=0.0, maximum=1.0, group="Material",
        description="1 for bare metal, 0 for everything else.",
    ),
    Parameter(
        "texture_size", ParameterKind.INT, "Largest texture", 4096, minimum=256, maximum=8192, group="Material",
        description="Longest side of the textures in pixels. Smaller pictures keep their own resolution.",
    ),
)  # fmt: skip
