"""How a surface is cut into charts and flattened: given UVs, segmentation, parametrisation, checks, repairs."""
