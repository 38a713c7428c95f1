"""omagen omage: look at omages, change their resolution, compare them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omagen.commands.conversions import Conversion, check_outputs
from omagen.commands.exits import DONE, FAILED
from omagen.commands.options import add_json_option, resolution
from omagen.commands.progress import ProgressLine
from omagen.commands.text import write_json, write_table
from omagen.omage_layout import SUFFIX
from omagen.protocol import ErrorCode, OmagenError

if TYPE_CHECKING:
    from omagen.shapes import Omage

_EXAMPLES = """examples:
  omagen omage info chair.omage
  omagen omage resize chair.omage 256 -o chair-256.omage
  omagen omage lod chair.omage -o chair-lod/ --format glb
      1024, 512, 256 … 64: one file each
  omagen omage diff chair.omage edited/
      which maps differ, by how much, and how far the surfaces are apart; status 1 if anything differs
"""
_COARSEST = 64


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser(
        "omage",
        help="examine, resize and compare omages",
        description="Look after omages: *.omage, *.npz, or a folder of pictures.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    info = actions.add_parser("info", help="what an omage holds, and what is odd about it")
    info.add_argument("omage", type=Path)
    info.set_defaults(run=_info)
    resize = actions.add_parser("resize", help="another resolution, the charts' borders preserved")
    resize.add_argument("omage", type=Path)
    resize.add_argument("resolution", type=resolution, metavar="R")
    resize.add_argument("-o", "--output", type=Path, required=True, metavar="PATH", help="*.omage, *.npz or a folder")
    resize.set_defaults(run=_resize)
    lod = actions.add_parser("lod", help="a chain of levels of detail, each half as fine as the one before")
    lod.add_argument("omage", type=Path)
    lod.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="gets a file for each level")
    lod.add_argument("--coarsest", type=resolution, default=_COARSEST, metavar="R", help="where to stop (%(default)s)")
    lod.add_argument("--format", choices=("omage", "folder", "npz", "glb"), default="omage", help="(%(default)s)")
    lod.set_defaults(run=_lod)
    diff = actions.add_parser("diff", help="how two omages differ")
    diff.add_argument("omage", type=Path)
    diff.add_argument("other", type=Path)
    diff.set_defaults(run=_diff)
    for action in actions.choices.values():
        add_json_option(action)


def _info(args: argparse.Namespace) -> int:
    from omagen.omage.difference import PEAKS
    from omagen.omage.patches import chart_labels
    from omagen.omage.quality import layout_report

    omage, warnings = _read(args.omage)
    facts: dict[str, Any] = {
        "name": omage.name,
        **layout_report(omage),
        "maps": [name for name in PEAKS if getattr(omage, name) is not None],
        "charts": int(chart_labels(omage).max(initial=-1)) + 1,
        "seam_pixels": 0 if omage.seam is None else int((omage.seam >= 0).sum()),
        "centre_m": list(omage.centre),
        "size_m": _size(omage),
        "alpha_mode": omage.alpha_mode,
        "double_sided": omage.double_sided,
        "warnings": list(warnings),
    }
    if args.json:
        write_json(facts)
    else:
        write_table([(name, _shown(value)) for name, value in facts.items()])
    return DONE


def _resize(args: argparse.Namespace) -> int:
    from omagen.omage.files import write_omage
    from omagen.omage.lod import resize

    check_outputs([Conversion(args.omage, args.output)])
    omage, _ = _read(args.omage)
    with ProgressLine(args.omage.name, silent=False) as line:
        level = resize(omage, args.resolution, line.progress)
    write_omage(level, args.output)
    _tell_written(args, [args.output])
    return DONE


def _lod(args: argparse.Namespace) -> int:
    from omagen.omage.files import write_omage
    from omagen.omage.lod import lod_chain

    suffix = {"omage": SUFFIX, "npz": ".npz", "folder": "", "glb": ".glb"}[args.format]
    omage, _ = _read(args.omage)
    stem = args.omage.stem if args.omage.is_file() else args.omage.resolve().name
    check_outputs([Conversion(args.omage, args.output / f"{stem}-{omage.resolution}{suffix}")])
    with ProgressLine(args.omage.name, silent=False) as line:
        levels = lod_chain(omage, args.coarsest, line.progress)
    written = []
    for level in levels:
        written.append(args.output / f"{stem}-{level.resolution}{suffix}")
        if args.format == "glb":
            _write_glb(level, written[-1])
        else:
            write_omage(level, written[-1])
    _tell_written(args, written)
    return DONE


def _diff(args: argparse.Namespace) -> int:
    from omagen.geometry.distance import surface_distance
    from omagen.omage.decode import decode
    from omagen.omage.difference import omage_difference

    (one, _), (other, _) = _read(args.omage), _read(args.other)
    found: dict[str, Any] = {"resolution": [one.resolution, other.resolution]}
    if one.resolution == other.resolution:
        found |= omage_difference(one, other)
    found["surface"] = surface_distance(decode(one)[0], decode(other)[0])
    differs = not _is_same(found)
    if args.json:
        write_json(found | {"differs": differs})
    elif differs:
        write_table([*_difference_rows(found)])
    else:
        sys.stdout.write("The two are the same.\n")
    return FAILED if differs else DONE


def _is_same(found: dict[str, Any]) -> bool:
    if "maps" not in found:
        return False
    same_maps = all(entry.get("max") == 0.0 for entry in found["maps"].values())
    return same_maps and found["occupancy"]["pixels"] == 0 and found["centre"] == 0 and found["scale"] == 0


def _difference_rows(found: dict[str, Any]) -> list[tuple[str, str]]:
    rows = [("resolution", " and ".join(map(str, found["resolution"])))]
    if "maps" in found:
        occupancy = found["occupancy"]
        rows.append(("occupancy", f"{occupancy['pixels']:,} pixels differ ({occupancy['share']:.2%})"))
        for name, entry in found["maps"].items():
            if "only_in" in entry:
                rows.append((name, f"only in the {entry['only_in']}"))
            else:
                rows.append((name, f"{entry['psnr']:.1f} dB, at most {entry['max']:.2g}" if entry["psnr"] else "same"))
    rows += [(f"surface, {name}", f"{value:.3g}") for name, value in found["surface"].items()]
    return rows


def _read(path: Path) -> tuple[Omage, tuple[str, ...]]:
    from omagen.commands.prepare import ensure_prepared
    from omagen.omage.files import read_omage

    omage, warnings = read_omage(path.expanduser())
    ensure_prepared(silent=False)
    for warning in warnings:
        sys.stderr.write(f"{path.name}: warning: {warning}\n")
    return omage, warnings


def _write_glb(omage: Omage, path: Path) -> None:
    from omagen.commands.omage_work import write_mesh
    from omagen.omage.decode import decode

    write_mesh(decode(omage)[0], path, {})


def _size(omage: Omage) -> list[float]:
    import numpy as np

    if not omage.occupancy.any():
        raise OmagenError(ErrorCode.GEOMETRY, "The omage is empty: no pixel is occupied.")
    return [float(side) * omage.scale for side in np.ptp(omage.position[omage.occupancy], axis=0)]


def _tell_written(args: argparse.Namespace, paths: list[Path]) -> None:
    if args.json:
        write_json({"written": [str(path) for path in paths]})
    else:
        sys.stdout.write("".join(f"{path}\n" for path in paths))


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(entry)}" for key, entry in value.items())
    if isinstance(value, list):
        return ", ".join(map(_shown, value)) or "none"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
