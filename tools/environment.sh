#!/bin/sh
# Makes one of the two Python environments, or does nothing when it is already complete.
#   tools/environment.sh backend [EXTRA…]   .venv: the backend with these extras of pyproject.toml; Python 3.11 or newer
#   tools/environment.sh blender            .venv-blender: Blender as a Python module; Python 3.11 exactly
# This part only finds a fitting Python (PYTHON=… wins, then what is installed, then uv) and hands over to environment.py.
set -eu
here=$(dirname "$0")

case "${1:-}" in
  backend) wanted="sys.version_info >= (3, 11)" name="Python 3.11 or newer" ;;
  blender) wanted="sys.version_info[:2] == (3, 11)" name="Python 3.11" ;;
  *) echo "usage: tools/environment.sh backend [EXTRA…] | blender" >&2; exit 2 ;;
esac

bare=
take() { # go on with this Python if it fits; remember one that only lacks venv; else return
  "$1" -c "import sys; sys.exit(not ($wanted))" 2>/dev/null || return 0
  if "$1" -c "import ensurepip, venv" 2>/dev/null; then exec "$1" "$here/environment.py" $arguments; fi
  bare=$1
}
arguments=$*

if [ -n "${PYTHON:-}" ]; then
  take "$PYTHON"
  echo "PYTHON=$PYTHON is not $name with its venv module." >&2
  exit 1
fi
for python in python3.11 python3.12 python3.13 python3 python; do take "$python"; done

if command -v uv >/dev/null 2>&1; then
  echo "$name is not installed: uv fetches Python 3.11."
  uv python install --quiet 3.11 && exec "$(uv python find 3.11)" "$here/environment.py" $arguments
fi

if [ -n "$bare" ]; then
  echo "$bare cannot make virtual environments: install its venv module (Debian, Ubuntu: sudo apt install" \
    "$("$bare" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')), then run the command again." >&2
else
  echo "$name is needed and was not found: install it (or uv, which fetches it by itself) and run the command again," \
    "or name it with PYTHON=/path/to/python3.11." >&2
fi
exit 1
