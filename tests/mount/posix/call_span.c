/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls on the room a file takes: ftruncate, fallocate in its modes, posix_fallocate, and the limit of
 * a file's size.
 */
#include "call.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static long run_ftruncate(
        struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	return ftruncate(hand(hands, arguments[0].number), arguments[1].number);
}

/* Sizes that would fill the disk are for truncate only. */
static long affordable(long length)
{
	return length > (8 << 20) ? 8 << 20 : length;
}

static long run_fallocate(
        struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	return fallocate(hand(hands, arguments[0].number), arguments[1].number, arguments[2].number,
	        affordable(arguments[3].number));
}

static long run_posix_fallocate(
        struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	int error = posix_fallocate(hand(hands, arguments[0].number), arguments[1].number,
	        affordable(arguments[2].number));

	errno = error;
	return error ? -1 : 0;
}

/* Sets the greatest size of a file for this actor; -1 lifts it. */
static long run_limit(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_FSIZE, &limit) < 0)
		return -1;
	limit.rlim_cur = arguments[0].number < 0 ? limit.rlim_max : (rlim_t)arguments[0].number;
	return setrlimit(RLIMIT_FSIZE, &limit);
}

const struct call calls_on_spans[] = {
        {"ftruncate", "fn", run_ftruncate, 1},
        {"fallocate", "fAnn", run_fallocate, 1},
        {"posix_fallocate", "fnn", run_posix_fallocate, 1},
        {"limit", "n", run_limit, 0},
        {},
};
