# SPDX-License-Identifier: Apache-2.0
# Sourced by tools/quickstart and tools/check: which packages are needed, and how they get here.
#
# A need is PACKAGE=PROBE. The probe is what the package is wanted for, a command or a file (a
# pattern), so that whoever has it from elsewhere is not given it a second time.

needs_build=(
	gcc=cc libc6-dev=/usr/include/stdio.h meson=meson ninja-build=ninja pkgconf=pkg-config
	libfuse3-dev=/usr/include/fuse3/fuse_lowlevel.h libuv1-dev=/usr/include/uv.h
	libcjson-dev=/usr/include/cjson/cJSON.h libsqlite3-dev=/usr/include/sqlite3.h
	libzstd-dev=/usr/include/zstd.h libseccomp-dev=/usr/include/seccomp.h
	libarchive-dev=/usr/include/archive.h "libcurl4-openssl-dev=/usr/include/*/curl/curl.h"
	libssl-dev=/usr/include/openssl/evp.h libmicrohttpd-dev=/usr/include/microhttpd.h
	libglib2.0-dev=/usr/include/glib-2.0/glib.h
)
needs_run=(fuse3=fusermount3 bubblewrap=bwrap python3=python3 nodejs=node
	tzdata=/usr/share/zoneinfo/Europe/Berlin)
# What fnfs-source-KIND is built with, each for itself and only where it is there.
needs_brokers=(
	libhiredis-dev=/usr/include/hiredis/hiredis.h libnats-dev=/usr/include/nats/nats.h
	"librabbitmq-dev=/usr/lib/*/librabbitmq.so" libpaho-mqtt-dev=/usr/include/MQTTAsync.h
	librdkafka-dev=/usr/include/librdkafka/rdkafka.h libpq-dev=/usr/include/postgresql/libpq-fe.h
)
# What some rows of tools/bench measure with, or beside; it says what it lacks.
needs_bench=(wrk=wrk npm=npm git=git curl=curl zstd=zstdcat strace=strace)
# The sample of an image is packed on the spot.
needs_sample=(umoci=umoci skopeo=skopeo busybox-static=/bin/busybox)

say()
{
	printf '%s\n' "$*"
}

give_up()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# Commands of root are not in everybody's PATH.
is_there()
{
	case $1 in
	/*) compgen -G "$1" >/dev/null ;;
	*) PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin command -v -- "$1" >/dev/null ;;
	esac
}

# Prints the packages whose probe finds nothing.
packages_missing()
{
	local need
	for need; do
		is_there "${need#*=}" || printf '%s\n' "${need%%=*}"
	done
}

as_root()
{
	if ((EUID == 0)); then
		"$@"
	else
		sudo "$@"
	fi
}

apt()
{
	as_root timeout --foreground 900 env DEBIAN_FRONTEND=noninteractive \
		apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@"
}

# Installs packages. Servers among them (tests bring up their own) are not started: Debian asks a program of that
# name first. One that is there already knows better.
packages_install()
{
	local policy=/usr/sbin/policy-rc.d
	(
		if [[ ! -e $policy ]]; then
			trap 'as_root rm -f "$policy"' EXIT
			printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null &&
				as_root chmod 755 "$policy" || exit
		fi
		apt update && apt install -y --no-install-recommends "$@"
	)
}

# Installs what the given needs lack; gives up when they are still not there.
packages_provide()
{
	local missing
	mapfile -t missing < <(packages_missing "$@")
	if ((${#missing[@]} == 0)); then
		say "all packages are here"
		return
	fi
	is_there apt-get || give_up "this is no Debian; install what these packages have: ${missing[*]}"
	((EUID == 0)) || is_there sudo ||
		give_up "as root type: apt-get install --no-install-recommends ${missing[*]}"
	say "installing ${missing[*]}"
	packages_install "${missing[@]}" >"$setup_log" 2>&1 || {
		tail -n 20 "$setup_log" >&2
		give_up "installing failed; all of it is in $setup_log"
	}
	mapfile -t missing < <(packages_missing "$@")
	((${#missing[@]} == 0)) || give_up "installed, and still not found: ${missing[*]}"
}

make_mtab()
{
	say "/etc/mtab is missing: making the link that an installed Debian has"
	as_root ln -s ../proc/self/mounts /etc/mtab || give_up "/etc/mtab is missing"
}

open_fuse()
{
	say "/dev/fuse is for root alone: opening it for everybody, as udev does"
	as_root chmod 0666 /dev/fuse || give_up "as root type: chmod 0666 /dev/fuse"
}

# A mount needs the kernel's door, open to this user, and fusermount3 a list of what is mounted.
fuse_provide()
{
	[[ -e /dev/fuse ]] || as_root modprobe fuse 2>/dev/null
	[[ -e /dev/fuse ]] || give_up "there is no /dev/fuse: in a container, start it with --device /dev/fuse"
	[[ -r /dev/fuse && -w /dev/fuse ]] || open_fuse
	((EUID == 0)) || [[ -e /etc/mtab ]] || make_mtab
}

# Prints where to build: $FNFS_BUILD, else NAME in the checkout, else (another's checkout) in the cache.
build_directory()
{
	local at=${FNFS_BUILD:-$here/$1}
	mkdir -p "$at" 2>/dev/null && [[ -w $at ]] || at=${XDG_CACHE_HOME:-${HOME:?}/.cache}/fnfs/$1
	mkdir -p "$at" && (cd "$at" && pwd -P)
}
