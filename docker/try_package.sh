#!/bin/sh
# Installs, upgrades, removes and purges a .deb on an overlay of this system, in a mount namespace of its own,
# with a stand-in for systemctl; the system itself is not touched. As root: docker/try_package.sh FILE.deb
set -eu
[ $# = 1 ] && [ -f "$1" ] || { echo "usage: $0 FILE.deb" >&2; exit 2; }
[ "${TRY_PACKAGE_INSIDE:-}" = 1 ] || exec env TRY_PACKAGE_INSIDE=1 unshare -m "$0" "$(readlink -f "$1")"
room=$(mktemp -d)
mount -t tmpfs tmpfs "$room"
mkdir "$room/up" "$room/work" "$room/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$room/up,workdir=$room/work" "$room/root"
root=$room/root
mkdir -p "$root/run/systemd/system" "$root/stub"
printf '#!/bin/sh\necho "$*" >>/stub/calls\n' >"$root/stub/systemctl"
chmod +x "$root/stub/systemctl"
cp "$1" "$root/stub/fogwatch.deb"
in_root() { chroot "$root" env "PATH=/stub:$PATH" DEBIAN_FRONTEND=noninteractive "$@"; }
must() { "$@" || { echo "try_package: failed: $*" >&2; exit 1; }; }

must in_root dpkg --force-depends -i /stub/fogwatch.deb
must in_root getent passwd fogwatch
must [ "$(stat -c %a "$root/etc/fogwatch")" = 750 ]
must grep -qx daemon-reload "$root/stub/calls"
! grep -q restart "$root/stub/calls" || { echo "try_package: a first installation starts nothing" >&2; exit 1; }

echo "# mine" >>"$root/etc/fogwatch/fogwatch.toml"
mkdir -p "$root/var/lib/fogwatch"
must in_root dpkg --force-depends -i /stub/fogwatch.deb
must grep -q "# mine" "$root/etc/fogwatch/fogwatch.toml"
must grep -qx "try-restart fogwatch.service" "$root/stub/calls"

must in_root dpkg --force-depends -r fogwatch
must grep -qx "stop fogwatch.service" "$root/stub/calls"
must [ -f "$root/etc/fogwatch/fogwatch.toml" ]
must in_root dpkg --force-depends -P fogwatch
must [ ! -e "$root/etc/fogwatch/fogwatch.toml" ]
must [ -d "$root/var/lib/fogwatch" ]
echo "try_package: installed, upgraded, removed and purged as it should"
