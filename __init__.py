# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's entry into the Omagen extension."""


def register() -> None:
    from . import addon

    addon.register(__package__)


def unregister() -> None:
    from . import addon

    addon.unregister()
