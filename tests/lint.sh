#!/usr/bin/env bash
# Static checks: lint.sh CC CLANG CLANG_TIDY "CFLAGS"
#
# All of them run, whatever the others find; the exit status says whether any found something.
# shellcheck disable=SC2317 # the checks are called through step()
set -u
cd "$(dirname "$0")/.." || exit 1

cc=${1:-gcc}
clang=${2:-clang}
clang_tidy=${3:-clang-tidy}
read -r -a flags <<<"${4:--std=gnu11 -D_GNU_SOURCE -Isrc -Ibuild/gen }"
failed=0

flags+=('-DSEEP_VERSION="0"')

step() {
	local name=$1 start=$EPOCHREALTIME
	shift

	if "$@"; then
		printf '  ok   %-12s' "$name"
	else
		printf '  FAIL %-12s' "$name"
		failed=1
	fi
	awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf " %.1f s\n", b - a }'
}

sources() {
	find src -name '*.c' | sort
}

check_compiler() {
	sources | xargs -P 2 -n 8 "$@" "${flags[@]}" -Werror -fsyntax-only
}

# src/ is checked whole, so that a function that is called from elsewhere is known. cppcheck does not
# know the cleanup attribute, so its leaks are none (the unit tests run under LeakSanitizer), nor
# that uthash's loops set their variable.
check_cppcheck() {
	mkdir -p build/cppcheck
	cppcheck -q -j 2 --std=c11 --enable=warning,performance,portability --inline-suppr \
		--cppcheck-build-dir=build/cppcheck --error-exitcode=1 --max-configs=1 \
		--suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches \
		--suppress=memleak --suppress=resourceLeak --suppress=uninitvar --suppress=legacyUninitvar \
		'-Djson_array_foreach(a,i,v)=while((i)=0,(v)=json_array_get(a,i))' \
		'-Dbpf_object__for_each_program(p,o)=while((p)=bpf_object__next_program(o,p))' \
		--library=gnu -D_GNU_SOURCE -D__x86_64__ -U__cplusplus -Isrc src
}

# What the compiler of the build warns of is its own affair (check_compiler).
check_clang_tidy() {
	sources | xargs -P 2 -I '{}' "$clang_tidy" --quiet '{}' -- "${flags[@]}" -Wno-everything \
		2> >(grep -vE '^[0-9]+ warnings? (generated|treated)|^Suppressed|^Use -header' >&2)
}

check_shell() {
	find tests systemd .ci -name '*.sh' -o -path '.ci/run' | sort | xargs shellcheck
}

check_python() {
	python3 -W error -c '
import ast, sys
for name in sys.argv[1:]:
    with open(name, encoding="utf-8") as f:
        ast.parse(f.read(), name)
' tests/e2e/*.py tests/eval/*.py tests/python/*.py
}

step "$(basename "$cc")" check_compiler "$cc"
step "$(basename "$clang")" check_compiler "$clang"
step shellcheck check_shell
step python check_python
step cppcheck check_cppcheck
step clang-tidy check_clang_tidy
exit $failed
