"""Omagen's backend: generates 3D, encodes omages, refines geometry. Runs in its own process and never imports bpy."""

__version__ = "0.1.0"
