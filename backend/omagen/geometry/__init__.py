"""What is computed on meshes, whatever made them."""
