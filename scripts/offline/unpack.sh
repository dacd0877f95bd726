#!/usr/bin/env bash
# Unpacks what pack.mjs made, into this checkout, and builds the addon by the compiler alone on the LibTorch that
# Python's torch brings. Afterwards: scripts/offline/omni-id COMMAND …
#   scripts/offline/unpack.sh FOLDER
set -euo pipefail
folder=$(realpath "${1:?the folder with the parts}")
cd "$(dirname "$0")/../.."
python3 - "$folder" <<'PYTHON'
import io, lzma, pathlib, sys, tarfile

class Parts(io.RawIOBase):
    """All parts as one file."""
    def __init__(self, parts):
        self.left, self.file = list(parts), None
    def readable(self):
        return True
    def readinto(self, buffer):
        while self.file or self.left:
            self.file = self.file or open(self.left.pop(0), "rb")
            count = self.file.readinto(buffer)
            if count:
                return count
            self.file = None
        return 0

parts = sorted(pathlib.Path(sys.argv[1]).glob("omni-id.tar.xz.*"))
if not parts:
    sys.exit(f"{sys.argv[1]}: no omni-id.tar.xz.000 there; make them by: node scripts/offline/pack.mjs FOLDER")
with tarfile.open(fileobj=lzma.open(io.BufferedReader(Parts(parts))), mode="r|") as archive:
    archive.extractall(".")
PYTHON
chmod +x .offline/node
[ -e packages/torch/build/Release/torch_native.node ] || python3 scripts/gpu-proof/build.py "$PWD/.offline/node" "$PWD/.offline/include" "$PWD/packages/torch"
scripts/offline/omni-id doctor || true
