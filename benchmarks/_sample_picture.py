"""The picture that the benchmarks send: made here, so that they need no files."""

from __future__ import annotations

import io


def sample_picture() -> bytes:
    """A PNG of 1024 pixels a side: a ring with two arms on transparency."""
    import numpy as np
    from PIL import Image

    y, x = np.mgrid[-1:1:1024j, -1:1:1024j]
    radius = np.hypot(x, y)
    inside = ((radius < 0.7) & (radius > 0.2)) | ((np.abs(y) < 0.08) & (np.abs(x) < 0.95))
    rgba = np.stack([128 + 100 * x, 128 + 100 * y, 255 * radius / 1.5, 255 * inside], -1).clip(0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(rgba).save(buffer, "PNG")
    return buffer.getvalue()
