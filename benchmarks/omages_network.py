"""Seconds and memory of one evaluation of omages' networks, beside bare matrix products of as many operations.

    python benchmarks/omages_network.py [--network NAME] [--batch N] [--device cuda] [--dtype bfloat16] [--json]

Released configuration, random weights, two threads on a CPU. An evaluation is that of one object in one step: two
images for null2geo, with and without category; one for geo2mat, which is published without guidance. Operations are
those of matrix products, convolutions and attention. The peer multiplies matrices of the network's usual size, in the
same type, for as many operations; `ratio` is the network's time over the peer's, processor time on a CPU. Memory is the
most that the process (CPU) or torch (CUDA) held in an evaluation, weights included. Limit: a ratio of 2. Status 1:
over it.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import torch

MOST_RATIO = 2.0
THREADS = 2


class Case(NamedTuple):
    """How a network is built on the current device, and what an evaluation of `batch` objects is."""

    build: Callable[[], torch.nn.Module]
    evaluation: Callable[[torch.nn.Module, int, torch.device], Callable[[], object]]
    """(network, batch, device) -> the work; also asked for on the meta device"""
    matrix: tuple[int, int, int]
    """Rows, inner and columns of the network's usual product, for one object"""


def null2geo() -> Case:
    import torch
    from omagen.engines.omages.dit import DiTConfig, OmgDiT
    from omagen.engines.omages.null2geo import guided

    config = DiTConfig()

    def evaluation(network: torch.nn.Module, batch: int, device: torch.device) -> Callable[[], object]:
        assert isinstance(network, OmgDiT)
        x = torch.randn(batch, config.in_channels, config.input_size, config.input_size, device=device)
        t = torch.full((batch,), 500, device=device)
        predict = guided(network, torch.zeros(batch, dtype=torch.int64, device=device), 4.0)
        return lambda: predict(x, t)

    return Case(lambda: OmgDiT(config), evaluation, (2 * 4096, config.hidden_size, 3 * config.hidden_size))


def geo2mat() -> Case:
    import torch
    from omagen.engines.omages.geo2mat import velocity
    from omagen.engines.omages.unet import UNet
    from omagen.engines.omages.unet_config import UNetConfig

    config = UNetConfig()

    def evaluation(network: torch.nn.Module, batch: int, device: torch.device) -> Callable[[], object]:
        assert isinstance(network, UNet)
        x = torch.randn(batch, config.channels, 64, 64, device=device)
        geometry = torch.randn(batch, config.cond_images_channels, 64, 64, device=device)
        log_snr = torch.zeros(batch, device=device)
        predict = velocity(network, geometry, torch.randn(batch, 1, config.text_embed_dim, device=device), 1.0)
        return lambda: predict(x, log_snr)

    return Case(lambda: UNet(config), evaluation, (32 * 32, 9 * 512, 512))


NETWORKS: dict[str, Callable[[], Case]] = {"null2geo": null2geo, "geo2mat": geo2mat}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=NETWORKS, help="only this one, in this process")
    parser.add_argument("--batch", type=int, default=1, help="objects in one evaluation")
    parser.add_argument("--repeat", type=int, default=1, help="of either, after one that is not counted")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    rows = {options.network: measured(options)} if options.network else {name: child(name) for name in NETWORKS}
    sys.stdout.write(json.dumps(rows, indent=1) + "\n" if options.json else table(rows))
    return int(any(row["ratio"] > MOST_RATIO for row in rows.values()))


def child(name: str) -> dict[str, Any]:
    """A process for each network, so that its memory is its own."""
    words = [sys.executable, __file__, *sys.argv[1:], "--network", name, "--json"]
    process = subprocess.run(words, check=False, stdout=subprocess.PIPE, text=True)
    return json.loads(process.stdout)[name]


def measured(options: argparse.Namespace) -> dict[str, Any]:
    import torch

    torch.set_num_threads(THREADS)
    case = NETWORKS[options.network]()
    device, dtype = torch.device(options.device), getattr(torch, options.dtype)
    with torch.inference_mode():
        operations = counted(case, options.batch)
        with device:
            network = case.build().to(dtype).eval()
        work = case.evaluation(network, options.batch, device)
        work()
        memory = memory_mb(device)
        rows, inner, columns = case.matrix
        left, right = (torch.randn(shape, device=device, dtype=dtype) for shape in ((rows, inner), (inner, columns)))
        product = left @ right
        count = max(1, round(operations / (2 * rows * inner * columns)))

        def products() -> None:
            for _ in range(count):
                torch.mm(left, right, out=product)

        taken = [(timed(work, device), timed(products, device)) for _ in range(options.repeat)]
    own, peer = (min(runs, key=lambda run: run.cost) for runs in zip(*taken, strict=True))
    share = operations / (count * 2 * rows * inner * columns)  # the peer's operations are whole products
    return {
        "batch": options.batch, "device": device_name(device), "dtype": options.dtype,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "tflop": operations / 1e12, "seconds": own.seconds, "products_s": peer.seconds * share,
        "ratio": own.cost / (peer.cost * share), "memory_mb": memory,
    }  # fmt: skip


def counted(case: Case, batch: int) -> int:
    """Operations of an evaluation: on no device, and with attention as plain products, which torch knows to count."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    meta = torch.device("meta")
    with meta:
        network = case.build().eval()
    work = case.evaluation(network, batch, meta)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        work()
    return counter.get_total_flops()


class Run(NamedTuple):
    seconds: float
    cost: float
    """On a CPU, which others may use too, seconds of the process; else the seconds"""


def timed(work: Callable[[], object], device: torch.device) -> Run:
    settle(device)
    begin, cpu = time.perf_counter(), time.process_time()
    work()
    settle(device)
    seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
    return Run(seconds, cpu if device.type == "cpu" else seconds)


def settle(device: torch.device) -> None:
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize()


def device_name(device: torch.device) -> str:
    import torch

    return torch.cuda.get_device_name() if device.type == "cuda" else device.type


def memory_mb(device: torch.device) -> float:
    import torch

    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 2**20


def table(rows: dict[str, dict[str, Any]]) -> str:
    names = ("parameters", "TFLOP", "seconds", "products", "ratio", "MB")
    lines = ["network    batch {:>12} {:>7} {:>9} {:>9} {:>6} {:>7}".format(*names)]
    lines += [
        f"{name:10} {row['batch']:5} {row['parameters']:12,} {row['tflop']:7.3f} {row['seconds']:9.3f} "
        f"{row['products_s']:9.3f} {row['ratio']:6.2f} {row['memory_mb']:7.0f}"
        for name, row in rows.items()
    ]
    where = {f"{row['device']}, {row['dtype']}" for row in rows.values()}
    return "\n".join([*lines, f"{'; '.join(sorted(where))}; limit of the ratio: {MOST_RATIO:g}", ""])


if __name__ == "__main__":
    sys.exit(main())
