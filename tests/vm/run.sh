#!/usr/bin/env bash
# Boots Debian's kernels under software emulation and runs the tests in each.
#
#   KERNELS="5.10 6.12"  only these (5.10 6.1 6.12 newest)
#   VM_TIMEOUT=n         seconds that one machine may run (600)
#   PREEMPT_SECONDS=n    seconds that threads preempt one another (7), without the other tests
#
# Where the kernel can be told so, it preempts whatever it can (preempt=full).
#
# One line per test file and kernel, the end of what failed, every skip with its reason, and at the end
# "N passed, N failed, N skipped" over all.
set -u
cd "$(dirname "$0")/../.." || exit 1

build=${BUILD:-build}/vm
kernels=${KERNELS:-5.10 6.1 6.12 newest}
time_limit=${VM_TIMEOUT:-600}
seconds=${PREEMPT_SECONDS:-}
passed=0
failed=0
skipped=0

if ! command -v qemu-system-x86_64 >/dev/null; then
	echo "run.sh: there is no qemu-system-x86_64; make test-vm installs it" >&2
	exit 1
fi

# Two serial ports: the kernel's console, and what the tests print. The processors share one thread:
# on two, one of them may still run code that the other has patched (perf events switch static keys
# in the scheduler), and the kernel dies of a breakpoint that it has long taken away.
boot() {
	timeout --kill-after=10 "$time_limit" qemu-system-x86_64 -accel tcg,thread=single -m 1024 -smp 2 \
		-nodefaults -display none -no-reboot -kernel "$1" -initrd "$build/initramfs.cpio" \
		-append "console=ttyS0 quiet panic=-1 oops=panic preempt=full${seconds:+ PREEMPT_SECONDS=$seconds}" \
		-serial "file:$2.console" -serial "file:$2.tap" </dev/null
}

run_kernel() {
	local image log=$build/log/$1 report counts ok bad skip

	echo "$1"
	if ! image=$(tests/vm/kernel.sh "$1"); then
		echo '  FAIL its package cannot be fetched'
		failed=$((failed + 1))
		return
	fi
	rm -f "$log.console" "$log.tap"
	boot "$image" "$log"
	report=$(touch "$log.tap" && awk -v TAIL=100 -f tests/vm/summary.awk "$log.tap")
	counts=${report##*$'\n'}
	printf '%s\n' "${report%$'\n'*}"
	read -r ok bad skip <<<"$counts"
	if [ "$bad" -gt 0 ]; then
		echo "  the end of $log.console:"
		tail -n 30 "$log.console" 2>/dev/null | sed 's/^/       | /'
	fi
	passed=$((passed + ok))
	failed=$((failed + bad))
	skipped=$((skipped + skip))
}

mkdir -p "$build/log"
tests/vm/initramfs.sh "$build/initramfs.cpio" || exit 1
for kernel in $kernels; do
	run_kernel "$kernel"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
