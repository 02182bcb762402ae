/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that make, remove and move names: open, mkdir, mkfifo, mknod, symlink, link, rename, unlink,
 * rmdir, readlink.
 */
#include "call.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* A fifo whose other end nobody opens would keep the actor for ever. */
static int without_waiting(const struct place *place, int flags)
{
	struct stat status;
	int follow = flags & O_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0;

	if (flags & (O_NONBLOCK | O_PATH))
		return flags;
	if (fstatat(place->directory, place->path, &status, follow) == 0 &&
	        S_ISFIFO(status.st_mode))
		return flags | O_NONBLOCK;
	return flags;
}

static long open_into(struct hands *hands, long slot, const struct place *place, int flags,
        mode_t mode, struct answer *answer)
{
	int file;

	if (slot < 0 || slot >= HANDS_FILES || hands->files[slot] >= 0)
		return skip(answer);
	if (!hands->begun)
		flags = without_waiting(place, flags);
	file = openat(place->directory, place->path, flags | O_CLOEXEC, mode);
	if (file < 0)
		return -1;
	if ((flags & O_TMPFILE) == O_TMPFILE && hands->reference && hands->licence.tmpfile) {
		close(file);
		errno = EOPNOTSUPP;
		return -1;
	}
	hands->files[slot] = file;
	return 0;
}

static long run_open(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	struct place place;

	place_of(&place, hands, arguments[1].text);
	return open_into(hands, arguments[0].number, &place, arguments[2].number,
	        arguments[3].number, answer);
}

/* A second open file by way of the first: works for files without a name, too. */
static long run_reopen(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	struct place place = {.directory = AT_FDCWD};

	if (hand(hands, arguments[1].number) < 0)
		return skip(answer);
	snprintf(place.path, sizeof(place.path), "/proc/self/fd/%d",
	        hand(hands, arguments[1].number));
	return open_into(hands, arguments[0].number, &place, arguments[2].number, 0600, answer);
}

static long run_mkdir(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	struct place place;

	place_of(&place, hands, arguments[0].text);
	return mkdirat(place.directory, place.path, arguments[1].number);
}

static long run_rmdir(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	struct place place;

	place_of(&place, hands, arguments[0].text);
	return unlinkat(place.directory, place.path, AT_REMOVEDIR);
}

static long run_unlink(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	struct place place;

	place_of(&place, hands, arguments[0].text);
	return unlinkat(place.directory, place.path, 0);
}

static long run_mkfifo(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	struct place place;

	place_of(&place, hands, arguments[0].text);
	return mkfifoat(place.directory, place.path, arguments[1].number);
}

static long run_mknod(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	struct place place;
	long kind = arguments[1].number;

	place_of(&place, hands, arguments[0].text);
	return mknodat(place.directory, place.path, kind | arguments[2].number,
	        kind == S_IFCHR || kind == S_IFBLK ? makedev(1, 3) : 0);
}

static long run_symlink(
        struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	struct place target, place;

	place_of(&target, hands, arguments[0].text);
	place_of(&place, hands, arguments[1].text);
	return symlinkat(target.path, place.directory, place.path);
}

static long run_readlink(
        struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	struct place place;
	char target[PATH_MAX + 1];
	ssize_t length;

	place_of(&place, hands, arguments[0].text);
	length = readlinkat(place.directory, place.path, target, sizeof(target));
	if (length >= 0)
		tell(answer, " -> %.*s", (int)length, target);
	return length;
}

static long run_link(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	struct place from, to;

	place_of(&from, hands, arguments[0].text);
	place_of(&to, hands, arguments[1].text);
	return linkat(from.directory, from.path, to.directory, to.path, arguments[2].number);
}

static long run_linkfd(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	struct place to;
	char from[64];

	if (hand(hands, arguments[0].number) < 0)
		return skip(answer);
	place_of(&to, hands, arguments[1].text);
	snprintf(from, sizeof(from), "/proc/self/fd/%d", hand(hands, arguments[0].number));
	return linkat(AT_FDCWD, from, to.directory, to.path, AT_SYMLINK_FOLLOW);
}

static long run_rename(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	struct place from, to;

	place_of(&from, hands, arguments[0].text);
	place_of(&to, hands, arguments[1].text);
	return renameat2(from.directory, from.path, to.directory, to.path, arguments[2].number);
}

const struct call calls_on_names[] = {
        {"open", "fpOm", run_open, 1},
        {"reopen", "ffO", run_reopen, 1},
        {"mkdir", "pm", run_mkdir, 0},
        {"rmdir", "p", run_rmdir, 0},
        {"unlink", "p", run_unlink, 0},
        {"mkfifo", "pm", run_mkfifo, 0},
        {"mknod", "pkm", run_mknod, 0},
        {"symlink", "sp", run_symlink, 0},
        {"readlink", "p", run_readlink, 0},
        {"link", "ppx", run_link, 0},
        {"linkfd", "fp", run_linkfd, 1},
        {"rename", "ppR", run_rename, 0},
        {},
};
