#!/usr/bin/env bash
# Proves the set-up on a clean machine: an empty Debian 12 in a folder, in it the README's two commands
# to the letter, then every line of the README's tour. Opt-in (`./dev test-fresh`): it needs root,
# debootstrap, a Debian mirror, and the default ports free.
#
#   ./dev test-fresh [FOLDER]     FOLDER (default build/fresh) is made anew and kept for a look
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
root=$(realpath -m "${1:-build/fresh}")
[[ $(id -u) == 0 ]] || { echo "fresh: needs root"; exit 1; }

# The mirror this machine itself uses.
mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
  sed -nE 's/^(deb( \[[^]]*\])?|URIs:) +(https?:[^ ]*debian\/?)( .*)?$/\3/p' | grep -v security | head -n 1)

leave() {
  [[ -z ${server:-} ]] || kill -- "-$server" 2>/dev/null || true
  for place in proc dev; do mountpoint -q "$root/$place" && umount -l "$root/$place"; done
}
trap leave EXIT
leave
rm -rf "$root"
mkdir -p "$root"
echo "fresh: debootstrap into $root"
debootstrap --variant=minbase --include=ca-certificates,git bookworm "$root" "${mirror:?no Debian mirror found}" >"$root.log" 2>&1 ||
  { tail -5 "$root.log"; exit 1; }

# The machine's way to the network: names, proxies, trusted certificates, apt's sources.
cp -r /etc/apt/apt.conf.d "$root/etc/apt/" 2>/dev/null || true
cp -r /etc/apt/sources.list* "$root/etc/apt/" 2>/dev/null || true
rm -f "$root"/etc/apt/sources.list.d/*node* "$root"/etc/apt/sources.list.d/*docker* "$root"/etc/apt/sources.list.d/*pgdg*
cp /etc/resolv.conf /etc/hosts "$root/etc/"
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
mount --bind /proc "$root/proc"
mount --bind /dev "$root/dev"
git clone -q --no-hardlinks . "$root/root/fogwatch"

variables=(HOME=/root LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin)
for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
  [[ -z ${!name:-} ]] || variables+=("$name=${!name}")
done
inside() { env -i "${variables[@]}" chroot "$root" bash -c "cd /root/fogwatch && $1"; }

echo "fresh: ./dev run"
begun=$SECONDS
set -m
inside './dev run' >"$root.server.log" 2>&1 &
server=$!
set +m
until grep -q '^Ready\.$' "$root.server.log"; do
  kill -0 "$server" 2>/dev/null || { tail -20 "$root.server.log"; echo "fresh: the server did not start"; exit 1; }
  (( SECONDS - begun < 1800 )) || { echo "fresh: not ready after 30 minutes"; exit 1; }
  sleep 1
done
echo "fresh: ready after $((SECONDS - begun)) s, packages and build included"
inside 'apt-get install -y -qq --no-install-recommends awscli >/dev/null 2>&1 && python3 tests/run/tour.py'
echo "fresh: the README's commands and tour work"
