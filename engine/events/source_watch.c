/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of a directory on this machine. What is known of it (its *seen* files: name, and a stamp of inode, size and time)
 * is kept in the store, so that after a restart only what is new, other, or gone makes an event. A file counts as seen when
 * its event is on the disk; the event's name says which file in which state, so that a crash between the two makes no
 * second one. Of what stands there when the source is set nothing is sent: that is what was last changed before.
 *
 * Whatever goes wrong, the child is ended and begun anew a while later: it tells of all there is, and what was not
 * seen is found. While events wait for the disk nothing more is read; the kernel holds it, and says when it cannot.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/json.h"
#include "events/watch_child.h"
#include "events/watch_private.h"
#include "model/why.h"

enum { SENDING_MOST = 64 };
#define PAUSE_FIRST_US SECOND_US
#define PAUSE_MOST_US  (60 * SECOND_US)
/* The clock that dates files is late by a tick. */
#define MARGIN_NS INT64_C(20000000)

/* An event on its way. */
struct watch_sending {
	struct source_watch *watch;
	struct seen_file *file;
};

static void begin(struct alarm *alarm);

/* --- trouble ---------------------------------------------------------------------------------- */

static void stop_child(struct source_watch *watch)
{
	watch->watching = watch->scanning = false;
	if (watch->child)
		watch_child_stop(watch->child);
	watch->child = NULL;
}

static void begin_later(struct source_watch *watch)
{
	stop_child(watch);
	watch->pause_us = watch->pause_us ? watch->pause_us * 2 : PAUSE_FIRST_US;
	if (watch->pause_us > PAUSE_MOST_US)
		watch->pause_us = PAUSE_MOST_US;
	alarm_set(watch->state->sources->alarms, &watch->again, watch->pause_us, begin);
}

__attribute__((format(printf, 2, 3))) static void say_why(
        struct source_watch *watch, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(watch->why, sizeof(watch->why), format, arguments);
	va_end(arguments);
}

/* --- events ----------------------------------------------------------------------------------- */

static void watch_free(struct source_watch *watch)
{
	seen_deinit(watch);
	watch_value_deinit(&watch->value);
	free(watch);
}

static void sent(struct source_state *state, void *userdata, int status)
{
	struct watch_sending *sending = userdata;
	struct source_watch *watch = sending->watch;
	struct seen_file *file = sending->file;

	free(sending);
	watch->sending--;
	if (watch->closed) {
		if (!watch->sending)
			watch_free(watch);
		return;
	}
	file->sending = false;
	if (status == 0 || status == -EEXIST) {
		watch->pause_us = 0;
		seen_settle(watch, file, file->next);
		if (watch->child)
			watch_child_resume(watch->child);
		return;
	}
	if (!*file->stamp)
		seen_drop(watch, file);
	say_why(watch, "an event could not be queued; all is looked at again");
	begin_later(watch);
}

static uint64_t hash(const char *text)
{
	uint64_t value = UINT64_C(0xcbf29ce484222325);

	while (*text)
		value = (value ^ (unsigned char)*text++) * UINT64_C(0x100000001b3);
	return value;
}

static void make_event(struct source_watch *watch, const struct seen_file *file,
        enum watch_change change, const struct watch_line *line, const char *name, struct buf *body)
{
	CLEANUP(free_p) char *plain = strdup(file->name);
	struct source_state *state = watch->state;
	struct event_about about = source_about(state, name, clock_wall_us(state->sources->clock));
	char sequence[24];

	snprintf(sequence, sizeof(sequence), "%016" PRIX64,
	        (uint64_t)(line->mtime_ns ? line->mtime_ns : about.time_us * 1000));
	if (!plain || escape_decode(plain) < 0) {
		body->failed = true;
		return;
	}
	event_watch(body, &about,
	        &(struct watch_event){.directory = watch->value.directory,
	                .name = plain,
	                .change = change,
	                .bytes = line->bytes,
	                .mtime_us = line->mtime_ns / 1000,
	                .sequence = sequence,
	                .uid = state->trigger->source->uid});
}

