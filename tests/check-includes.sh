#!/usr/bin/env bash
# Includes point downwards only: no folder of src/ knows one above its own. And some headers have
# one door each. And every header compiles alone.
set -u
cd "$(dirname "$0")/.." || exit 1

folders="base trend target elf python probe symbolize heap hint detect alert history monitor serve daemon cli main"
found=0

complain() {
	echo "check-includes: $*" >&2
	found=1
}

# src/probe/links.c -> probe; src/monitor.h -> monitor; src/seepd.c -> main
folder_of() {
	case $1 in
	*/*) echo "${1%%/*}" ;;
	monitor.*) echo monitor ;;
	*) echo main ;;
	esac
}

rank_of() {
	local rank=0 folder

	for folder in $folders; do
		if [ "$folder" = "$1" ]; then
			echo $rank
			return
		fi
		rank=$((rank + 1))
	done
	echo -1
}

# Headers that only some folders may include.
check_door() {
	local header=$1 folder=$2 file=$3 doors

	case $header in
	bpf/* | seep.skel.h | probe/object.h) doors="probe" ;;
	event2/http.h) doors="serve" ;;
	../bpf/abi.h) doors="target elf probe symbolize heap detect monitor serve daemon" ;;
	*) return ;;
	esac
	case " $doors " in
	*" $folder "*) ;;
	*) complain "$file includes $header, which only $doors may" ;;
	esac
}

check_order() {
	local header=$1 folder=$2 file=$3 other

	if [ ! -e "src/$header" ] || [ "${header#../}" != "$header" ]; then
		return
	fi
	other=$(folder_of "$header")
	if [ "$(rank_of "$other")" -gt "$(rank_of "$folder")" ]; then
		complain "$file includes $header: $other is above $folder"
	fi
}

while IFS=: read -r file header; do
	folder=$(folder_of "${file#src/}")
	if [ "$(rank_of "$folder")" -lt 0 ]; then
		complain "$file: folder $folder has no place in the order ($folders)"
		continue
	fi
	check_door "$header" "$folder" "$file"
	check_order "$header" "$folder" "$file"
done < <(grep -rHoE --include='*.[ch]' '^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"][^>"]*' src |
	sed -E 's/^([^:]*):.*[<"]/\1:/')

flags="-std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -Isrc -Ibuild/gen"
flags="$flags $(pkg-config --cflags libbpf libdw libevent_core jansson 2>/dev/null)"
while read -r header; do
	# The skeleton is made from the BPF object; without a compiler for that it is not there.
	if [ "$header" = src/probe/object.h ] && [ ! -e build/gen/seep.skel.h ]; then
		echo "check-includes: $header not checked, build/gen/seep.skel.h is not built"
		continue
	fi
	# shellcheck disable=SC2086 # a list of words
	if ! "${CC:-gcc}" $flags -fsyntax-only -x c -include "$header" /dev/null; then
		complain "$header does not compile alone"
	fi
done < <(find src bpf -name '*.h' ! -name '*.bpf.h' | sort)

if [ $found -eq 0 ]; then
	echo "check-includes: ok"
fi
exit $found
