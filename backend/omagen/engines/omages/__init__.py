"""Engine of the omages system: a category becomes geometry, geometry becomes material (arXiv 2408.03178)."""
