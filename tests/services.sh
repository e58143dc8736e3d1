#!/usr/bin/env bash
# Boots the Debian of tests/package.sh with systemd-nspawn, and runs edge and central there as the services that they are:
# installed from the package, configured from its samples, beside a simulated SMSC; looked at by a member of the group, reloaded,
# restarted, stopped, purged. As root; needs systemd-container, and target/package/new.deb, which tests/package.sh makes.
#
#   tests/services.sh FOLDER
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(realpath "${1:?usage: tests/services.sh FOLDER}")
package=target/package/new.deb

say() { printf '\n== %s\n' "$*"; }
fail() { echo "services: $*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || fail "only root can boot a Debian"
[ -e "$package" ] || fail "there is no $package; tests/package.sh makes it"
command -v systemd-nspawn >/dev/null || fail "systemd-nspawn is missing (apt install systemd-container)"
cp "$package" "$folder/srv/sluice.deb"
cat >"$folder/srv/smsc.toml" <<'SMSC'
[centre]
keep = 1000
[smpp]
listen = "127.0.0.1:5016"
[[account]]
name = "sluice"
password = "secret"
numbers = ["12345"]
[[phone]]
number = "+4740000002"
[[phone.says]]
to = "12345"
text = "hello from a phone"
SMSC

say "boot"
booted=$(mktemp)
systemd-nspawn --quiet --register=no --keep-unit --private-network --link-journal=no --console=pipe -D "$folder" -b \
    </dev/null >"$booted" 2>&1 &
nspawn=$!
# Its init as the leader of the container; SIGRTMIN+4 is what powers it off.
leader() { pgrep -P "$nspawn" -x systemd; }
trap 'kill -s RTMIN+4 "$(leader)" 2>/dev/null || kill "$nspawn" 2>/dev/null; wait "$nspawn" || true; rm -f "$booted"' EXIT
inside() { nsenter -t "$(leader)" -m -u -i -n -p -C -- "$@"; }
for _ in $(seq 100); do
    case $(inside systemctl is-system-running 2>/dev/null || true) in running | degraded) break ;; esac
    sleep 0.2
done
inside systemctl is-system-running || inside systemctl --failed --no-pager

say "install and configure, as docs/operations.md says"
inside dpkg --purge sluice >/dev/null 2>&1 || true
rm -rf "$folder/var/lib/sluice" "$folder/etc/sluice"
inside dpkg -i /srv/sluice.deb
inside id ola >/dev/null 2>&1 || inside useradd --create-home ola
inside usermod --append --groups sluice-status ola
inside sluice pair init --name main --address 127.0.0.1:25500
inside sh -c 'cd /root && rm -f oslo.pair && sluice pair enrol oslo && install -o root -g sluice -m 640 oslo.pair /etc/sluice/edge.pair'
inside sh -c 'umask 077; printf secret >/etc/sluice/credentials/carrier-1'
inside sed -i 's/192.0.2.10/127.0.0.1/' /etc/sluice/edge.toml
inside systemd-run --quiet --unit smsc sluice sim smsc --script /srv/smsc.toml
inside sluice check central
inside sluice check edge

say "start"
inside systemctl start sluice-central sluice-edge
member() { inside runuser -u ola -- "$@"; }
edge=(--socket /run/sluice/edge.sock)
central=(--socket /run/sluice/central.sock)
well() { for _ in $(seq 100); do member sluice status "$@" >/dev/null 2>&1 && return; sleep 0.2; done; member sluice status "$@" || true; fail "it does not get well"; }
well "${edge[@]}"
well "${central[@]}"
member sluice status "${edge[@]}"

say "who is in the group may look and order, others may not"
set +e
told=$(inside runuser -u nobody -- sluice status "${edge[@]}" 2>&1); code=$?
set -e
echo "$told"
[ $code = 2 ] && grep -q 'not for this user' <<<"$told" || fail "somebody else may look"
member sluice lane suspend oslo/carrier-1 "${edge[@]}"
member sluice lane resume oslo/carrier-1 "${edge[@]}"

say "a text to a phone, and one from a phone"
id=$(member sluice send --from 12345 +4740000001 'hello')
for _ in $(seq 50); do member sluice trace "$id" "${central[@]}" | grep -q ': sent' && break; sleep 0.2; done
member sluice trace "$id" "${central[@]}"
member timeout 20 sluice inbox --most 1 | grep 'hello from a phone' || fail "nothing came from the phone"

say "another edge is enrolled while central runs, and central can still read its directory"
inside sh -c 'cd /root && rm -f bergen.pair && sluice pair enrol bergen'
[ -z "$(find "$folder/var/lib/sluice/pki" ! -user "$(stat -c %u "$folder/var/lib/sluice")")" ] || fail "files that central cannot read"

say "reload, by command and by signal"
inside sed -i 's/#throughput = 20/throughput = 30/' /etc/sluice/edge.toml
inside systemctl reload sluice-edge
inside journalctl -b -u sluice-edge -o cat --no-pager | grep 'throughput: default -> 30' || fail "nothing was reloaded"
inside systemctl kill -s HUP sluice-central
well "${central[@]}"

say "restart and stop within five seconds"
took() { local from; from=$(date +%s%3N); inside systemctl "$@"; echo $(($(date +%s%3N) - from)); }
for unit in sluice-edge sluice-central; do
    ms=$(took restart $unit); echo "$unit restarted in $ms ms"
done
well "${edge[@]}"
for unit in sluice-edge sluice-central; do
    ms=$(took stop $unit); echo "$unit stopped in $ms ms"
    [ "$ms" -lt 5000 ] || fail "$unit takes too long"
    [ "$(inside systemctl show -P Result $unit)" = success ] || fail "$unit did not end well"
done

say "what a restart does not cure is not tried again"
inside sed -i 's/^name = "oslo"/nam = "oslo"/' /etc/sluice/edge.toml
inside systemctl start sluice-edge && fail "it starts with a wrong key"
sleep 3
[ "$(inside systemctl show -P NRestarts sluice-edge)" = 0 ] || fail "it is started again with a wrong key"
inside journalctl -b -u sluice-edge -o cat --no-pager -n 20 | grep 'nam: there is no such key' || fail "the reason is not in the journal"

say "purge"
inside systemctl stop smsc
inside systemctl reset-failed
inside dpkg --purge sluice
[ ! -e "$folder/etc/sluice/edge.toml" ] || fail "purge left the configuration"
[ ! -e "$folder/etc/sluice" ] || fail "purge left secrets"
[ -d "$folder/var/lib/sluice/pki" ] || fail "purge took the authority"
inside systemctl list-unit-files 'sluice*' --no-legend --no-pager | grep . && fail "units stay after purge"
say "all is well"
