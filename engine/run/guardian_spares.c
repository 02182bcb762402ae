/* SPDX-License-Identifier: Apache-2.0 */
#include "run/guardian_spares.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fail.h"
#include "run/guardian.h"
#include "run/guardian_spare.h"
#include "run/sandbox_attach.h"
#include "run/sandbox_order.h"

#define MILLISECOND_US INT64_C(1000)
#define MINUTE_US      (INT64_C(60) * 1000 * MILLISECOND_US)

#define QUIET_US (20 * MILLISECOND_US) /* after an order, before spares are made */
#define BUSY_US \
	(500 * MILLISECOND_US) /* a start takes no longer than that, or spares do not wait */
#define UNUSED_US  (10 * MINUTE_US)
#define SHORT_US   (MINUTE_US / 2)
#define MOST_READY 8

/* FNFS_SPARES=0: none. */
static bool are_wanted(void)
{
	const char *given = getenv("FNFS_SPARES");

	return !given || strcmp(given, "0") != 0;
}

/* Of each kind, which has seldom more than one or two of a machine's functions start at the same moment. */
static unsigned most_ready(void)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	return processors < 2                ? 2
	       : processors > MOST_READY / 2 ? MOST_READY
	                                     : 2 * (unsigned)processors;
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

static int64_t memory_kb(const char *text, const char *name)
{
	const char *line = strstr(text, name);

	return line ? strtoll(line + strlen(name), NULL, 10) : -1;
}

/* A fifth of all is left to those who need it now. */
static bool memory_is_short(void)
{
	CLEANUP(close_p) int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	char text[512];
	ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (length <= 0)
		return false;
	text[length] = 0;
	return memory_kb(text, "MemAvailable:") < memory_kb(text, "MemTotal:") / 5;
}

/* --- kinds ------------------------------------------------------------------------------------ */

static bool same_strings(const char **strings, char *const *others)
{
	size_t i = 0;

	for (; strings[i] && others[i]; i++)
		if (strcmp(strings[i], others[i]) != 0)
			return false;
	return !strings[i] && !others[i];
}

/* Root's functions have each a user of their own, and so has each spare of root's. */
static bool is_of(
        const struct spare_kind *kind, const struct order *order, bool running, int64_t tmp_bytes)
{
	const struct message_start *numbers = &order->numbers;

	return kind->uid == numbers->uid && (!numbers->uid || kind->gid == numbers->gid) &&
	       kind->max_processes == numbers->max_processes && kind->tmp_bytes == tmp_bytes &&
	       kind->running == running && strcmp(kind->runtime, order->runtime) == 0 &&
	       (!running || same_strings(order->argv, kind->argv));
}

static int64_t tmp_bytes_of(const struct guardian *guardian, const struct order *order)
{
	if (limits_has(&guardian->limits, LIMITS_MEMORY))
		return INT64_MAX;
	return ward_tmp_bytes(&guardian->limits, order->numbers.memory_bytes);
}

static struct spare_kind *find_kind(
        const struct guardian *guardian, const struct order *order, bool running)
{
	int64_t tmp_bytes = tmp_bytes_of(guardian, order);
	struct spare_kind *kind;

	list_each(kind, &guardian->spares.kinds, link)
		if (is_of(kind, order, running, tmp_bytes))
			return kind;
	return NULL;
}

static struct spare_kind *make_kind(
        struct guardian *guardian, const struct order *order, bool running)
{
	struct spare_kind *kind = spare_kind_new(order, running, tmp_bytes_of(guardian, order));

	if (kind)
		list_prepend(&guardian->spares.kinds, &kind->link);
	return kind;
}

/* That it ended may not have been heard yet. */
static bool has_ended(const struct ward *ward)
{
	siginfo_t end = {0};

	return waitid(P_PID, (id_t)ward->bubblewrap, &end, WEXITED | WNOHANG | WNOWAIT) < 0 ||
	       end.si_pid;
}

static struct spare *ready_spare(const struct spare_kind *kind)
{
	struct spare *spare;

	list_each(spare, &kind->spares, link)
		if ((kind->running ? spare->ward->running : spare->ward->waiting) &&
		        !has_ended(spare->ward))
			return spare;
	return NULL;
}

/* --- ends ------------------------------------------------------------------------------------- */

static void end_spare(struct guardian *guardian, struct spare *spare)
{
	struct ward *ward = spare->ward;

	spare->unwanted = true;
	spare_leave(spare);
	ward_kill(ward, &guardian->limits);
}

static void end_spares(struct guardian *guardian, struct spare_kind *kind, unsigned most)
{
	struct spare *spare, *following;

	list_each_safe(spare, following, &kind->spares, link)
		if (kind->ready > most)
			end_spare(guardian, spare);
}

static void end_kind(struct guardian *guardian, struct spare_kind *kind)
{
	end_spares(guardian, kind, 0);
	spare_kind_free(kind);
}

static void end_all(struct guardian *guardian)
{
	struct spare_kind *kind, *following;

	list_each_safe(kind, following, &guardian->spares.kinds, link)
		end_kind(guardian, kind);
}

/* What cannot be made is not made again and again, but when it is asked for. */
void spares_lose(struct guardian *guardian, struct ward *ward)
{
	struct spare *spare = ward->spare;

	if (!spare->unwanted) {
		spare->kind->wanted = 0;
		fail(-EIO, "a sandbox that waited ended: %s",
		        ward->words.length ? ward->words.data : "by itself");
	}
	ward->spare = spare_free(spare);
}

/* --- what is taken ---------------------------------------------------------------------------- */

