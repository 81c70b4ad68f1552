#!/usr/bin/env bash
# The Debian packages that build, demo and tests need: quiet when all are there, else installs them.
#
#   deps.sh PACKAGE...            installs what is missing
#   deps.sh --install PACKAGE...  the same, and says so when nothing is
set -u

explicit=false
if [ "${1:-}" = --install ]; then
	explicit=true
	shift
fi
if [ $# -eq 0 ]; then
	echo "usage: deps.sh [--install] PACKAGE..." >&2
	exit 2
fi

if ! command -v dpkg-query >/dev/null; then
	echo "deps: this is no Debian; these of its packages are needed, under whatever names they" \
		"have here: $*" >&2
	exit 0
fi

# One call for all. A package that dpkg has never heard of is an error on its standard error.
installed=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "$@" 2>/dev/null |
	sed -n 's/ installed$//p')
missing=()
for package in "$@"; do
	case $'\n'"$installed"$'\n' in
	*$'\n'"$package"$'\n'*) ;;
	*) missing+=("$package") ;;
	esac
done

if [ ${#missing[@]} -eq 0 ]; then
	if $explicit; then
		echo "deps: all $# packages are installed"
	fi
	exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
	as_root=(sudo)
	if ! command -v sudo >/dev/null; then
		echo "deps: not root, and there is no sudo. Install these packages, then try again:" >&2
		echo "  apt-get install ${missing[*]}" >&2
		exit 1
	fi
fi

echo "deps: installing ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! "${as_root[@]}" apt-get -q -q update >"$log" 2>&1; then
	tail -n 5 "$log" >&2
	echo "deps: apt-get update failed; trying with the package lists that are here" >&2
fi
if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
	apt-get -q -q install -y --no-install-recommends "${missing[@]}" >"$log" 2>&1; then
	tail -n 20 "$log" >&2
	echo "deps: apt-get failed (above is why). Install these packages, then try again:" >&2
	echo "  apt-get install ${missing[*]}" >&2
	exit 1
fi