static void send_event(struct source_watch *watch, struct seen_file *file, enum watch_change change,
        const struct watch_line *line, const char *stamp)
{
	struct watch_sending *sending = malloc(sizeof(*sending));
	CLEANUP(buf_deinit) struct buf body = BUF_INIT;
	char name[160];

	snprintf(name, sizeof(name), "watch-%" PRIu64 "-%s-%016" PRIx64 "-%s-%" PRIx64,
	        watch->state->trigger_id, watch_change_name(change), hash(file->name),
	        *stamp ? stamp : file->stamp, (uint64_t)line->ctime_ns);
	make_event(watch, file, change, line, name, &body);
	snprintf(file->next, sizeof(file->next), "%s", stamp);
	if (sending) {
		*sending = (struct watch_sending){watch, file};
		file->sending = true;
		watch->sending++;
		if (feed_send(watch->state, name, &body, sent, sending) == 0)
			return;
		watch->sending--;
		file->sending = false;
		free(sending);
	}
	if (!*file->stamp)
		seen_drop(watch, file);
	say_why(watch, "an event could not be queued; all is looked at again");
	begin_later(watch);
}

static void change(struct source_watch *watch, struct seen_file *file, enum watch_change change,
        const struct watch_line *line, const char *stamp)
{
	if (watch->value.wants[change])
		send_event(watch, file, change, line, stamp);
	else
		seen_settle(watch, file, stamp);
}

/* --- what the child says ---------------------------------------------------------------------- */

/* It stood there when the source was set. */
static bool was_there(const struct source_watch *watch, const struct watch_line *line)
{
	return watch->scanning &&
	       line->ctime_ns < watch->state->trigger->source->start_us * 1000 - MARGIN_NS;
}

static void found(struct source_watch *watch, struct watch_line *line)
{
	struct seen_file *file = seen_get(watch, line->text, false);
	char stamp[WATCH_STAMP_SIZE];

	snprintf(stamp, sizeof(stamp), "%" PRIx64 ".%" PRIx64 ".%" PRIx64, line->inode,
	        (uint64_t)line->bytes, (uint64_t)line->mtime_ns);
	if (file) {
		file->round = watch->round;
		if (strcmp(file->stamp, stamp) != 0)
			change(watch, file, WATCH_CHANGED, line, stamp);
		return;
	}
	if (watch->files.count >= WATCH_SEEN_MOST) {
		say_why(watch, "there are more than %d files: what is above is not watched",
		        WATCH_SEEN_MOST);
		return;
	}
	file = seen_get(watch, line->text, true);
	if (!file) {
		begin_later(watch);
		return;
	}
	file->round = watch->round;
	if (was_there(watch, line))
		seen_settle(watch, file, stamp);
	else
		change(watch, file, WATCH_CREATED, line, stamp);
}

static void gone(struct source_watch *watch, const char *name)
{
	struct seen_file *file = seen_get(watch, name, false);

	if (file)
		change(watch, file, WATCH_REMOVED, &(struct watch_line){}, "");
}

/* All that this scan did not find. False: too many are on their way; it goes on later. */
static bool end_scan(struct source_watch *watch)
{
	CLEANUP(free_p) struct seen_file **missed = NULL;
	size_t count = 0, cursor = 0;
	struct seen_file *file;

	/* What goes changes the table, so they are collected first. */
	missed = calloc(watch->files.count + 1, sizeof(*missed));
	while (missed && (file = names_next(&watch->files, &cursor)))
		if (file->round != watch->round)
			missed[count++] = file;
	for (size_t i = 0; i < count && watch->child; i++) {
		if (missed[i]->sending || watch->sending >= SENDING_MOST)
			return false;
		missed[i]->round = watch->round;
		gone(watch, missed[i]->name);
	}
	watch->scanning = false;
	return true;
}

static bool must_wait(struct source_watch *watch, const struct watch_line *line)
{
	const struct seen_file *file;

	if (line->word != WATCH_SAYS_FILE && line->word != WATCH_SAYS_GONE)
		return false;
	file = seen_get(watch, line->text, false);
	return watch->sending >= SENDING_MOST || (file && file->sending);
}

static bool hear(void *userdata, struct watch_line *line)
{
	struct source_watch *watch = userdata;
	struct seen_file *file;

	if (must_wait(watch, line))
		return false;
	switch (line->word) {
	case WATCH_SAYS_WATCHING:
		watch->watching = true;
		watch->why[0] = 0;
		break;
	case WATCH_SAYS_BEGIN:
		watch->round++;
		watch->scanning = true;
		break;
	case WATCH_SAYS_END:
		return !watch->scanning || end_scan(watch);
	case WATCH_SAYS_FILE:
		found(watch, line);
		break;
	case WATCH_SAYS_BUSY:
		file = seen_get(watch, line->text, false);
		if (file)
			file->round = watch->round;
		break;
	case WATCH_SAYS_GONE:
		gone(watch, line->text);
		break;
	case WATCH_SAYS_OVERFLOW:
		watch->overflows++;
		break;
	case WATCH_SAYS_MISSING:
		watch->watching = watch->scanning = false;
		say_why(watch, "%s", line->text);
		break;
	case WATCH_SAYS_REFUSED:
		watch->refused = true;
		say_why(watch, "%s", line->text);
		break;
	case WATCH_SAYS_NOTHING:
		break;
	}
	return true;
}

