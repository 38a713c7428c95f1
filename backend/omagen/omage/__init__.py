"""The omage codec: charts, packing, sampling, encode, decode, levels of detail (arXiv 2408.03178, and beyond)."""

from omagen.kernels import cache

cache.install()
