#!/usr/bin/env bash
# Makes the Debian package from what "make install" has put into a folder:
#
#   build.sh ROOT VERSION OUT   ROOT: the folder; VERSION: of Debian; OUT: where the .deb goes
#
# With dpkg's own tools only. The maintainer scripts do what debhelper's would.
set -eu
cd "$(dirname "$0")/../.."

root=$1
version=$2
out=$3
here=systemd/deb
architecture=$(dpkg --print-architecture)
date=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
documents=$root/usr/share/doc/seep

# The packages that the libraries come from. dpkg-shlibdeps wants a source package around it.
shared_libraries() {
	local folder programs

	programs=$(realpath "$root/usr/sbin/seepd" "$root/usr/bin/seepctl")
	folder=$(mktemp -d)
	mkdir "$folder/debian"
	printf 'Source: seep\n\nPackage: seep\nArchitecture: any\n' >"$folder/debian/control"
	# shellcheck disable=SC2086 # a list of paths
	(cd "$folder" && dpkg-shlibdeps -O $programs) 2>/dev/null | sed -n 's/^shlibs:Depends=//p'
	rm -rf "$folder"
}

write_changelog() {
	cat <<-EOT
		seep ($version) unstable; urgency=medium

		  * See CHANGELOG.md.

		 -- seep <seep@localhost>  $(LC_ALL=C date -R -u -d "@$date")
	EOT
}

strip --strip-unneeded --remove-section=.comment --remove-section=.note "$root/usr/sbin/seepd" \
	"$root/usr/bin/seepctl"
install -m 644 $here/copyright "$documents/copyright"
write_changelog | gzip -9n >"$documents/changelog.gz"
chmod 644 "$documents/changelog.gz"
gzip -9nf "$documents/CHANGELOG.md" "$root"/usr/share/man/man*/*

mkdir -p "$root/DEBIAN"
for script in postinst prerm postrm; do
	install -m 755 "$here/$script" "$root/DEBIAN/$script"
done
if [ -d "$root/etc" ]; then
	(cd "$root" && find etc -type f | sort | sed 's,^,/,') >"$root/DEBIAN/conffiles"
fi
(cd "$root" && find . -path ./DEBIAN -prune -o -path ./etc -prune -o -type f -printf '%P\0' |
	sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
size=$(du -sk --apparent-size --exclude=DEBIAN "$root" | cut -f 1)
libraries=$(shared_libraries)
if [ -z "$libraries" ]; then
	echo "build.sh: dpkg-shlibdeps does not know the libraries of these programs" >&2
	exit 1
fi
sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" -e "s/@SIZE@/$size/" \
	-e "s/@LIBRARIES@/$libraries/" $here/control >"$root/DEBIAN/control"
chmod -R u=rwX,go=rX "$root"
find "$root" -newermt "@$date" -exec touch -h -d "@$date" {} +
SOURCE_DATE_EPOCH=$date dpkg-deb --root-owner-group -Zxz --build "$root" "$out" >/dev/null
