"""All benchmarks, one after the other: `make bench`."""

from __future__ import annotations

import subprocess
import sys

for name in ("heal", "latency", "scale", "speed"):
    print(f"\n== {name}", flush=True)
    subprocess.run([sys.executable, "-m", f"bench.{name}"], check=True)
