#!/bin/sh
# make bench: needs root and a kernel with uprobe_multi links. Options are those of bench.
set -eu
cd "$(dirname "$0")/../.."
if [ "$(id -u)" -ne 0 ]; then
	echo "bench: setting probes needs root" >&2
	exit 1
fi
exec "${BUILD:-build}/bench/bench" --build "${BUILD:-build}" "$@"
