#!/usr/bin/env bash
# Makes Debian folders with other versions of Python, for the tests: debian.sh [SUITE...]
#
# Each is build/pythons/SUITE, made once by debootstrap (root). The mirror is the machine's own.
set -eu
cd "$(dirname "$0")/../.."

folder=${BUILD:-build}/pythons

# shellcheck disable=SC2016 # the field is apt's
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | head -n 1)
mirror=${mirror:-http://deb.debian.org/debian}

# 3.9, 3.13, and the newest
if [ $# -eq 0 ]; then
	set -- bullseye trixie sid
fi
mkdir -p "$folder"
for suite; do
	if [ -e "$folder/$suite/usr/bin/python3" ]; then
		continue
	fi
	rm -rf "$folder/.$suite"
	debootstrap --variant=minbase --include=python3 "$suite" "$folder/.$suite" "$mirror" >"$folder/$suite.log"
	mv "$folder/.$suite" "$folder/$suite"
done
