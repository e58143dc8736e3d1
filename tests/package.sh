#!/usr/bin/env bash
# Installs the Debian package for real, in a folder that debootstrap made, and looks at what it does: install, upgrade with
# messages in a ring, remove, purge. As root; needs debootstrap and cargo-deb (`cargo install cargo-deb`).
#
#   tests/package.sh FOLDER             a release build
#   PROFILE=dev tests/package.sh FOLDER the debug build that is there
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:?usage: tests/package.sh FOLDER}
profile=${PROFILE:-release}
built=target/$([ "$profile" = dev ] && echo debug || echo "$profile")

say() { printf '\n== %s\n' "$*"; }
fail() { echo "package: $*" >&2; exit 1; }
# With a /proc of its own, which nobody else sees.
inside() { unshare --mount sh -c 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"' "$folder" "$@"; }

[ "$(id -u)" = 0 ] || fail "only root can make a Debian folder and install in it"
if [ ! -e "$folder/etc/debian_version" ]; then
    say "a Debian in $folder"
    debootstrap --variant=minbase --include=systemd "$(. /etc/os-release; echo "$VERSION_CODENAME")" "$folder"
fi

say "the package"
[ "$profile" = dev ] || cargo build --profile "$profile" --locked
"$built/sluice" manual target/package
make() { cargo deb --no-build --no-strip --fast --profile "$profile" --deb-revision "$1" --output "$2" >/dev/null; }
make 1 target/package/old.deb
make 2 target/package/new.deb
cp target/package/old.deb target/package/new.deb "$folder/srv/"

say "install"
inside dpkg --purge sluice >/dev/null 2>&1 || true
rm -rf "$folder/var/lib/sluice" "$folder/etc/sluice"
inside dpkg -i /srv/old.deb
inside getent passwd sluice >/dev/null || fail "no user sluice"
inside getent group sluice-status >/dev/null || fail "no group sluice-status"
[ "$(stat -c %a "$folder/etc/sluice/credentials")" = 700 ] || fail "credentials can be read by others"
[ "$(stat -c %U "$folder/var/lib/sluice/rings" 2>/dev/null)" ] || fail "no directory for rings"
inside sluice --version
for page in sluice sluice-status sluice-check sluice-ring sluice-pair; do
    [ -e "$folder/usr/share/man/man1/$page.1.gz" ] || [ -e "$folder/usr/share/man/man1/$page.1" ] || fail "no page $page"
done
[ -e "$folder/usr/share/bash-completion/completions/sluice" ] || fail "no completion"
inside systemd-analyze verify --man=no /usr/lib/systemd/system/sluice-edge.service /usr/lib/systemd/system/sluice-central.service

say "what is missing is told"
set +e
told=$(inside sluice check edge); code=$?
set -e
echo "$told"
[ $code = 78 ] || fail "an edge without its password and bundle passes"

say "a ring with messages"
SLUICE_FILL="$(realpath "$folder")/var/lib/sluice/rings/edge.ring" \
    cargo test --locked -q --test configuration -- --ignored fills_the_ring_of_the_package_test
inside chown sluice:sluice /var/lib/sluice/rings/edge.ring /var/lib/sluice/rings/edge.ring.live
inside sluice ring verify /var/lib/sluice/rings/edge.ring | tee "$folder/srv/before"
grep -q ', 255 messages to be processed' "$folder/srv/before" || fail "the ring is not full"

say "upgrade"
echo '# changed by the operator' >>"$folder/etc/sluice/edge.toml"
inside dpkg -i --force-confold /srv/new.deb
grep -q 'changed by the operator' "$folder/etc/sluice/edge.toml" || fail "the configuration was overwritten"
inside sluice ring verify /var/lib/sluice/rings/edge.ring >"$folder/srv/after"
diff "$folder/srv/before" "$folder/srv/after" || fail "the ring changed"

say "remove and purge with a full ring"
inside dpkg --remove sluice
inside dpkg --purge sluice
[ -s "$folder/var/lib/sluice/rings/edge.ring" ] || fail "a ring with messages is gone"
[ ! -e "$folder/etc/sluice/edge.toml" ] || fail "purge left the configuration"

say "install again, with the ring that stayed"
inside dpkg -i /srv/new.deb
inside sluice ring verify /var/lib/sluice/rings/edge.ring >"$folder/srv/after"
diff "$folder/srv/before" "$folder/srv/after" || fail "the ring changed"

say "purge with an empty ring"
rm -f "$folder"/var/lib/sluice/rings/*
inside sluice ring create /var/lib/sluice/rings/edge.ring oslo/carrier-1:mo:origin
inside dpkg --purge sluice
[ ! -e "$folder/var/lib/sluice" ] || fail "an empty ring stays after purge"
[ ! -e "$folder/etc/sluice" ] || fail "/etc/sluice stays after purge"
say "all is well"