static void ended(void *userdata, const char *why)
{
	struct source_watch *watch = userdata;

	watch->child = NULL;
	watch->watching = false;
	if (watch->refused)
		return;
	say_why(watch, "%s", why);
	begin_later(watch);
}

/* --- life ------------------------------------------------------------------------------------- */

static void begin(struct alarm *alarm)
{
	struct source_watch *watch = container_of(alarm, struct source_watch, again);
	static const struct watch_child_events events = {hear, ended, sources_child_gone};
	const struct trigger_source *source = watch->state->trigger->source;
	struct sources *sources = watch->state->sources;
	int r = watch_child_start(&watch->child, &sources->place,
	        &(struct watch_job){.program = sources->watch_path,
	                .directory = watch->value.directory,
	                .glob = watch->value.glob,
	                .state_directory = sources->state_directory,
	                .uid = source->uid,
	                .gid = source->gid,
	                .groups = source->groups,
	                .group_count = source->group_count},
	        &events, watch, sources);

	if (r == 0) {
		sources->children++;
		return;
	}
	watch->child = NULL;
	if (r == -EPERM) {
		watch->refused = true;
		say_why(watch,
		        "user %u set it, and this daemon, of an ordinary user, can act for "
		        "nobody else",
		        (unsigned)source->uid);
		return;
	}
	say_why(watch, "fnfs-watch cannot be started: %s", strerror(-r));
	begin_later(watch);
}

static int start(struct source_state *state, struct buf *why)
{
	struct sources *sources = state->sources;
	struct trigger_source *source = state->trigger->source;
	struct source_watch *watch;
	int r;

	if (!sources->watch_path || !sources->place.launcher) {
		why_say(why, "fnfs-watch is not installed");
		return -ENOENT;
	}
	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return -ENOMEM;
	watch->state = state;
	watch->source = source->id;
	r = watch_value_parse(&watch->value, source->value, why);
	if (r == 0)
		r = seen_load(watch);
	if (r < 0) {
		watch_free(watch);
		return r;
	}
	state->watch = watch;
	begin(&watch->again);
	return 0;
}

static void stop(struct source_state *state)
{
	struct source_watch *watch = state->watch;

	state->watch = NULL;
	if (!watch)
		return;
	stop_child(watch);
	seen_store(watch);
	alarm_clear(state->sources->alarms, &watch->again);
	watch->closed = true;
	if (!watch->sending)
		watch_free(watch);
}

static int check(struct sources *sources, const struct trigger_source *source, const char *text,
        struct buf *canonical, struct topic **topic, struct buf *why)
{
	struct watch_value value;
	int r = watch_value_parse(&value, text, why);

	if (r < 0)
		return r;
	if (sources->mount_path && watch_path_within(value.directory, sources->mount_path)) {
		why_say(why, "%s is in the mount: what it changes would call it again",
		        value.directory);
		r = -ELOOP;
	} else if (sources->state_path && watch_path_within(value.directory, sources->state_path)) {
		why_say(why, "%s is in the state directory of the daemon", value.directory);
		r = -ELOOP;
	} else {
		watch_value_show(&value, canonical);
	}
	watch_value_deinit(&value);
	return r;
}

static void show(struct source_state *state, struct buf *out)
{
	const struct source_watch *watch = state->watch;

	if (*watch->why)
		buf_printf(out, "why %s\n", watch->why);
	buf_printf(out, "files %zu\nunder_way %zu\noverflows %" PRIu64 "\n", watch->files.count,
	        watch->sending, watch->overflows);
}

static const char *name_state(const struct source_state *state)
{
	const struct source_watch *watch = state->watch;

	return watch->refused ? "failed" : watch->watching ? "active" : "waiting";
}

const struct source_ops source_watch = {
        .check = check, .start = start, .stop = stop, .show = show, .name_state = name_state};
