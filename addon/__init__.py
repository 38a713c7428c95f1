"""The part of Omagen that runs inside Blender: bpy, numpy and the standard library only."""


def register(package: str) -> None:
    """Register everything under the extension's top package, e.g. `bl_ext.user_default.omagen`."""
    from . import registration

    registration.register(package)


def unregister() -> None:
    from . import registration

    registration.unregister()
