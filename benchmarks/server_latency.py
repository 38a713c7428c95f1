"""How long the server takes to answer while a job keeps every core busy. Limit: 50 ms for 99 of 100 requests.

The comparison is a bare asyncio server that sends fixed bytes, asked in turns with ours by the same client under the
same load: what the operating system and the client cost is in its row as well.

    python benchmarks/server_latency.py [--requests 1000]
"""

from __future__ import annotations

import argparse
import http.client
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests" / "backend")]
from server_process import (  # noqa: E402  # pyright: ignore[reportMissingImports]
    RunningServer,
    running_server,
)

LIMIT_S = 0.05
PAUSE_S = 0.002
"""Between requests: a client that asks without pause would measure its own share of the processor."""
PEER = """
import asyncio

ANSWER = b"HTTP/1.1 200 OK\\r\\nContent-Length: 17\\r\\n\\r\\n" + b'{"hello":"world"}'

async def answer(reader, writer):
    while await reader.readuntil(b"\\r\\n\\r\\n"):
        writer.write(ANSWER)

async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1000, help="per row and load")
    requests = parser.parse_args().requests
    with tempfile.TemporaryDirectory() as folder, running_server(Path(folder)) as server, _peer() as peer_port:
        done = server.submit()
        server.wait(done)
        paths = ["/v1/health", "/v1/engines", f"/v1/jobs/{done}", "/v1/jobs"]
        idle = _measure(server, peer_port, paths, requests)
        job = server.submit("saturate", seconds=600)
        while server.ask("GET", f"/v1/jobs/{job}").json["progress"]["stage"] != "burning":
            time.sleep(0.05)
        busy = _measure(server, peer_port, paths, requests)
        server.ask("POST", f"/v1/jobs/{job}/cancel")
    write = sys.stdout.write
    write("| request | idle p50, ms | idle p99, ms | busy p50, ms | busy p99, ms | busy worst, ms | limit, ms |\n")
    write("| --- | --- | --- | --- | --- | --- | --- |\n")
    for path in idle:
        limit = "" if path.startswith("bare") else f"{LIMIT_S * 1000:.0f}"
        cells = (*_percentiles(idle[path]), *_percentiles(busy[path]), max(busy[path]))
        title = path.replace(done, "{id}")
        write(f"| {title} | {' | '.join(f'{seconds * 1000:.1f}' for seconds in cells)} | {limit} |\n")
    if max(_percentiles(busy[path])[1] for path in paths) > LIMIT_S:
        sys.exit("the limit was missed")


def _measure(server: RunningServer, peer_port: int, paths: list[str], requests: int) -> dict[str, list[float]]:
    """Seconds of every request, by path; the paths and the peer take turns, so that they meet the same load."""
    ours = http.client.HTTPConnection("127.0.0.1", server.state.port)
    peer = http.client.HTTPConnection("127.0.0.1", peer_port)
    headers = {"Authorization": f"Bearer {server.state.token}"}
    peer_title = "bare asyncio server"
    found: dict[str, list[float]] = {path: [] for path in [*paths, peer_title]}
    for _ in range(requests):
        for path, seconds in found.items():
            connection, address = (peer, "/") if path == peer_title else (ours, path)
            time.sleep(PAUSE_S)
            begin = time.perf_counter()
            connection.request("GET", address, headers=headers)
            reply = connection.getresponse()
            reply.read()
            seconds.append(time.perf_counter() - begin)
            if reply.status != 200:
                sys.exit(f"{path} answered with status {reply.status}")
    ours.close()
    peer.close()
    return found


def _percentiles(seconds: list[float]) -> tuple[float, float]:
    cuts = statistics.quantiles(seconds, n=100)
    return cuts[49], cuts[98]


@contextmanager
def _peer() -> Iterator[int]:
    process = subprocess.Popen(
        [sys.executable, "-c", PEER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    main()
