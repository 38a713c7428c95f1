"""How a surface is cut into charts and flattened: reuse of given UVs, segmentation, parametrisation, checks, repairs."""
