"""The view enhancer on the real pipeline classes, with tiny random networks read from the official layouts.

Nothing here says how good results are: random weights draw noise. It says that published files load, whole or not at
all, and that the pipelines are used as they should be.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed (extra `networks`)")
pytest.importorskip("diffusers", reason="diffusers is not installed (extra `networks`)")
pytest.importorskip("transformers", reason="transformers is not installed (extra `networks`)")

import tiny_diffusion
import torch
import trimesh
from fake_hub import fake_hub
from omagen.catalog import MODELS, Downloads, HubModel, ModelState
from omagen.engines.refine.diffusion import PARAMETERS, diffusion_source
from omagen.engines.refine.engine import RefineEngine
from omagen.geometry.cameras import view_set
from omagen.protocol import ErrorCode, OmagenError, Request
from omagen.refine.enhancer import enhance_region
from omagen.refine.enhancer_pipeline import DiffusionEnhancer, enhance_by_diffusion
from omagen.refine.enhancer_settings import EnhancerSettings
from omagen.refine.enhancer_weights import BASE, CONTROL, REFERENCE, load_networks
from omagen.refine.views import ViewNormals, render_normals
from omagen.shapes import Mesh
from PIL import Image
from safetensors.torch import load_file, save_file

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # diffusers with numpy 2

SETTINGS = EnhancerSettings(strength=0.5, steps=4)
SIZE = 64


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    tiny_diffusion.write_stable_diffusion(folder / BASE)
    tiny_diffusion.write_controlnet(folder / CONTROL, single_file=True)
    tiny_diffusion.write_ip_adapter(folder / REFERENCE)
    return folder


@pytest.fixture
def installed(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copies of the weights that a test may damage, in use."""
    data, own = tmp_path / "data", tmp_path / "weights"
    monkeypatch.setenv("OMAGEN_DATA", str(data))
    shutil.copytree(weights, own)
    for id in (BASE, CONTROL, REFERENCE):
        Downloads(data).use(id, own / id)
    return own


@pytest.fixture(scope="module")
def mesh() -> Mesh:
    ball = trimesh.creation.icosphere(3)
    return Mesh(np.asarray(ball.vertices, np.float32), np.asarray(ball.faces, np.int32))


@pytest.fixture(scope="module")
def views(mesh: Mesh) -> list[ViewNormals]:
    return render_normals(mesh, view_set(mesh, 2), SIZE)


def _silent(stage: str, fraction: float) -> None:
    pass


def _picture(height: int = 72, width: int = 64) -> np.ndarray:
    return np.random.default_rng(0).random((height, width, 3)).astype(np.float32)


def _networks(*, reference: bool = False, control: bool = True) -> Any:
    return load_networks(control=control, reference=reference, half=False)


def test_pictures_of_any_size_are_drawn_the_same_for_the_same_seed(installed: Path) -> None:
    enhancer = DiffusionEnhancer(_networks(), SETTINGS)
    steps: list[float] = []
    first = enhancer(_picture(), _picture(), None, 1, steps.append)
    again = enhancer(_picture(), _picture(), None, 1, steps.append)
    other = enhancer(_picture(), _picture(), None, 2, steps.append)
    assert (first.shape, first.dtype) == ((72, 64, 3), np.float32)
    assert 0 <= first.min() <= first.max() <= 1
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert steps == [0.5, 1.0] * 3, "half of four steps, as strength 0.5 says"


def test_prompt_control_and_reference_all_matter(installed: Path) -> None:
    def drawn(settings: EnhancerSettings, control: np.ndarray) -> np.ndarray:
        networks = _networks(reference=settings.reference is not None, control=settings.control)
        return DiffusionEnhancer(networks, settings)(_picture(), control, None, 1, lambda f: None)

    plain = drawn(SETTINGS, _picture())
    reference = np.random.default_rng(1).integers(0, 255, (40, 50, 3)).astype(np.uint8)
    for settings, control in (
        (SETTINGS, 1 - _picture()),
        (replace(SETTINGS, prompt="scales of a dragon"), _picture()),
        (replace(SETTINGS, control=False), _picture()),
        (replace(SETTINGS, reference=reference), _picture()),
    ):
        assert np.abs(drawn(settings, control) - plain).max() > 1e-4


def test_networks_at_half_precision_get_pictures_that_they_can_read(installed: Path) -> None:
    """As on a GPU; what a processor cannot do at that precision is not used here."""
    networks = load_networks(control=True, reference=False, half=True)
    region = np.zeros((64, 64), np.float32)
    region[:, 32:] = 1
    enhancer = DiffusionEnhancer(networks, SETTINGS)
    for part in (None, region):
        drawn = enhancer(_picture(64), _picture(64), part, 1, lambda f: None)
        assert (drawn.shape, drawn.dtype, bool(np.isfinite(drawn).all())) == ((64, 64, 3), np.float32, True)


