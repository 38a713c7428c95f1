"""Cameras and what they see, against plain computation."""

import numpy as np
import pytest
from omagen.geometry.cameras import Camera, look_at, view_from, view_set
from omagen.geometry.directions import cosine_directions
from omagen.geometry.rays import RayCaster
from omagen.geometry.view_raster import rasterize_corners, rasterize_view
from omagen.kernels.samples import ball

PERSPECTIVE = Camera(look_at(np.array([0.3, 0.4, 3.0]), np.zeros(3)), "perspective", np.radians(50), 4 / 3)
ORTHOGRAPHIC = Camera(look_at(np.array([0.3, 2.4, 3.0]), np.zeros(3)), "orthographic", 2.5, 4 / 3)


def soup(count: int, spread: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    vertices = (rng.uniform(-1, 1, (count, 1, 3)) + rng.normal(0, spread, (count, 3, 3))).reshape(-1, 3)
    return vertices.astype(np.float32), np.arange(3 * count, dtype=np.int32).reshape(-1, 3)


def pixel_rays(camera: Camera, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Origins and directions, in lengths along the camera's axis, of the rays through pixels' centres."""
    row, column = np.mgrid[:height, :width].reshape(2, -1)
    x, y = 2 * (column + 0.5) / width - 1, 1 - 2 * (row + 0.5) / height
    half = np.tan(camera.size / 2) if camera.kind == "perspective" else camera.size / 2
    across = np.stack([x * half * camera.aspect, y * half, np.zeros_like(x)], axis=1)
    origin, along = np.zeros_like(across), np.tile([0.0, 0.0, -1.0], (len(x), 1))
    if camera.kind == "perspective":
        along += across
    else:
        origin += across
    turn = camera.world_from_camera[:3, :3].T
    return origin @ turn + camera.position, along @ turn


def first_hits(
    vertices: np.ndarray, faces: np.ndarray, origin: np.ndarray, along: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Face, distance and weights of what each ray meets first: every ray against every triangle, in float64."""
    a, b, c = (vertices[faces[:, k]].astype(np.float64) for k in range(3))
    ab, ac = b - a, c - a
    across = np.cross(along[:, None], ac[None])
    volume = (across * ab).sum(-1)
    start = origin[:, None] - a[None]
    with np.errstate(divide="ignore", invalid="ignore"):
        u = (start * across).sum(-1) / volume
        turned = np.cross(start, ab[None])
        v = (along[:, None] * turned).sum(-1) / volume
        distance = (turned * ac).sum(-1) / volume
    distance[~((u >= 0) & (v >= 0) & (u + v <= 1) & (distance > 0))] = np.inf
    face = distance.argmin(1)
    row = np.arange(len(face))
    nearest, u, v = distance[row, face], u[row, face], v[row, face]
    return np.where(np.isfinite(nearest), face, -1), nearest, np.stack([1 - u - v, u, v], axis=1)


@pytest.mark.parametrize("camera", [PERSPECTIVE, ORTHOGRAPHIC], ids=["perspective", "orthographic"])
@pytest.mark.parametrize(("count", "spread"), [(40, 0.5), (400, 0.05), (12, 6.0)], ids=["large", "small", "around"])
def test_a_view_shows_what_rays_through_its_pixels_meet(camera: Camera, count: int, spread: float) -> None:
    vertices, faces = soup(count, spread)
    seen = rasterize_view(vertices, faces, camera, 80, 60)
    face, depth, weights = first_hits(vertices, faces, *pixel_rays(camera, 80, 60))
    assert (face >= 0).any()
    assert (seen.face.reshape(-1) == face).all()
    there = face >= 0
    assert np.allclose(seen.depth.reshape(-1)[there], depth[there], rtol=1e-5)
    assert np.isinf(seen.depth.reshape(-1)[~there]).all()
    assert np.allclose(seen.barycentric.reshape(-1, 3)[there], weights[there], atol=1e-4)


def test_what_is_seen_projects_back_to_its_pixel() -> None:
    vertices, faces = soup(40, 0.5)
    seen = rasterize_view(vertices, faces, PERSPECTIVE, 80, 60)
    row, column = np.nonzero(seen.face >= 0)
    weights = seen.barycentric[row, column].astype(np.float64)
    points = np.einsum("nc,nck->nk", weights, vertices[faces[seen.face[row, column]]])
    place, depth = PERSPECTIVE.project(points)
    assert np.abs(place * (80, 60) - 0.5 - np.stack([column, row], axis=1)).max() < 1e-3
    assert np.allclose(depth, seen.depth[row, column], rtol=1e-5)


def test_neighbours_leave_no_gap_and_the_order_of_their_corners_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    side = 24
    grid = np.stack(np.meshgrid(np.linspace(-2, 2, side), np.linspace(-2, 2, side), indexing="ij"), axis=-1)
    grid[1:-1, 1:-1] += rng.normal(0, 0.03, (side - 2, side - 2, 2))
    vertices = np.dstack([grid, np.zeros((side, side))]).reshape(-1, 3).astype(np.float32)
    first = (np.arange(side - 1)[:, None] * side + np.arange(side - 1)).reshape(-1)
    faces = np.concatenate(
        [np.stack([first, first + side, first + 1], 1), np.stack([first + 1, first + side, first + side + 1], 1)]
    )
    camera = Camera(look_at(np.array([0, 0, 1.0]), np.zeros(3)), "perspective", np.radians(60))
    turned = np.stack(
        [np.roll(triangle, shift) for triangle, shift in zip(faces, rng.integers(0, 3, len(faces)), strict=True)]
    )
    for order in (faces, turned, turned[:, ::-1]):
        assert (rasterize_view(vertices, order, camera, 333, 331).face >= 0).all()


def test_edges_through_pixels_centres_leave_no_gap() -> None:
    vertices = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0], [0, 0, 0]], np.float32)
    faces = np.array([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]])
    camera = Camera(look_at(np.array([0, 0, 1.0]), np.zeros(3)), "orthographic", 2)
    assert (rasterize_view(vertices, faces, camera, 64, 64).face >= 0).all()
    assert (rasterize_view(vertices, faces, camera, 65, 65).face >= 0).all()


