/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls on what is known about a file: mode, owner, times, size, rights, and extended attributes.
 */
#include "call.h"
#include "word.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

static long run_chmod(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	struct place place;

	place_of(&place, hands, arguments[0].text);
	return fchmodat(place.directory, place.path, arguments[1].number, 0);
}

static long run_fchmod(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	return fchmod(hand(hands, arguments[0].number), arguments[1].number);
}

static long run_chown(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	struct place place;

	place_of(&place, hands, arguments[0].text);
	return fchownat(place.directory, place.path, arguments[1].number, arguments[2].number,
	        arguments[3].number & AT_SYMLINK_NOFOLLOW);
}

static long run_fchown(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	return fchown(hand(hands, arguments[0].number), arguments[1].number, arguments[2].number);
}

static long run_truncate(
        struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	struct place place;

	place_of(&place, hands, arguments[0].text);
	return truncate(place.path, arguments[1].number);
}

static const struct timespec times_by_word[] = {
        [TIME_NOW] = {.tv_nsec = UTIME_NOW},
        [TIME_OMIT] = {.tv_nsec = UTIME_OMIT},
        [TIME_BAD] = {.tv_sec = 1, .tv_nsec = 1000000000},
        [TIME_ZERO] = {.tv_sec = 0, .tv_nsec = 0},
        [TIME_OLD] = {.tv_sec = 500000000, .tv_nsec = 999999999},
        [TIME_2001] = {.tv_sec = 1000000000, .tv_nsec = 123456789},
        [TIME_2100] = {.tv_sec = 4102444800, .tv_nsec = 1},
        [TIME_NEG] = {.tv_sec = -86400, .tv_nsec = 500000000},
};

/* Only times that were set can be told exactly: others are the time of the run. */
static void tell_time(struct answer *answer, const char *name, const struct timespec *value)
{
	time_t distance = time(NULL) - value->tv_sec;

	if (distance > -86400 && distance < 86400)
		tell(answer, " %s=now", name);
	else
		tell(answer, " %s=%lld.%09ld", name, (long long)value->tv_sec, value->tv_nsec);
}

/* A time of access that was left as it is may have been changed by a reader. */
static long tell_times(struct answer *answer, const struct stat *status, long accessed)
{
	if (accessed != TIME_OMIT)
		tell_time(answer, "atime", &status->st_atim);
	tell_time(answer, "mtime", &status->st_mtim);
	return 0;
}

static long run_utimens(
        struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	struct place place;
	struct stat status;
	struct timespec times[2] = {
	        times_by_word[arguments[1].number & 7], times_by_word[arguments[2].number & 7]};
	int nofollow = arguments[3].number & AT_SYMLINK_NOFOLLOW;

	place_of(&place, hands, arguments[0].text);
	if (utimensat(place.directory, place.path, times, nofollow) < 0)
		return -1;
	if (fstatat(place.directory, place.path, &status, nofollow) < 0)
		return 0;
	return tell_times(answer, &status, arguments[1].number);
}

static long run_futimens(
        struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	struct stat status;
	struct timespec times[2] = {
	        times_by_word[arguments[1].number & 7], times_by_word[arguments[2].number & 7]};
	int file = hand(hands, arguments[0].number);

	if (futimens(file, times) < 0 || fstat(file, &status) < 0)
		return -1;
	return tell_times(answer, &status, arguments[1].number);
}

static long tell_status(struct answer *answer, const struct stat *status)
{
	tell(answer, " %o links=%lu owner=%u:%u", status->st_mode, (unsigned long)status->st_nlink,
	        status->st_uid, status->st_gid);
	if (!S_ISDIR(status->st_mode))
		tell(answer, " size=%lld", (long long)status->st_size);
	return 0;
}

static long run_stat(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	struct place place;
	struct stat status;

	place_of(&place, hands, arguments[0].text);
	if (fstatat(place.directory, place.path, &status, 0) < 0)
		return -1;
	return tell_status(answer, &status);
}

static long run_lstat(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	struct place place;
	struct stat status;

	place_of(&place, hands, arguments[0].text);
	if (fstatat(place.directory, place.path, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	return tell_status(answer, &status);
}

static long run_fstat(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	struct stat status;

	if (fstat(hand(hands, arguments[0].number), &status) < 0)
		return -1;
	return tell_status(answer, &status);
}

static long run_access(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	struct place place;

	place_of(&place, hands, arguments[0].text);
	return faccessat(place.directory, place.path, arguments[1].number & 7,
	        arguments[2].number & (AT_EACCESS | AT_SYMLINK_NOFOLLOW));
}

/* The numbers are the disk's; that they make sense can be judged. */
static long run_statfs(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	struct place place;
	struct statvfs status;

	place_of(&place, hands, arguments[0].text);
	if (statvfs(place.path, &status) < 0)
		return -1;
	tell(answer, " names=%lu", status.f_namemax);
	if (status.f_bsize == 0 || status.f_frsize == 0 || status.f_blocks == 0)
		tell(answer, " without size");
	if (status.f_bfree > status.f_blocks || status.f_bavail > status.f_bfree)
		tell(answer, " more free than there is");
	return 0;
}

/*
 * Where the mount has no extended attributes, its answer is EOPNOTSUPP once the checks that stand
 * before it have passed. The local disk passes the same checks when asked to replace or to remove
 * an attribute that nobody has.
 */
static long without_xattr(struct hands *hands, long returned)
{
	if (hands->licence.xattr && (returned < 0 ? errno == ENODATA : hands->reference)) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return returned;
}

static long run_setxattr(
        struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	struct place place;
	bool imitate = hands->licence.xattr && hands->reference;

	place_of(&place, hands, arguments[0].text);
	return without_xattr(
	        hands, setxattr(place.path, arguments[1].text, arguments[2].text,
	                       strlen(arguments[2].text), imitate ? XATTR_REPLACE : 0));
}

static long run_getxattr(
        struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	struct place place;
	char value[256];
	ssize_t length;

	place_of(&place, hands, arguments[0].text);
	length = getxattr(place.path, arguments[1].text, value, sizeof(value));
	if (length >= 0)
		tell(answer, " %.*s", (int)length, value);
	return without_xattr(hands, length);
}

static long run_listxattr(
        struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	struct place place;
	char names[1024];

	place_of(&place, hands, arguments[0].text);
	return without_xattr(hands, listxattr(place.path, names, sizeof(names)));
}

static long run_removexattr(
        struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	struct place place;

	place_of(&place, hands, arguments[0].text);
	return without_xattr(hands, removexattr(place.path, arguments[1].text));
}

const struct call calls_on_attributes[] = {
        {"chmod", "pm", run_chmod, 0},
        {"fchmod", "fm", run_fchmod, 1},
        {"chown", "pugx", run_chown, 0},
        {"fchown", "fug", run_fchown, 1},
        {"truncate", "pn", run_truncate, 0},
        {"utimens", "pTTx", run_utimens, 0},
        {"futimens", "fTT", run_futimens, 1},
        {"stat", "p", run_stat, 0},
        {"lstat", "p", run_lstat, 0},
        {"fstat", "f", run_fstat, 1},
        {"access", "pax", run_access, 0},
        {"statfs", "p", run_statfs, 0},
        {"setxattr", "pss", run_setxattr, 0},
        {"getxattr", "ps", run_getxattr, 0},
        {"listxattr", "p", run_listxattr, 0},
        {"removexattr", "ps", run_removexattr, 0},
        {},
};
