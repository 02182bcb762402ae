/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locks: flock, fcntl's of the process and of the open file. `waitlock` waits for a lock, so that it
 * is begun by one actor and ended by the other.
 */
#include "call.h"
#include "word.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

static long run_flock(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	return flock(hand(hands, arguments[0].number), arguments[1].number | LOCK_NB);
}

static long set_lock(struct hands *hands, const struct argument *arguments, int command)
{
	struct flock lock = {.l_type = arguments[1].number,
	        .l_whence = SEEK_SET,
	        .l_start = arguments[2].number,
	        .l_len = arguments[3].number};
	long returned = fcntl(hand(hands, arguments[0].number), command, &lock);

	/* Both are allowed for a lock that is held. */
	if (returned < 0 && errno == EACCES)
		errno = EAGAIN;
	return returned;
}

static long run_lock(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	return set_lock(hands, arguments, F_SETLK);
}

static long run_ofdlock(
        struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	return set_lock(hands, arguments, F_OFD_SETLK);
}

static long run_waitlock(
        struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	return set_lock(hands, arguments, hands->begun ? F_SETLKW : F_SETLK);
}

/* Who would be in the way, and where. */
static long run_getlock(
        struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	struct flock lock = {.l_type = arguments[1].number,
	        .l_whence = SEEK_SET,
	        .l_start = arguments[2].number,
	        .l_len = arguments[3].number};
	char kind[32];

	if (fcntl(hand(hands, arguments[0].number), F_GETLK, &lock) < 0)
		return -1;
	word_print('L', lock.l_type, kind, sizeof(kind));
	tell(answer, " %s", kind);
	if (lock.l_type != F_UNLCK)
		tell(answer, " %lld+%lld by %s", (long long)lock.l_start, (long long)lock.l_len,
		        lock.l_pid == getpid() ? "me"
		        : lock.l_pid < 0       ? "an open file"
		                               : "another");
	return 0;
}

const struct call calls_on_locks[] = {
        {"flock", "fF", run_flock, 1},
        {"lock", "fLnn", run_lock, 1},
        {"ofdlock", "fLnn", run_ofdlock, 1},
        {"waitlock", "fLnn", run_waitlock, 1},
        {"getlock", "fLnn", run_getlock, 1},
        {},
};
