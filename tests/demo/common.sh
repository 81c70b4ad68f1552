# shellcheck shell=bash
# What the demos share: a folder and processes that end with the script, waiting, headings.

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

# A seepd of its own: start_seepd OPTION...
start_seepd() {
	build/seepd "$@" --socket "$SEEP_SOCKET" --state-dir "$folder/state" 2>"$folder/seepd.log" &
	pids+=($!)
	wait_for build/seepctl status ||
		fail "seepd did not start: $(tail -n 1 "$folder/seepd.log")" \
			"'build/seepctl doctor' tells what this machine can do"
}

# The id of the first leak of a process that people were told of, within so many seconds.
told_leak() {
	local end=$((SECONDS + $2)) leak

	while [ "$SECONDS" -lt "$end" ]; do
		leak=$(build/seepctl leaks --json "$1" |
			jq -r "[.leaks[] | select(.told)${3:+ | select($3)}][0].id // empty")
		if [ -n "$leak" ]; then
			echo "$leak"
			return
		fi
		read -r -t 0.5 <> <(:) || true
	done
	return 1
}
