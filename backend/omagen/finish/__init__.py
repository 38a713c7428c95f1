"""From any raw surface to a clean, textured mesh, and from an engine's output to files."""
