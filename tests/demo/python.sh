#!/usr/bin/env bash
# make demo, the second half: tasks of a Python service that are never discarded, found from outside, with
# the line that creates them and what holds them. Two to four minutes, on a busy machine more.
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=${DEMO_SECONDS:-420}
rate=${DEMO_RATE:-500}
python=/usr/bin/python3

# shellcheck source=tests/demo/common.sh
. tests/demo/common.sh

"$python" -c 'import fastapi, uvicorn, websockets' 2>/dev/null ||
	fail "FastAPI is not installed for $python" "make deps installs it"
port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])')

say "A service in Python (FastAPI) holds WebSockets of 50 devices, and starts tasks for each reading:"
sed -n '/^    def run/,/^    async/ { /^    async/d; p; }' tests/demo/telemetry.py

(
	cd tests/demo
	exec "$python" -B -m uvicorn telemetry:app --port "$port" --log-level warning
) >"$folder/server.out" 2>&1 &
pids+=($!)
server=$!
wait_for curl -fs "http://127.0.0.1:$port/received" ||
	fail "the service did not start" "$(tail -n 1 "$folder/server.out")"

say "\$ seepd --tick 1s --detector-tick 50ms --census-budget 50% &        # days within minutes"
start_seepd --tick 1s --detector-tick 50ms --census-budget 50%

say "\$ seepctl track --limit 256M $server        # the service runs on: no restart, no code in it"
build/seepctl track --limit 256M "$server"

echo
echo "Now they send $rate readings a second; seepd is left to itself ..."
"$python" tests/demo/devices.py "$port" "$rate" "$seconds" >"$folder/client.out" 2>&1 &
pids+=($!)

# Lines and holders are found after the type.
leak=$(told_leak "$server" "$seconds" '(.held_by // [] | length > 0) and (.created_at // [] | length > 0)') ||
	leak=$(told_leak "$server" 1) ||
	fail "nothing was told within $seconds seconds" "$(tail -n 1 "$folder/seepd.log")"

say "What seepd says in its log:"
grep 'leak in' "$folder/seepd.log" | sed 's/^/  /'

say "\$ seepctl show ${leak:0:8}"
build/seepctl show "${leak:0:8}" --quiet

say "\$ seepctl census $server --limit 8"
build/seepctl census "$server" --limit 8

say "In short:"
build/seepctl show "${leak:0:8}" --json | jq -r '
	"  what     \(.type // "not known")",
	"  created  \(if .created_at | length > 0 then .created_at[0] |
		"\(.function) (\(.file | split("/") | last):\(.line))" else "not known" end)",
	"  held by  \(if .held_by | length > 0 then .held_by[0] | "\(.path), a \(.container)"
		else "not known" end)",
	"  mend     \(.hint // "not known")"'
