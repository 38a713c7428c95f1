"""Noise schedules and samplers that `diffusers` does not provide."""
