#!/usr/bin/env bash
# Builds a Debian with systemd as an initramfs: systemd_root.sh FILE DEB...
#
# Its base is made once by debootstrap, for what the first package depends on, and used again until "make
# clean". The packages lie in /seep, not installed: that is what the machine is for.
set -eu
cd "$(dirname "$0")/../.."

build=${BUILD:-build}
base=$build/vm/debian
root=$build/vm/debian-root
out=$1
shift

# shellcheck disable=SC2016 # the fields are apt's
mirror=$(apt-get indextargets --format '$(LABEL)|$(REPO_URI)' 'Created-By: Packages' |
	sed -n 's/^Debian|//p' | head -n 1)
# What it depends on, the first of each choice; and what the tests call.
depends=$(dpkg-deb -f "$1" Pre-Depends Depends | sed 's/^[A-Za-z-]*: *//' | tr ',' '\n' |
	sed 's/^ *//; s/[ |(].*//; s/:.*//' | sort -u | paste -sd, -)
include=$depends,systemd-sysv,dbus,python3,procps,bsdutils,passwd

make_base() {
	rm -rf "$base" "$base.new"
	echo "systemd_root.sh: making a Debian bookworm with $include" >&2
	debootstrap --variant=minbase --include="$include" bookworm "$base.new" \
		"${mirror:-http://deb.debian.org/debian}" >"$build/vm/debootstrap.log" 2>&1 || {
		tail -n 20 "$build/vm/debootstrap.log" >&2
		return 1
	}
	rm -rf "$base.new"/var/cache/apt/* "$base.new"/var/lib/apt/lists/* \
		"$base.new"/usr/share/{doc,locale,man,i18n,info}/* "$base.new"/usr/lib/udev/hwdb.*
	echo "$include" >"$base.new/etc/seep-base"
	mv "$base.new" "$base"
}

# No network, no clock to set, nobody who logs in: what waits for these is left out.
configure() {
	local unit

	echo seep >"$root/etc/hostname"
	: >"$root/etc/fstab"
	echo 00000000000000000000000000000001 >"$root/etc/machine-id"
	for unit in getty.target systemd-udevd.service systemd-udev-trigger.service \
		systemd-timesyncd.service systemd-logind.service e2scrub_reap.service \
		apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer; do
		ln -sf /dev/null "$root/etc/systemd/system/$unit"
	done
	install -D -m 644 tests/vm/systemd_test.service "$root/etc/systemd/system/seep-test.service"
	mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
	ln -s ../seep-test.service "$root/etc/systemd/system/multi-user.target.wants/"
}

# As in the tree; the client and the daemon are those of the package.
add_tests() {
	local seep=$root/seep

	mkdir -p "$seep/build/workloads" "$seep/tests/e2e" "$seep/tests/vm"
	cp "$@" "$seep/"
	cp tests/e2e/{seep,figures,probed,procs,waiting}.py "$seep/tests/e2e/"
	cp tests/vm/systemd_test.py "$seep/tests/vm/"
	cp "$build"/workloads/{churn,leak_steady,pace,service,twins} "$seep/build/workloads/"
	ln -s /usr/sbin/seepd /usr/bin/seepctl "$seep/build/"
}

mkdir -p "$build/vm"
if [ "$(cat "$base/etc/seep-base" 2>/dev/null)" != "$include" ]; then
	make_base
fi
rm -rf "$root"
cp -a "$base" "$root"
configure
add_tests "$@"
(cd "$root" && find . -print0 | cpio --null --quiet -H newc -o) >"$out.new"
mv "$out.new" "$out"
