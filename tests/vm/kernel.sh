#!/usr/bin/env bash
# Fetches one of Debian's cloud kernels and prints the path of its image: kernel.sh 5.10|6.1|6.12|newest
#
# A private apt configuration and private package lists below build/vm: the machine's own are only
# read, for the mirror and the proxy. What was fetched is used again until "make clean".
set -u
cd "$(dirname "$0")/../.." || exit 1

build=${BUILD:-build}/vm
meta=linux-image-cloud-amd64

# label of the archive, suite; the newest version in all of a kernel's suites is taken
suites_of() {
	case $1 in
	5.10) printf '%s\n' 'Debian bullseye' 'Debian-Security bullseye-security' ;;
	6.1) printf '%s\n' 'Debian bookworm' 'Debian-Security bookworm-security' ;;
	6.12) printf '%s\n' 'Debian trixie' 'Debian-Security trixie-security' ;;
	newest) printf '%s\n' 'Debian trixie-backports' ;;
	*)
		echo "kernel.sh: there is no kernel '$1'; there are 5.10, 6.1, 6.12 and newest" >&2
		return 1
		;;
	esac
}

# Where this machine gets an archive from.
mirror_of() {
	# shellcheck disable=SC2016 # the fields are apt's
	apt-get indextargets --format '$(LABEL)|$(REPO_URI)' 'Created-By: Packages' |
		sed -n "s/^$1|//p" | head -n 1
}

write_sources() {
	local label suite mirror

	while read -r label suite; do
		mirror=$(mirror_of "$label")
		if [ -z "$mirror" ]; then
			echo "kernel.sh: this machine's apt has no source with the label $label;" \
				"run apt-get update" >&2
			return 1
		fi
		echo "deb [arch=amd64 signed-by=$keyring] $mirror $suite main"
	done <<<"$suites"
}

# Suites that get no more updates have run out of date, but their signatures hold.
write_configuration() {
	cat <<-EOT
		#clear APT::Update;
		#clear DPkg;
		Dir::Etc::sourcelist "$1/sources.list";
		Dir::Etc::sourceparts "$1/none";
		Dir::Etc::preferences "$1/none/none";
		Dir::Etc::preferencesparts "$1/none";
		Dir::State "$1/state";
		Dir::State::lists "$1/lists";
		Dir::State::status "$1/status";
		Dir::Cache "$1/cache";
		APT::Architecture "amd64";
		APT::Architectures "amd64";
		APT::Sandbox::User "root";
		APT::Get::List-Cleanup "false";
		Acquire::Languages "none";
		Acquire::Check-Valid-Until "false";
	EOT
}

# The kernel's own package, by the name that the package depending on it gives.
dependency() {
	apt-cache -c "$1/apt.conf" show --no-all-versions "$2" |
		sed -n "s/^Depends: \(.*, \)\?\($3-[0-9][^ ,]*\).*/\2/p" | head -n 1
}

download() {
	local folder=$1 package=$2

	echo "kernel.sh: fetching $package" >&2
	(cd "$folder" && apt-get -q -q -c "$folder/apt.conf" download "$package" >&2) || return
	dpkg-deb --fsys-tarfile "$folder/$package"_*.deb | tar -x -C "$folder" \
		--transform 's,.*/,boot/,' --wildcards --no-anchored 'vmlinuz*' 2>/dev/null
	rm -f "$folder/$package"_*.deb
	compgen -G "$folder/boot/vmlinuz*" >/dev/null
}

fetch() {
	local folder=$1 image binary

	mkdir -p "$folder/boot" "$folder/none" "$folder/state" "$folder/lists/partial" \
		"$folder/cache/archives/partial" || return
	: >"$folder/status"
	write_sources >"$folder/sources.list" || return
	write_configuration "$folder" >"$folder/apt.conf"
	apt-get -q -q -c "$folder/apt.conf" update >&2 || return
	image=$(dependency "$folder" "$meta" linux-image)
	if [ -z "$image" ]; then
		echo "kernel.sh: $meta of these suites names no kernel: $suites" >&2
		return 1
	fi
	# Since 7.x it lies in a package of its own.
	binary=$(dependency "$folder" "$image" linux-binary)
	download "$folder" "${binary:-$image}"
}

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
suites=$(suites_of "${1:-}") || exit 2
folder=$build/kernels/$1
if ! compgen -G "$folder/boot/vmlinuz*" >/dev/null; then
	rm -rf "$folder" "$folder.new"
	mkdir -p "$folder.new" || exit 1
	if ! fetch "$(realpath "$folder.new")"; then
		echo "kernel.sh: the kernel $1 cannot be fetched" >&2
		exit 1
	fi
	mkdir -p "$folder" && mv "$folder.new/boot" "$folder/" && rm -rf "$folder.new" || exit 1
fi
compgen -G "$folder/boot/vmlinuz*" | head -n 1
