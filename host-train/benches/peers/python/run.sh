#!/usr/bin/env bash
# Runs one of the scripts beside it in a virtual environment of its own, which it builds on first use:
#   run.sh SCRIPT [ARGUMENT]...
# WATCHPOST_PEERS_VENV names another folder for it, WATCHPOST_PYTHON another interpreter (3.10 to 3.13).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
venv=${WATCHPOST_PEERS_VENV:-$here/../../../../target/peers-venv}
if ! cmp -s "$here/requirements.txt" "$venv/installed.txt"; then
    echo "building $venv (PyTorch is some gigabytes)" >&2
    "${WATCHPOST_PYTHON:-python3}" -m venv --clear "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt" >&2
    cp "$here/requirements.txt" "$venv/installed.txt"
fi
script=$1
shift
exec "$venv/bin/python" "$here/$script" "$@"
