#!/usr/bin/env bash
# Runs test tiers: run.sh unit fuzz eval bpf e2e python
#
# Every test file is a program that prints TAP. One line per file, the output of those that fail,
# every skip with its reason, and at the end "N passed, N failed, N skipped" over all.
#
#   TEST=word        only files whose name has the word; TEST=word:case hands "case" to the file
#   TEST_TIMEOUT=n   seconds that one file may take (1200)
set -u
cd "$(dirname "$0")/.." || exit 1

build=${BUILD:-build}
filter=${TEST:-}
time_limit=${TEST_TIMEOUT:-1200}
passed=0
failed=0
skipped=0

# What real probes need and this machine lacks; empty: nothing.
why_no_probes() {
	if [ "$(id -u)" -ne 0 ]; then
		echo "needs root"
	elif [ ! -r /sys/kernel/btf/vmlinux ]; then
		echo "needs a kernel with BTF (/sys/kernel/btf/vmlinux)"
	elif [ ! -r /sys/bus/event_source/devices/uprobe/type ]; then
		echo "needs a kernel with uprobes (CONFIG_UPROBE_EVENTS)"
	fi
}

# The test files of a tier, by their sources: what is left in build/ of an old one does not count.
list_tier() {
	local source

	case $1 in
	unit) for source in tests/unit/test_*.c; do echo "$source"; done ;;
	fuzz) for source in tests/fuzz/fuzz_*.c; do echo "$source"; done ;;
	eval) for source in tests/eval/test_*.sh; do echo "$source"; done ;;
	bpf) for source in tests/bpf/test_*.c; do echo "$source"; done ;;
	e2e) for source in tests/e2e/test_*.py; do echo "$source"; done ;;
	python) for source in tests/python/test_*.py; do echo "$source"; done ;;
	esac
}

# The program of a test file.
program_of() {
	local name

	name=$(basename "$2")
	case $1 in
	unit) echo "$build/san/unit/${name%.c}" ;;
	fuzz) echo "$build/san/fuzz/${name%.c}" ;;
	bpf) echo "$build/tests/bpf/${name%.c}" ;;
	eval | e2e | python) echo "$2" ;;
	esac
}

# Counts the TAP in a file: "ok" "not ok" "skipped" "planned". Every cmocka group has a plan of its
# own, and cmocka calls a skipped test "not ok N # SKIP".
count_tap() {
	awk '
		/^(not )?ok .*# SKIP/ { skip++; next }
		/^ok / { ok++; next }
		/^not ok / { bad++; next }
		/^1\.\.[0-9]+/ { sub(/^1\.\./, ""); plan += $1; plans++ }
		END { print ok + 0, bad + 0, skip + 0, plans ? plan + 0 : -1 }
	' "$1"
}

# Skipped tests with their reasons. In C the reason is the line "# skip: ..." before skip().
print_skips() {
	awk '
		/^# skip: / { reason = substr($0, 9); next }
		/^(not )?ok .*# SKIP/ {
			sub(/^(not )?ok [0-9]*/, "")
			sub(/^ *-? */, "")
			sub(/ *# SKIP */, $0 ~ /^# SKIP/ ? "" : ": ")
			print "       skipped  " $0 (reason == "" ? "" : ": " reason)
		}
		{ reason = "" }
	' "$1"
}

print_failure() {
	sed 's/^/       | /' "$1" | tail -n 200
}

seconds_since() {
	awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }'
}

run_file() {
	local tier=$1 source=$2 program log name start status ok bad skip plan problem="" by=()

	program=$(program_of "$tier" "$source")
	name=$tier/$(basename "${source%.*}")
	log=$build/tests/log/$tier-$(basename "${source%.*}").log
	mkdir -p "$(dirname "$log")"
	if [ "$tier" = e2e ] || [ "$tier" = python ]; then
		by=(python3)
	elif [ "$tier" = fuzz ]; then
		by=("$program")
		program=tests/fuzz/corpus/$(basename "${source%.*}")
	fi
	if [ "${by[*]}" != python3 ] && [ ! -x "${by[0]:-$program}" ]; then
		printf '  FAIL %-28s not built: %s\n' "$name" "${by[0]:-$program}"
		failed=$((failed + 1))
		return
	fi

	start=$EPOCHREALTIME
	case $filter in
	*:*) export SEEP_CASE=${filter#*:} ;;
	esac
	CMOCKA_MESSAGE_OUTPUT=TAP timeout --kill-after=10 "$time_limit" "${by[@]}" "$program" \
		>"$log" 2>&1 </dev/null
	status=$?
	read -r ok bad skip plan < <(count_tap "$log")

	if [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then
		problem="not finished after $time_limit s"
	elif [ "$status" -gt 128 ]; then
		problem="killed by signal $((status - 128))"
	elif [ "$plan" -ge 0 ] && [ $((ok + bad + skip)) -ne "$plan" ]; then
		problem="$((ok + bad + skip)) results of $plan planned, exit status $status"
	elif [ $((ok + bad + skip)) -eq 0 ]; then
		problem="no results, exit status $status"
	elif [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then
		problem="exit status $status"
	fi
	if [ -n "$problem" ]; then
		bad=$((bad + 1))
	fi
	passed=$((passed + ok))
	failed=$((failed + bad))
	skipped=$((skipped + skip))

	if [ "$bad" -gt 0 ]; then
		printf '  FAIL %-28s %3d passed, %d failed  %s s%s\n' "$name" "$ok" "$bad" \
			"$(seconds_since "$start")" "${problem:+  ($problem)}"
		print_failure "$log"
	else
		printf '  ok   %-28s %3d passed  %s s\n' "$name" "$ok" "$(seconds_since "$start")"
	fi
	print_skips "$log"
}

run_tier() {
	local tier=$1 why="" source

	case $tier in
	bpf | e2e) why=$(why_no_probes) ;;
	esac
	while read -r source; do
		case $(basename "$source") in
		*"${filter%%:*}"*) ;;
		*) continue ;;
		esac
		if [ ! -e "$source" ]; then
			continue
		fi
		if [ -n "$why" ]; then
			printf '  skip %-28s %s\n' "$tier/$(basename "${source%.*}")" "$why"
			skipped=$((skipped + 1))
		else
			run_file "$tier" "$source"
		fi
	done < <(list_tier "$tier")
}

if [ $# -eq 0 ]; then
	echo "usage: run.sh unit|fuzz|eval|bpf|e2e|python..." >&2
	exit 2
fi
for tier in "$@"; do
	case $tier in
	unit | fuzz | eval | bpf | e2e | python) run_tier "$tier" ;;
	*)
		echo "run.sh: there is no tier '$tier'; there are unit, fuzz, eval, bpf, e2e and python" >&2
		exit 2
		;;
	esac
done

if [ $((passed + failed)) -eq 0 ]; then
	echo "nothing was run${filter:+ (TEST=$filter)}"
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
