#!/usr/bin/env bash
# make demo: a leak in a running server, found from outside. About a minute.
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=${DEMO_SECONDS:-50}
rate=${DEMO_RATE:-40}

fail() {
	echo "demo: $1" >&2
	[ -z "${2:-}" ] || echo "demo: $2" >&2
	exit 1
}

[ "$(id -u)" -eq 0 ] || fail "setting probes needs root" "run: sudo make demo"
[ -r /sys/kernel/btf/vmlinux ] ||
	fail "this kernel has no BTF (/sys/kernel/btf/vmlinux)" \
		"boot a kernel with CONFIG_DEBUG_INFO_BTF, such as Debian's own linux-image-amd64"

folder=$(mktemp -d)
export SEEP_SOCKET=$folder/seep.sock
pids=()

cleanup() {
	for pid in "${pids[@]}"; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	rm -rf "$folder"
}
trap cleanup EXIT

# Waits until a command succeeds, at most 15 seconds.
wait_for() {
	local end=$((SECONDS + 15))

	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || return 1
		read -r -t 0.1 <> <(:) || true
	done
}

say() {
	if [ -t 1 ]; then
		printf '\n\033[1m%s\033[0m\n' "$*"
	else
		printf '\n%s\n' "$*"
	fi
}

echo "A small server is running. One of its request handlers keeps a record of every login and never"
echo "frees it; searches and uploads allocate and free, and a cache fills up and then stays as it is."
build/workloads/leaky_server >"$folder/server.out" &
pids+=($!)
server=$!
wait_for grep -q '^port ' "$folder/server.out" || fail "the demo server did not start"
port=$(awk '/^port / { print $2; exit }' "$folder/server.out")

say "\$ seepd --tick 1s &"
build/seepd --tick 1s --socket "$SEEP_SOCKET" 2>"$folder/seepd.log" &
pids+=($!)
wait_for build/seepctl status ||
	fail "seepd did not start: $(tail -n 1 "$folder/seepd.log")" "'build/seepctl doctor' tells what this machine can do"

say "\$ seepctl track $server        # the server runs on, unchanged"
build/seepctl track "$server"

echo
echo "For $seconds seconds the server gets $rate logins a second among its other requests ..."
build/workloads/leaky_server --drive "$port" "$rate" "$seconds" >"$folder/client.out"

say "\$ seepctl sites $server --by line --sort growth --limit 5"
build/seepctl sites "$server" --by line --sort growth --limit 5

say "\$ seepctl sites $server --sort growth --limit 1"
build/seepctl sites "$server" --sort growth --limit 1 --quiet

say "The leak:"
build/seepctl sites "$server" --by line --sort growth --limit 1 --json |
	jq -r '.sites[0] | .frames[0] as $f | "  \($f.function) (\($f.file | split("/") | last):\($f.line)) grows by \(
		.trend.bytes_per_hour / 1048576 * 10 | round / 10) MiB per hour: \(.live_count) blocks are live"'