def test_with_little_memory_work_is_done_in_parts(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture of one tile comes out the same; larger ones differ, as each tile is normalised by itself."""

    def drawn(networks: Any, height: int) -> np.ndarray:
        picture = _picture(height)
        return DiffusionEnhancer(networks, SETTINGS)(picture, picture, None, 1, lambda f: None)

    whole = drawn(_networks(), 64)
    monkeypatch.setattr("omagen.refine.enhancer_pipeline._free_memory", lambda: 2**30)
    networks = _networks()
    np.testing.assert_allclose(drawn(networks, 64), whole, atol=1e-4)
    assert networks.vae.use_tiling
    assert np.isfinite(drawn(networks, 128)).all()


def test_both_layouts_of_a_controlnet_give_the_same_network(installed: Path) -> None:
    single = _networks().controlnet.state_dict()
    shutil.rmtree(installed / CONTROL)
    tiny_diffusion.write_controlnet(installed / CONTROL, single_file=False)
    folder = _networks().controlnet.state_dict()
    assert single.keys() == folder.keys()
    assert all(torch.equal(single[key], folder[key]) for key in single)


def test_what_is_not_in_the_region_is_put_back_at_every_step(installed: Path) -> None:
    region = np.zeros((64, 64), np.float32)
    region[:, 32:] = 1
    smooth = np.full((64, 64, 3), 0.5, np.float32)
    enhancer = DiffusionEnhancer(_networks(), replace(SETTINGS, strength=1.0))
    one = enhancer(smooth, smooth, region, 1, lambda f: None)
    two = enhancer(smooth, smooth, region, 2, lambda f: None)
    kept, made = np.abs(one - two)[:, :16].mean(), np.abs(one - two)[:, 48:].mean()
    assert kept < 0.2 * made


@pytest.mark.parametrize("consistency", ["grid", "sequential"])
def test_it_runs_from_views_to_views(installed: Path, mesh: Mesh, views: list[ViewNormals], consistency) -> None:
    settings = replace(SETTINGS, consistency=consistency)
    result, report = enhance_by_diffusion(mesh, views, settings, _silent)
    again, _ = enhance_by_diffusion(mesh, views, settings, _silent)
    for before, after, same in zip(views, result, again, strict=True):
        assert (after.normal.dtype, after.normal.shape) == (np.float32, before.normal.shape)
        np.testing.assert_allclose(np.linalg.norm(after.normal[before.mask > 0], axis=-1), 1, atol=1e-5)
        np.testing.assert_array_equal(after.normal[before.mask == 0], before.normal[before.mask == 0])
        np.testing.assert_array_equal(after.normal, same.normal)
    assert report["licences"] == {"Stable Diffusion 1.5": "CreativeML-OpenRAIL-M", "ControlNet 1.1 Tile": "OpenRAIL"}
    assert report["trained_on_normals"] is False


def test_a_mesh_becomes_a_source_of_normals(installed: Path, mesh: Mesh, tmp_path: Path) -> None:
    picture = tmp_path / "reference.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (40, 50, 3)).astype(np.uint8)).save(picture)
    values = {parameter.id: parameter.default for parameter in PARAMETERS}
    values |= {"diffusion_views": 2, "diffusion_size": 64, "diffusion_steps": 4}
    source, report = diffusion_source(mesh, values, "scales", picture, 3, "cpu", _silent)
    targets = source.targets(mesh)
    assert (targets.weight > 0).mean() > 0.5
    assert report["views"] == 2
    assert report["licences"]["IP-Adapter for Stable Diffusion 1.5"] == "Apache-2.0"


class _Watch:
    """Progress that remembers what it is told."""

    def __init__(self) -> None:
        self.fractions: list[float] = []
        self.warnings: list[str] = []

    def __call__(self, stage: str, fraction: float) -> None:
        self.fractions.append(fraction)

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def test_the_engine_moves_the_mesh_and_says_what_it_used(installed: Path, mesh: Mesh, tmp_path: Path) -> None:
    file = tmp_path / "ball.ply"
    trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).export(file)
    engine, watch = RefineEngine(), _Watch()
    engine.load("cpu")
    asked = {"diffusion": True, "diffusion_views": 2, "diffusion_size": 64, "diffusion_steps": 4}
    request = Request("refine", {"mesh": "blob", "prompt": "scales"}, asked, seed=3).checked(engine.describe())
    shape, report = engine.run(request, {"mesh": file}, watch)
    assert isinstance(shape, Mesh)
    assert report["refinement"]["moved_vertices"] > 0
    assert report["diffusion"]["licences"]["Stable Diffusion 1.5"] == "CreativeML-OpenRAIL-M"
    assert any("unverified" in warning for warning in watch.warnings)
    assert watch.fractions == sorted(watch.fractions)
    again, _ = engine.run(request, {"mesh": file}, _Watch())
    assert isinstance(again, Mesh)
    np.testing.assert_array_equal(shape.vertices, again.vertices)
    with pytest.raises(OmagenError, match="two sources"):
        engine.run(request, {"mesh": file, "detail": file}, _Watch())


def test_a_painted_region_is_made_anew_and_nothing_else(installed: Path, views: list[ViewNormals]) -> None:
    region = np.zeros((SIZE, SIZE), bool)
    region[20:44, 20:44] = True
    enhancer = DiffusionEnhancer(_networks(), replace(SETTINGS, max_angle=179))
    result = enhance_region(views[0], region, enhancer, replace(SETTINGS, max_angle=179), _silent)
    np.testing.assert_array_equal(result.normal[~region], views[0].normal[~region])
    np.testing.assert_array_equal(result.mask[~region], views[0].mask[~region])
    assert np.abs(result.normal - views[0].normal)[28:36, 28:36].max() > 1e-3


def test_cancelling_takes_effect_at_the_next_step(installed: Path, mesh: Mesh, views: list[ViewNormals]) -> None:
    seen: list[float] = []

    def progress(stage: str, fraction: float) -> None:
        seen.append(fraction)
        if 0 < fraction < 1:
            raise OmagenError(ErrorCode.CANCELLED, "The job was cancelled.")

    with pytest.raises(OmagenError) as caught:
        enhance_by_diffusion(mesh, views, replace(SETTINGS, strength=1.0, consistency="grid"), progress)
    assert caught.value.code is ErrorCode.CANCELLED
    assert seen[-1] == 0.25


def test_missing_models_are_named_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMAGEN_DATA", str(tmp_path))
    with pytest.raises(OmagenError) as caught:
        _networks()
    assert caught.value.code is ErrorCode.MODEL
    assert "CreativeML-OpenRAIL-M" in caught.value.message
    assert f"omagen models download {BASE}" in caught.value.remedy
    assert f"omagen models use {BASE}" in caught.value.remedy


def _without(file: str) -> Callable[[Path], None]:
    return lambda folder: (folder / file).unlink()


def _with_weights(file: str, change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        tensors = load_file(folder / file)
        change(tensors)
        save_file(tensors, folder / file)

    return damage


UNET = f"{BASE}/unet/diffusion_pytorch_model.fp16.safetensors"
TILE = f"{CONTROL}/control_tile.safetensors"
ENCODER = f"{BASE}/text_encoder/model.fp16.safetensors"
HINT = "control_model.input_hint_block.0.weight"


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_without(UNET), "no diffusion_pytorch_model.safetensors"),
        (_without(f"{BASE}/unet/config.json"), "unet"),
        (_without(f"{BASE}/scheduler/scheduler_config.json"), "scheduler"),
        (_without(f"{BASE}/tokenizer/vocab.json"), "tokenizer"),
        (_with_weights(UNET, lambda t: t.pop("conv_in.weight")), "1 missing (conv_in.weight)"),
        (_with_weights(UNET, lambda t: t.update(other=torch.zeros(1))), "1 unexpected (other)"),
        (_with_weights(UNET, lambda t: t.update({"conv_in.bias": torch.zeros(3)})), "conv_in.bias"),
        (_with_weights(ENCODER, lambda t: t.pop("text_model.final_layer_norm.bias")), "final_layer_norm.bias"),
        (_with_weights(TILE, lambda t: t.pop(HINT)), "controlnet_cond_embedding.conv_in.weight"),
        (_with_weights(TILE, lambda t: t.update({HINT: torch.zeros(1)})), "of another shape"),
        (lambda folder: (folder / UNET).write_bytes(b"no weights"), "cannot be read"),
        (lambda folder: (folder / TILE).write_bytes(b"no weights"), "cannot be read"),
        (lambda folder: (folder / UNET).rename((folder / UNET).with_suffix(".bin")), "pickle"),
    ],
)
def test_incomplete_or_unfitting_weights_are_refused(
    installed: Path, damage: Callable[[Path], None], words: str
) -> None:
    damage(installed)
    with pytest.raises(OmagenError) as caught:
        _networks()
    assert caught.value.code is ErrorCode.MODEL
    assert words in caught.value.message
    assert "omagen models download" in caught.value.remedy


def test_an_incomplete_reference_adapter_is_refused(installed: Path) -> None:
    (installed / REFERENCE / "models/ip-adapter_sd15.safetensors").unlink()
    with pytest.raises(OmagenError, match="ip-adapter_sd15"):
        _networks(reference=True)


def test_what_the_catalogue_downloads_is_what_the_loader_reads(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the hub's routes to networks in memory: the patterns of the catalogue's entry fetch all that is needed."""
    entry = next(m for m in MODELS if isinstance(m, HubModel) and m.id == BASE)
    files = {
        p.relative_to(weights / BASE).as_posix(): p.read_bytes() for p in (weights / BASE).rglob("*") if p.is_file()
    }
    with fake_hub(files, entry.repository, entry.revision) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        monkeypatch.setenv("OMAGEN_DATA", str(tmp_path))
        downloads = Downloads(tmp_path)
        downloads.start(BASE)
        assert downloads.wait(BASE, 60).state is ModelState.INSTALLED
    assert _networks(control=False).unet.config.cross_attention_dim == tiny_diffusion.TEXT