def test_a_floor_that_runs_behind_the_camera_is_seen_in_front_of_it_only() -> None:
    vertices = np.array([[-50, 0, -100], [50, 0, -100], [50, 0, 100], [-50, 0, 100]], np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    camera = Camera(look_at(np.array([0, 1.0, 0]), np.array([0, 1.0, -1])), "perspective", np.radians(90))
    seen = rasterize_view(vertices, faces, camera, 100, 100)
    assert (seen.face[:50] < 0).all()
    # at 1 m above the floor, 45 degrees below the horizon is 1 m away
    assert (seen.face[53:] >= 0).all()
    assert seen.depth[-1] == pytest.approx(1 / 0.99)


@pytest.mark.parametrize("camera", [PERSPECTIVE, ORTHOGRAPHIC], ids=["perspective", "orthographic"])
def test_nothing_is_seen_of_what_is_behind_empty_flat_or_not_finite(camera: Camera) -> None:
    vertices, faces = soup(20, 0.2)
    behind = (vertices + camera.backward * 20).astype(np.float32)
    broken = np.full_like(vertices, np.nan)
    flat = np.repeat(vertices[::3], 3, axis=0)
    for points, triangles in ((behind, faces), (broken, faces), (flat, faces), (vertices, faces[:0])):
        seen = rasterize_view(points, triangles, camera, 32, 24)
        assert (seen.face == -1).all() and np.isinf(seen.depth).all()
    if camera.kind == "perspective":
        assert np.isnan(camera.project(behind)[0]).all()


@pytest.mark.parametrize("count", [1, 2, 4, 6, 8, 12, 20])
def test_views_of_a_set_differ_and_each_shows_the_whole_object(count: int) -> None:
    bounds = np.array([[10, -1, -3], [12, 4, 3]])
    views = view_set(bounds, count)
    assert len(views) == count
    assert np.allclose(views[0].backward, [0, 0, 1])
    corners = np.stack(np.meshgrid(*bounds.T), axis=-1).reshape(-1, 3)
    for view in views:
        place, depth = view.project(corners)
        assert (place >= 0).all() and (place <= 1).all() and (depth > 0).all()
        assert np.allclose(view.world_from_camera[:3, :3] @ view.world_from_camera[:3, :3].T, np.eye(3))
    backward = np.stack([view.backward for view in views])
    assert (backward @ backward.T - 2 * np.eye(count)).max() < 0.95
    if count >= 6:
        assert np.abs(backward.sum(0)).max() < 0.08 * count


def test_front_right_and_top_are_where_they_are_named() -> None:
    front, right, _, _, top, _ = view_set(np.array([[-1, -1, -1], [1, 1, 1]]), 6)
    x, y = front.project(np.array([[1.0, 0.5, 0]]))[0][0]
    assert (x, y) == pytest.approx((0.5 + 1 / front.size, 0.5 - 0.5 / front.size))
    assert right.project(np.array([[0, 0, 1.0]]))[0][0, 0] < 0.5  # the front is on the left when seen from the right
    assert top.project(np.array([[0, 0, 1.0]]))[0][0, 1] > 0.5  # and at the bottom when seen from above


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_rays_meet_what_they_meet_by_plain_computation(offset: float) -> None:
    vertices, faces = soup(300, 0.3, seed=2)
    rng = np.random.default_rng(3)
    origin = rng.normal(0, 2, (500, 3))
    along = rng.normal(0, 1, (500, 3))
    vertices = vertices + np.float32(offset)
    origin = origin + offset
    face, distance, weights = first_hits(vertices, faces, origin, along)
    caster = RayCaster(vertices, faces)
    hits = caster.first_hit(origin, along)
    assert (face >= 0).any() and (face < 0).any()
    assert (hits.face == face).all()
    there = face >= 0
    assert np.allclose(hits.distance[there], distance[there], rtol=1e-4, atol=1e-5)
    assert np.isinf(hits.distance[~there]).all()
    assert np.allclose(hits.barycentric[there], weights[there], atol=1e-3)
    limit = np.where(there, distance, 1.0) * rng.choice([0.9, 1.1], len(face))
    expected = there & (limit > np.where(there, distance, 1.0))
    assert (caster.occluded(origin, along, limit) == expected).all()
    assert ((caster.first_hit(origin, along, limit).face >= 0) == expected).all()


def test_rays_meet_nothing_of_an_empty_mesh() -> None:
    caster = RayCaster(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))
    assert (caster.first_hit(np.zeros((4, 3)), np.ones((4, 3))).face == -1).all()
    assert not caster.occluded(np.zeros((4, 3)), np.ones((4, 3))).any()


