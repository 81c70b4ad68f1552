#!/usr/bin/env bash
# Runs the Python tests with Debian's interpreters: e2e/test_python* with one after the other, then those
# of this folder, which look at all that are here: run.sh [SUITE...]
#
# Each suite is a folder below build/pythons with a small system in it, made by debootstrap and kept until
# "make clean". "host" is this machine's own; further interpreters by their paths: EXTRA="/opt/a/bin/python3".
set -u
cd "$(dirname "$0")/../.." || exit 1

build=${BUILD:-build}
folder=$build/pythons
failed=0

# The mirror that this machine's apt has.
mirror() {
	local uri

	# shellcheck disable=SC2016 # the field is apt's
	uri=$(apt-get indextargets --format '$(LABEL)|$(REPO_URI)' 'Created-By: Packages' |
		sed -n 's/^Debian|//p' | head -n 1)
	echo "${uri:-http://deb.debian.org/debian}"
}

# What the story and the module in C need.
packages=python3,python3-fastapi,python3-uvicorn,python3-websockets,libpython3-dev

# A folder that was made half, or with other packages, is made again.
make_folder() {
	local suite=$1 script=/usr/share/debootstrap/scripts/$1

	if [ "$(cat "$folder/$suite.made" 2>/dev/null)" = "$packages" ]; then
		return 0
	fi
	if ! command -v debootstrap >/dev/null; then
		echo "run.sh: needs debootstrap (apt install debootstrap)" >&2
		return 1
	fi
	# A newer suite than this debootstrap knows is made as sid is.
	[ -e "$script" ] || script=/usr/share/debootstrap/scripts/sid
	rm -rf "${folder:?}/$suite"
	mkdir -p "$folder"
	echo "  making $folder/$suite (a minute or two)"
	if ! debootstrap --variant=minbase "--include=$packages" "$suite" "$folder/$suite" "$(mirror)" "$script" \
		>"$folder/$suite.log" 2>&1; then
		echo "run.sh: debootstrap failed, see $folder/$suite.log" >&2
		return 1
	fi
	echo "$packages" >"$folder/$suite.made"
}

run_with() {
	local root=$1 python=$2

	echo "-- $(${root:+chroot "$root"} "$python" --version) of ${root:-this machine}"
	SEEP_PYTHON_ROOT=$root SEEP_PYTHON=$python TEST=python${CASE:+:$CASE} ./tests/run.sh e2e || failed=1
}

for suite in "${@:-host}"; do
	if [ "$suite" = host ]; then
		run_with '' /usr/bin/python3
	elif make_folder "$suite"; then
		run_with "$PWD/$folder/$suite" /usr/bin/python3
	else
		failed=1
	fi
done
for python in ${EXTRA:-}; do
	run_with '' "$python"
done
./tests/run.sh python || failed=1
exit $failed
