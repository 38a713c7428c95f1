"""The released geometry network has the parameters that the published checkpoint has."""

from __future__ import annotations

import json

import pytest
from parity.fixtures import REFERENCE

torch = pytest.importorskip("torch", reason="torch is not installed (extra `networks`)")

from omagen.engines.omages.dit import DiTConfig, OmgDiT  # noqa: E402

KEYS = REFERENCE / "omages" / "keys.json"


@pytest.mark.skipif(not KEYS.is_file(), reason="the published lists of keys are not on this machine")
def test_the_released_network_has_the_published_keys_and_shapes() -> None:
    published = json.loads(KEYS.read_text())["null2geo_dit"]
    config = DiTConfig(**published["config"])
    assert config == DiTConfig()
    with torch.device("meta"):
        network = OmgDiT(config)
    assert {key: list(value.shape) for key, value in network.state_dict().items()} == published["keys"]
    assert sum(parameter.numel() for parameter in network.parameters()) == published["num_parameters"]
    assert all(value.is_meta for value in network.state_dict().values())
