/* SPDX-License-Identifier: Apache-2.0 */
#include "watching.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "command.h"
#include "text.h"

#define LOOK_AGAIN_MS 200
#define P99_MS_SLIGHT 1 /* milliseconds more are no reason, whatever the factor */
#define PER_MS        1000

struct figures {
	uint64_t calls;
	uint64_t failed;
	double p99_ms;
};

struct sides {
	struct figures begin;
	struct figures now;
};

/* 0 where no call of the alias went to the version so far. */
static double read_number(const struct watching *watching, const char *version, const char *name)
{
	CLEANUP(free_p) char *path = NULL;
	CLEANUP(free_p) char *text = NULL;

	if (asprintf(&path, "aliases/%s/metrics/%s/%s", watching->alias, version, name) > 0)
		text = text_read_line(watching->target->function, path);
	return text ? strtod(text, NULL) : 0;
}

static struct figures look(const struct watching *watching, const char *version)
{
	if (!version)
		return (struct figures){};
	return (struct figures){
	        .failed = (uint64_t)read_number(watching, version, "failcount"),
	        .calls = (uint64_t)read_number(watching, version, "count"),
	        .p99_ms = read_number(watching, version, "p99"),
	};
}

bool watching_generation(const struct target *target, const char *alias, uint64_t *generation)
{
	CLEANUP(free_p) char *path = NULL;
	CLEANUP(free_p) char *status = NULL;
	CLEANUP(free_p) char *number = NULL;

	if (asprintf(&path, "aliases/%s/status", alias) > 0)
		status = text_read(target->function, path);
	if (status)
		number = text_value(status, "routes_generation");
	if (number)
		*generation = strtoull(number, NULL, 10);
	return number;
}

/* --- judging ---------------------------------------------------------------------------------- */

static uint64_t meanwhile(const struct sides *sides)
{
	return sides->now.calls - sides->begin.calls;
}

/* Of 100 calls, how many failed. */
static double share(uint64_t failed, uint64_t calls)
{
	return calls ? 100.0 * (double)failed / (double)calls : 0;
}

static double share_of_new(const struct sides *new)
{
	return share(new->now.failed - new->begin.failed, meanwhile(new));
}

static double share_of_old(const struct sides *old)
{
	if (meanwhile(old) >= WATCHING_CALLS)
		return share_of_new(old);
	return old->now.calls >= WATCHING_CALLS ? share(old->now.failed, old->now.calls) : 0;
}

static bool fails_too_often(
        const struct watching *watching, const struct sides *new, const struct sides *old)
{
	return meanwhile(new) >= WATCHING_CALLS &&
	       share_of_new(new) - share_of_old(old) > watching->error_share_most;
}

static bool is_too_slow(
        const struct watching *watching, const struct sides *new, const struct sides *old)
{
	return meanwhile(new) >= WATCHING_CALLS_P99 && old->now.calls >= WATCHING_CALLS_P99 &&
	       new->now.p99_ms > old->now.p99_ms * watching->p99_most &&new->now.p99_ms >
	               old->now.p99_ms + P99_MS_SLIGHT;
}

static void put_figures(const struct watching *watching, const struct sides *new,
        const struct sides *old, struct buf *out)
{
	buf_printf(out, "%s: %" PRIu64 " calls, %.1f%% failed, p99 %.1f ms", watching->version,
	        meanwhile(new), share_of_new(new), new->now.p99_ms);
	if (watching->old)
		buf_printf(out, "; %s: %" PRIu64 " calls, %.1f%% failed, p99 %.1f ms",
		        watching->old, meanwhile(old), share_of_old(old), old->now.p99_ms);
}

/* -1: none yet. */
static int judge(const struct watching *watching, const struct sides *new, const struct sides *old,
        struct buf *why)
{
	bool fails = fails_too_often(watching, new, old);

	if (!fails && !is_too_slow(watching, new, old))
		return -1;
	if (fails)
		buf_printf(why, "more than %g points more of its calls fail (",
		        watching->error_share_most);
	else
		buf_printf(why, "its p99 is more than %g times as long (", watching->p99_most);
	put_figures(watching, new, old, why);
	buf_puts(why, ")");
	return VERDICT_BAD;
}

/* --- watching --------------------------------------------------------------------------------- */

static void show(const struct watching *watching, const struct sides *new, const struct sides *old)
{
	CLEANUP(buf_deinit) struct buf line = BUF_INIT;

	put_figures(watching, new, old, &line);
	if (isatty(STDERR_FILENO) && !line.failed)
		fprintf(stderr, "\r%s\033[K", line.data);
}

static void end_line(void)
{
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}

static enum verdict at_end(const struct watching *watching, const struct sides *new,
        const struct sides *old, struct buf *why)
{
	put_figures(watching, new, old, why);
	return meanwhile(new) < WATCHING_CALLS ? VERDICT_TOO_FEW : VERDICT_GOOD;
}

/* -1: no verdict yet. */
static int look_again(const struct watching *watching, struct sides *new, struct sides *old,
        int64_t end_us, struct buf *why)
{
	uint64_t generation;
	bool over = clock_monotonic_us(&clock_system) >= end_us;
	int verdict;

	if (!watching_generation(watching->target, watching->alias, &generation)) {
		complain(COMMAND_UNABLE, "%s: aliases/%s/status: %s", watching->target->name,
		        watching->alias, strerror(errno));
		return VERDICT_UNABLE;
	}
	if (generation != watching->generation)
		return VERDICT_REROUTED;
	new->now = look(watching, watching->version);
	old->now = look(watching, watching->old);
	verdict = judge(watching, new, old, why);
	if (verdict < 0 && over)
		verdict = (int)at_end(watching, new, old, why);
	return verdict;
}

enum verdict watching_run(const struct watching *watching, struct buf *why)
{
	const struct timespec pause = {.tv_nsec = LOOK_AGAIN_MS * 1000000};
	int64_t end_us = clock_monotonic_us(&clock_system) + watching->time_ms * PER_MS;
	struct sides new = {.begin = look(watching, watching->version)};
	struct sides old = {.begin = look(watching, watching->old)};
	int verdict;

	while ((verdict = look_again(watching, &new, &old, end_us, why)) < 0) {
		show(watching, &new, &old);
		nanosleep(&pause, NULL);
	}
	end_line();
	return (enum verdict)verdict;
}
