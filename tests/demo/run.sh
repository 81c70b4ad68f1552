#!/usr/bin/env bash
# make demo: a leak in a running server, found from outside and told by itself. About a minute.
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=${DEMO_SECONDS:-90}
rate=${DEMO_RATE:-200}

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
	# The last one first: a client without its server would complain.
	for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
		kill "${pids[i]}" 2>/dev/null || true
		wait "${pids[i]}" 2>/dev/null || true
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

echo "A small server is running. It remembers who has logged in until they log out; whoever leaves"
echo "without that is remembered for ever. Searches and uploads allocate and free, and a cache fills up"
echo "and then stays as it is."
build/workloads/leaky_server >"$folder/server.out" &
pids+=($!)
server=$!
wait_for grep -q '^port ' "$folder/server.out" || fail "the demo server did not start"
port=$(awk '/^port / { print $2; exit }' "$folder/server.out")

say "\$ seepd --tick 1s --detector-tick 50ms &        # what it knows of hours, within seconds"
build/seepd --tick 1s --detector-tick 50ms --socket "$SEEP_SOCKET" --state-dir "$folder/state" \
	2>"$folder/seepd.log" &
pids+=($!)
wait_for build/seepctl status ||
	fail "seepd did not start: $(tail -n 1 "$folder/seepd.log")" "'build/seepctl doctor' tells what this machine can do"

say "\$ seepctl track --limit 96M $server        # the server runs on, unchanged"
build/seepctl track --limit 96M "$server"

echo
echo "Now $rate users a second log in and out, and as many leave without; seepd is left to itself ..."
build/workloads/leaky_server --drive "$port" "$rate" "$seconds" >"$folder/client.out" &
pids+=($!)

is_told() {
	build/seepctl leaks --json "$server" | jq -e '[.leaks[] | select(.told)] | length > 0' >/dev/null
}

told=no
for _ in $(seq "$seconds"); do
	if wait_for is_told; then
		told=yes
		break
	fi
done
[ "$told" = yes ] || fail "nothing was told within $seconds seconds" "$(tail -n 1 "$folder/seepd.log")"

say "What seepd says in its log:"
grep 'leak in' "$folder/seepd.log" | sed 's/^/  /'

say "\$ seepctl leaks"
build/seepctl leaks

leak=$(build/seepctl leaks --json "$server" | jq -r '[.leaks[] | select(.told)][0].id')
say "\$ seepctl show ${leak:0:8}"
build/seepctl show "${leak:0:8}" --quiet

say "\$ seepctl sites $server --by line --sort growth --limit 5        # the cache is among them, and no leak"
build/seepctl sites "$server" --by line --sort growth --limit 5

say "The verdicts:"
build/seepctl sites "$server" --by stack --sort live --limit 3 --json |
	jq -r '.sites[] | .frames[0] as $f | "  \($f.function) (\($f.file | split("/") | last):\($f.line)): \(.trend.verdict)"'
