/* SPDX-License-Identifier: Apache-2.0 */
/* When spares are made, and when there are too many. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fail.h"
#include "run/guardian.h"
#include "run/guardian_spare.h"
#include "run/guardian_spares_private.h"
#include "run/memory.h"

#define MILLISECOND_US INT64_C(1000)
#define MINUTE_US      (INT64_C(60) * 1000 * MILLISECOND_US)

#define QUIET_US (20 * MILLISECOND_US) /* after an order, before spares are made */
#define BUSY_US \
	(500 * MILLISECOND_US) /* a start takes no longer than that, or spares do not wait */
#define UNUSED_US       (10 * MINUTE_US)
#define SHORT_US        (MINUTE_US / 2)
#define LATE_US         (30 * 1000 * MILLISECOND_US)
#define LATE_PENDING_US (2 * 1000 * MILLISECOND_US) /* where somebody waits for it */

/* FNFS_SPARES=0: none. */
static bool are_wanted(void)
{
	const char *given = getenv("FNFS_SPARES");

	return !given || strcmp(given, "0") != 0;
}

/* --- pressure --------------------------------------------------------------------------------- */

/* 150 ms of two seconds were lost by waiting for memory: the least window that everybody may ask for. */
static int watch_pressure(void)
{
	static const char trigger[] = "some 150000 2000000";
	int fd = open("/proc/pressure/memory", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0 && write(fd, trigger, sizeof(trigger)) < 0)
		fd = close_fd(fd);
	return fd;
}

/* --- what is made ----------------------------------------------------------------------------- */

struct spare *spares_make(struct guardian *guardian, struct spare_kind *kind)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	struct spare *spare = spare_start(guardian, kind, ++guardian->spares.made, &why);

	if (spare) {
		guardian_take_in(guardian, spare->ward, spare->ward->id);
		return spare;
	}
	kind->wanted = 0;
	fail(-EIO, "making a sandbox ahead: %s", why.data ? why.data : "out of memory");
	return NULL;
}

static bool something_starts(const struct guardian *guardian)
{
	struct ward *ward;

	list_each(ward, &guardian->wards, link)
		if (!ward->running && !ward->waiting && !ward->errand && !ward->doomed)
			return true;
	return false;
}

/* One after the other, and not while what is wanted now is being started. */
static bool may_make(const struct guardian *guardian, int64_t now)
{
	int64_t quiet_us = now - guardian->spares.started_us;

	return now >= guardian->spares.short_until_us && quiet_us >= QUIET_US &&
	       (quiet_us >= BUSY_US || !something_starts(guardian));
}

static struct spare_kind *wanting_kind(const struct guardian *guardian)
{
	struct spare_kind *kind;

	list_each(kind, &guardian->spares.kinds, link)
		if (kind->ready < kind->wanted)
			return kind;
	return NULL;
}

static void make_due(struct guardian *guardian, int64_t now)
{
	struct spare_kind *kind = may_make(guardian, now) ? wanting_kind(guardian) : NULL;

	if (!kind)
		return;
	if (memory_is_short())
		guardian->spares.short_until_us = now + SHORT_US;
	else
		spares_make(guardian, kind);
}

static int64_t late_us(const struct spare *spare)
{
	return spare->made_us + (spare->pending ? LATE_PENDING_US : LATE_US);
}

/* What a zygote does not answer for. */
static void end_late(struct guardian *guardian, struct spare_kind *kind, int64_t now)
{
	struct spare *spare, *following;

	list_each_safe(spare, following, &kind->spares, link) {
		if (!spare->by_zygote || spare->order < 0 || now < late_us(spare))
			continue;
		spares_fail_zygote(guardian, spare, "no answer");
		return;
	}
}

static void age(struct guardian *guardian, int64_t now)
{
	struct spare_kind *kind, *following;

	list_each_safe(kind, following, &guardian->spares.kinds, link) {
		if (now - kind->used_us >= UNUSED_US) {
			spares_end_kind(guardian, kind);
			continue;
		}
		if (kind->wanted > 1 && now - kind->raised_us >= MINUTE_US) {
			kind->wanted--;
			kind->raised_us = now;
		}
		spares_end_some(guardian, kind, kind->wanted);
		end_late(guardian, kind, now);
	}
}

/* A function that fights its own limit waits for memory too, and concerns nobody else. */
void spares_hear_pressure(struct guardian *guardian)
{
	if (!memory_is_short())
		return;
	spares_end_all(guardian);
	guardian->spares.short_until_us = clock_monotonic_us(&clock_system) + SHORT_US;
}

void spares_turn(struct guardian *guardian)
{
	int64_t now = clock_monotonic_us(&clock_system);

	age(guardian, now);
	make_due(guardian, now);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t next_due_us(const struct guardian *guardian, int64_t now)
{
	const struct spares *spares = &guardian->spares;
	struct spare_kind *kind;
	struct spare *spare;
	int64_t due = INT64_MAX;

	list_each(kind, &spares->kinds, link) {
		due = earlier(due, kind->used_us + UNUSED_US);
		list_each(spare, &kind->spares, link)
			if (spare->by_zygote && spare->order >= 0)
				due = earlier(due, late_us(spare));
		if (kind->wanted > 1)
			due = earlier(due, kind->raised_us + MINUTE_US);
		if (kind->ready >= kind->wanted)
			continue;
		if (now < spares->short_until_us)
			due = earlier(due, spares->short_until_us);
		else if (now < spares->started_us + QUIET_US)
			due = earlier(due, spares->started_us + QUIET_US);
		else /* its own news wakes us before that */
			due = earlier(due, spares->started_us + BUSY_US);
	}
	return due;
}

int spares_patience_ms(const struct guardian *guardian)
{
	int64_t now = clock_monotonic_us(&clock_system), due = next_due_us(guardian, now);

	if (due == INT64_MAX)
		return -1;
	if (due <= now)
		return 0;
	return due - now > MINUTE_US ? (int)(MINUTE_US / MILLISECOND_US)
	                             : (int)((due - now) / MILLISECOND_US) + 1;
}

void spares_init(struct guardian *guardian)
{
	guardian->spares = (struct spares){.wanted = are_wanted(), .pressure = -1};
	list_init(&guardian->spares.kinds);
	if (guardian->spares.wanted)
		guardian->spares.pressure = watch_pressure();
}

void spares_deinit(struct guardian *guardian)
{
	spares_end_all(guardian);
	guardian->spares.pressure = close_fd(guardian->spares.pressure);
}