/* A copy that was built belongs to the function's own user. */
static bool readable_by_others(const struct guardian *guardian, const struct order *order)
{
	struct stat st;

	return !guardian->sandbox.is_root || order->numbers.uid ||
	       (stat(order->code, &st) == 0 && st.st_uid == 0);
}

static bool could_be_spare(const struct guardian *guardian, const struct order *order)
{
	const struct message_start *numbers = &order->numbers;

	return guardian->spares.wanted && !numbers->image && !numbers->writable &&
	       !numbers->outbound && !numbers->host_network && readable_by_others(guardian, order);
}

static int dress(struct guardian *guardian, struct spare *spare, const struct order *order)
{
	const struct sandbox_attachment attachment = {.inside = spare->ward->init,
	        .code = order->code,
	        .layers = (const char *const *)order->layers,
	        .hostname = order->name,
	        .is_root = guardian->sandbox.is_root};
	struct limits_values values;
	int error;

	if (sandbox_root_refresh(&guardian->sandbox.root) < 0 ||
	        spare->root != guardian->sandbox.root.number)
		return -ESTALE; /* the machine's settings have changed since */
	ward_limits(order, &values);
	error = limits_create(&guardian->limits, spare->ward->group, &values);
	return error ? error : sandbox_attach(&attachment);
}

/* The way out is not among the things a spare can get, so that init needs nothing else. */
static int give_order(
        struct spare *spare, const struct order *order, const int descriptors[MESSAGE_DESCRIPTORS])
{
	CLEANUP(buf_deinit) struct buf text = BUF_INIT;

	if (order->numbers.arguments > SANDBOX_ORDER_ARGS)
		return -E2BIG;
	spare_write_order(&text, order);
	if (text.failed || text.length > SANDBOX_ORDER_MAX)
		return -E2BIG;
	return spare_send_order(spare, &text, descriptors);
}

static int clothe(struct guardian *guardian, struct spare *spare, const struct order *order,
        const int descriptors[MESSAGE_DESCRIPTORS])
{
	int error = dress(guardian, spare, order);

	return error || spare->kind->running ? error : give_order(spare, order, descriptors);
}

static void hand_over(
        struct guardian *guardian, struct spare *spare, const struct order *order, uint64_t id)
{
	struct ward *ward = spare->ward;

	guardian_rename(guardian, ward, id);
	ward->memory_limit = order->numbers.memory_bytes;
	ward->spare = NULL;
	ward->was_spare = true;
	if (spare->kind->running)
		guardian_tell_started(guardian, ward, spare->ends);
	spare_free(spare);
}

static bool take_of(struct guardian *guardian, struct spare_kind *kind, const struct order *order,
        uint64_t id, const int descriptors[MESSAGE_DESCRIPTORS])
{
	struct spare *spare = kind ? ready_spare(kind) : NULL;
	int error;

	if (!spare)
		return false;
	error = clothe(guardian, spare, order, descriptors);
	if (error) {
		if (error != -ESTALE)
			fail(error, "giving a sandbox its code");
		end_spare(guardian, spare);
		return false;
	}
	hand_over(guardian, spare, order, id);
	return true;
}

/* The kind is wanted once more; the more, if it was missing. */
static void note_use(struct spare_kind *kind, bool missed, int64_t now)
{
	if (!kind)
		return;
	kind->used_us = now;
	if (missed && kind->wanted < most_ready()) {
		kind->wanted++;
		kind->raised_us = now;
	}
}

bool spares_take(struct guardian *guardian, const struct order *order, uint64_t id,
        const int descriptors[MESSAGE_DESCRIPTORS])
{
	bool running = order->numbers.parks, taken;
	struct spare_kind *kind;

	guardian->spares.started_us = clock_monotonic_us(&clock_system);
	if (!could_be_spare(guardian, order))
		return false;
	kind = find_kind(guardian, order, running);
	taken = take_of(guardian, kind, order, id, descriptors);
	if (!kind)
		kind = make_kind(guardian, order, running);
	note_use(kind, !taken, guardian->spares.started_us);
	/* A sandbox without the program is better than none. */
	return taken || (running && take_of(guardian, find_kind(guardian, order, false), order, id,
	                                    descriptors));
}

/* --- what is made ----------------------------------------------------------------------------- */

static void make_spare(struct guardian *guardian, struct spare_kind *kind)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	struct spare *spare = spare_start(guardian, kind, ++guardian->spares.made, &why);

	if (spare) {
		guardian_take_in(guardian, spare->ward, spare->ward->id);
		return;
	}
	kind->wanted = 0;
	fail(-EIO, "making a sandbox ahead: %s", why.data ? why.data : "out of memory");
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
		make_spare(guardian, kind);
}

static void age(struct guardian *guardian, int64_t now)
{
	struct spare_kind *kind, *following;

	list_each_safe(kind, following, &guardian->spares.kinds, link) {
		if (now - kind->used_us >= UNUSED_US) {
			end_kind(guardian, kind);
			continue;
		}
		if (kind->wanted > 1 && now - kind->raised_us >= MINUTE_US) {
			kind->wanted--;
			kind->raised_us = now;
		}
		end_spares(guardian, kind, kind->wanted);
	}
}

void spares_hear_pressure(struct guardian *guardian)
{
	end_all(guardian);
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
	int64_t due = INT64_MAX;

	list_each(kind, &spares->kinds, link) {
		due = earlier(due, kind->used_us + UNUSED_US);
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
	end_all(guardian);
	guardian->spares.pressure = close_fd(guardian->spares.pressure);
}
