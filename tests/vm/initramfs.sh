#!/usr/bin/env bash
# Builds the machines' only file system: initramfs.sh FILE
#
# busybox, the programs under test with all libraries that they name, Python and the tests.
set -eu
cd "$(dirname "$0")/../.."

build=${BUILD:-build}
out=$1
root=$build/vm/root

# With what it names: libraries and the loader, at the paths where it expects them.
add_libraries() {
	local library

	{ ldd "$@" || true; } 2>/dev/null | grep -o '/[^ )]*' | sort -u | while read -r library; do
		case $library in
		*:) ;;
		*) install -D -m 755 "$library" "$root$library" ;;
		esac
	done
}

add_python() {
	local library

	library=$(/usr/bin/python3 -c 'import os; print(os.path.dirname(os.__file__))')
	mkdir -p "$root$library" "$root/usr/bin"
	cp -L /usr/bin/python3 "$root/usr/bin/python3"
	tar -C "$library" -c --exclude=./dist-packages --exclude='./config-*' --exclude='*/test' \
		--exclude=./test --exclude=./idlelib --exclude=./lib2to3 --exclude=./distutils \
		--exclude=./ensurepip --exclude=./pydoc_data --exclude=./asyncio \
		--exclude=./unittest --exclude=./tkinter . | tar -C "$root$library" -x
	add_libraries /usr/bin/python3 "$library"/lib-dynload/_ctypes.*.so
}

# Of the workloads not all: a second million of probes takes minutes under software emulation.
add_tests() {
	local seep=$root/seep program

	mkdir -p "$seep/build/tests/bpf" "$seep/build/workloads" "$seep/tests/e2e" "$seep/tests/vm"
	cp "$build/seepd" "$build/seepctl" "$seep/build/"
	for program in tests/bpf/test_*.c; do
		program=$(basename "${program%.c}")
		cp "$build/tests/bpf/$program" "$seep/build/tests/bpf/"
		add_libraries "$build/tests/bpf/$program"
	done
	for program in tests/workloads/*.c tests/workloads/*.cc; do
		program=$(basename "${program%.*}")
		cp "$build/workloads/$program" "$seep/build/workloads/"
		add_libraries "$build/workloads/$program"
	done
	cp tests/e2e/*.py "$seep/tests/e2e/"
	mkdir -p "$seep/tests/workloads/python"
	cp tests/workloads/python/*.py "$seep/tests/workloads/python/"
	cp tests/vm/test_*.py "$seep/tests/vm/"
	install -D tests/stacks/truth.py "$seep/tests/stacks/truth.py"
	add_libraries "$build/seepd" "$build/seepctl"
}

rm -rf "$root"
mkdir -p "$root"/{bin,dev,proc,sys,tmp,run,root,etc}
cp /bin/busybox "$root/bin/"
install -m 755 tests/vm/init "$root/init"
echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
add_python
add_tests
# Not compressed: unpacking would take longer under emulation than reading.
(cd "$root" && find . -print0 | cpio --null --quiet -H newc -R 0:0 -o) >"$out.new"
mv "$out.new" "$out"
