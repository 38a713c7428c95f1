"""Run every benchmark, or those named: `python -m benchmarks [NAME ...]`. Each prints a table with a comparison."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def main(names: list[str]) -> int:
    known = sorted(path.stem for path in FOLDER.glob("[!_]*.py"))
    if unknown := set(names) - set(known):
        sys.stderr.write(f"No benchmark {', '.join(sorted(unknown))}; there are: {', '.join(known)}.\n")
        return 2
    missed = []
    for name in names or known:
        sys.stdout.write(f"\n## {name}\n\n")
        sys.stdout.flush()
        if subprocess.run([sys.executable, str(FOLDER / f"{name}.py")], check=False).returncode:
            missed.append(name)
    if missed:
        sys.stderr.write(f"\nFailed or missed their limit: {', '.join(missed)}\n")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