def test_no_ray_slips_through_a_closed_surface() -> None:
    mesh = ball(60, 30)
    rng = np.random.default_rng(0)
    corners = mesh.vertices[mesh.faces]
    edges = (corners + np.roll(corners, 1, axis=1)).reshape(-1, 3) / 2
    along = np.concatenate([rng.normal(0, 1, (20_000, 3)), corners.mean(1), edges])
    assert (RayCaster(mesh.vertices, mesh.faces).first_hit(np.zeros_like(along), along).face >= 0).all()


def test_directions_are_as_dense_as_the_cosine() -> None:
    directions = cosine_directions(4096)
    assert np.allclose(np.linalg.norm(directions, axis=1), 1)
    assert directions[:, 2].mean() == pytest.approx(2 / 3, abs=1e-3)
    assert np.abs(directions[:, :2].mean(0)).max() < 1e-3


def test_a_view_of_a_point_is_a_view() -> None:
    assert view_from(np.zeros((2, 3)), np.array([0, 0, 1.0])).size > 0


def test_nearer_triangles_win_whatever_the_order_and_what_is_behind_can_be_seen() -> None:
    place = np.array([[0, 0], [8, 0], [0, 8]], np.float64)
    for depths in ([1.0, 2.0], [2.0, 1.0]):
        corners = np.concatenate([np.column_stack([place * d, np.full((3, 2), d)]) for d in depths])
        faces = np.arange(6).reshape(2, 3)
        first = rasterize_corners(corners, faces, 8, 8)
        seen = first.face >= 0
        assert seen.sum() == 36  # centres on the hypotenuse count
        assert (first.face[seen] == int(np.argmin(depths))).all()
        assert np.allclose(first.barycentric[seen].sum(1), 1, atol=1e-6)
        second = rasterize_corners(corners, faces, 8, 8, first.depth)
        assert (second.face[seen] == int(np.argmax(depths))).all()
        assert (rasterize_corners(corners, faces, 8, 8, np.where(seen, second.depth, 0)).face == -1).all()
