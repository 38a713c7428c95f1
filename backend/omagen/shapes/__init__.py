"""The small immutable types that flow from engine to finish to file."""

from omagen.shapes.decoded_omage import DecodedOmage
from omagen.shapes.displaced_mesh import DisplacedMesh
from omagen.shapes.lod_chain import LodChain
from omagen.shapes.material import Material, Texture
from omagen.shapes.mesh import Mesh
from omagen.shapes.omage import Omage
from omagen.shapes.picture import Picture

__all__ = ["DecodedOmage", "DisplacedMesh", "LodChain", "Material", "Mesh", "Omage", "Picture", "Texture"]
