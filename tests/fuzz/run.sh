#!/usr/bin/env bash
# Each fuzz target for a while: run.sh SECONDS JOBS
#
# Starts from tests/fuzz/corpus/NAME; what is found new is kept in build/fuzz/corpus/NAME, findings in
# build/fuzz/found/. TEST=word: only targets whose name has the word.
set -u
cd "$(dirname "$0")/../.." || exit 1

build=${BUILD:-build}
seconds=${1:?seconds} jobs=${2:?jobs}
names=()

# As in the symbolizer's child, which has a limit: memory that a file asks for and that is not to be had.
export ASAN_OPTIONS=max_allocation_size_mb=512:allocator_may_return_null=1

fuzz_one() {
	local name=$1 log=$build/fuzz/$1.log

	mkdir -p "$build/fuzz/corpus/$name" "$build/fuzz/found"
	if "$build/fuzz/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=0 -max_len=16384 \
		-print_final_stats=1 -artifact_prefix="$build/fuzz/found/$name-" \
		"$build/fuzz/corpus/$name" "tests/fuzz/corpus/$name" >"$log" 2>&1; then
		printf '  ok   %-20s %s\n' "$name" "$(sed -n \
			's/stat::number_of_executed_units: */inputs: /p' "$log")"
	else
		printf '  FAIL %-20s see %s\n' "$name" "$log"
		grep -E '^(==|SUMMARY|.*runtime error|artifact)' "$log" | head -n 5
		return 1
	fi
}

for source in tests/fuzz/fuzz_*.c; do
	name=$(basename "${source%.c}")
	case $name in
	*"${TEST:-}"*) names+=("$name") ;;
	esac
done

failed=0 running=0
for name in "${names[@]}"; do
	if [ "$running" -ge "$jobs" ]; then
		wait -n || failed=$((failed + 1))
		running=$((running - 1))
	fi
	fuzz_one "$name" &
	running=$((running + 1))
done
while [ "$running" -gt 0 ]; do
	wait -n || failed=$((failed + 1))
	running=$((running - 1))
done
echo "$((${#names[@]} - failed)) passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
