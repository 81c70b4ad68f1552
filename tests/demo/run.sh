#!/usr/bin/env bash
# make demo: a leak in a running server, found from outside and told by itself. About a minute.
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=${DEMO_SECONDS:-90}
rate=${DEMO_RATE:-200}

# shellcheck source=tests/demo/common.sh
. tests/demo/common.sh

echo "A small server is running. It remembers who has logged in until they log out; whoever leaves"
echo "without that is remembered for ever. Searches and uploads allocate and free, and a cache fills up"
echo "and then stays as it is."
build/workloads/leaky_server >"$folder/server.out" &
pids+=($!)
server=$!
wait_for grep -q '^port ' "$folder/server.out" || fail "the demo server did not start"
port=$(awk '/^port / { print $2; exit }' "$folder/server.out")

say "\$ seepd --tick 1s --detector-tick 50ms &        # what it knows of hours, within seconds"
start_seepd --tick 1s --detector-tick 50ms

say "\$ seepctl track --limit 96M $server        # the server runs on, unchanged"
build/seepctl track --limit 96M "$server"

echo
echo "Now $rate users a second log in and out, and as many leave without; seepd is left to itself ..."
build/workloads/leaky_server --drive "$port" "$rate" "$seconds" >"$folder/client.out" &
pids+=($!)

leak=$(told_leak "$server" "$seconds") ||
	fail "nothing was told within $seconds seconds" "$(tail -n 1 "$folder/seepd.log")"

say "What seepd says in its log:"
grep 'leak in' "$folder/seepd.log" | sed 's/^/  /'

say "\$ seepctl leaks"
build/seepctl leaks

say "\$ seepctl show ${leak:0:8}"
build/seepctl show "${leak:0:8}" --quiet

say "\$ seepctl sites $server --by line --sort growth --limit 5        # the cache is among them, and no leak"
build/seepctl sites "$server" --by line --sort growth --limit 5

say "The verdicts:"
build/seepctl sites "$server" --by stack --sort live --limit 3 --json |
	jq -r '.sites[] | .frames[0] as $f | "  \($f.function) (\($f.file | split("/") | last):\($f.line)): \(.trend.verdict)"'
