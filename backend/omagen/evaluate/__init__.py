"""How good a set of generated objects is."""
