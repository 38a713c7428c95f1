"""Geometry that follows normals: of a map, of a finer mesh, of an omage, of pictures from several sides."""
