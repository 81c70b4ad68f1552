#!/usr/bin/env bash
# Boots a Debian with systemd under software emulation, which installs the package and tries the units.
#
#   KERNELS="6.12 newest"  with these kernels (6.12)
#   VM_TIMEOUT=n           seconds that one machine may run (2700)
#   KILLS=n                how often seepd is killed at some moment (11)
#
# Its packages are build/vm/seep_VERSION_ARCH.deb, and the same programs as a later version.
set -u
cd "$(dirname "$0")/../.." || exit 1

build=${BUILD:-build}
kernels=${KERNELS:-6.12}
time_limit=${VM_TIMEOUT:-2700}
passed=0
failed=0
skipped=0

boot() {
	timeout --kill-after=10 "$time_limit" qemu-system-x86_64 -accel tcg,thread=single -m 3072 -smp 2 \
		-nodefaults -display none -no-reboot -kernel "$1" -initrd "$build/vm/systemd.cpio" \
		-append "console=ttyS0 quiet panic=-1 oops=panic rdinit=/lib/systemd/systemd
			systemd.default_timeout_start_sec=300 systemd.show_status=0
			seep.kills=${KILLS:-11}" \
		-serial "file:$2.console" -serial "file:$2.tap" </dev/null
}

run_kernel() {
	local image log=$build/vm/log/systemd-$1 report ok bad skip

	echo "systemd, Linux $1"
	if ! image=$(tests/vm/kernel.sh "$1"); then
		echo '  FAIL its package cannot be fetched'
		failed=$((failed + 1))
		return
	fi
	rm -f "$log.console" "$log.tap"
	boot "$image" "$log"
	report=$(touch "$log.tap" && awk -v TAIL=200 -f tests/vm/summary.awk "$log.tap")
	printf '%s\n' "${report%$'\n'*}"
	read -r ok bad skip <<<"${report##*$'\n'}"
	if [ "$bad" -gt 0 ]; then
		echo "  the end of $log.console:"
		tail -n 30 "$log.console" 2>/dev/null | sed 's/^/       | /'
	fi
	passed=$((passed + ok))
	failed=$((failed + bad))
	skipped=$((skipped + skip))
}

if [ $# -ne 2 ]; then
	echo "usage: systemd.sh DEB LATER_DEB" >&2
	exit 2
fi
mkdir -p "$build/vm/log"
tests/vm/systemd_root.sh "$build/vm/systemd.cpio" "$@" || exit 1
for kernel in $kernels; do
	run_kernel "$kernel"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
