/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events that a program brings (docs/sources.md): it is started with the rights of the user who set the source, told when an
 * event is on the disk, and started again when it ends. Whatever it does, nothing of a broker is in this process.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "events/program_private.h"
#include "events/program_value.h"
#include "events/watch_value.h"
#include "model/function.h"
#include "model/why.h"
#include "run/launcher.h"

enum { PROCESSES_MOST = 256, VARIABLES_MOST = 8, SAYS_MOST = 256 };
#define MEMORY_BYTES   (INT64_C(512) << 20)
#define PAUSE_FIRST_US SECOND_US
#define PAUSE_MOST_US  (60 * SECOND_US)
#define PATIENCE_US    (3 * SECOND_US)
#define PATH           "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static void begin(struct alarm *alarm);

/* --- where it is ------------------------------------------------------------------------------ */

/* Nothing that we ourselves would have to serve is looked at. */
static bool is_reachable(const struct sources *sources, const char *directory)
{
	return *directory == '/' &&
	       !(sources->mount_path && watch_path_within(directory, sources->mount_path));
}

int sources_find_program(
        const struct sources *sources, const char *kind, char path[], size_t size, struct buf *why)
{
	CLEANUP(free_p)
	char *directories = strdup(sources->program_path ? sources->program_path : "");
	char *rest = directories, *directory;

	while (rest && (directory = strsep(&rest, ":"))) {
		int length = snprintf(path, size, "%s/fnfs-source-%s", directory, kind);

		if (is_reachable(sources, directory) && (size_t)length < size &&
		        access(path, X_OK) == 0)
			return 0;
	}
	why_say(why,
	        "there is no source %s: beside timer, http, watch and topic it is a program, "
	        "fnfs-source-%s, that is looked for in %s (FNFS_SOURCES of the daemon names "
	        "more directories)",
	        kind, kind, sources->program_path ? sources->program_path : "no directory");
	return -EOPNOTSUPP;
}

/* --- its life --------------------------------------------------------------------------------- */

void program_note(struct source_program *program, char **place, struct program_text text)
{
	size_t most = text.length < SAYS_MOST ? text.length : SAYS_MOST;
	CLEANUP(free_p) char *copy = strndup(text.at, most);
	struct buf shown = BUF_INIT;

	free(*place);
	*place = NULL;
	if (copy && *copy)
		program_value_hide(program->state->trigger->source->value, copy, &shown);
	if (shown.failed)
		buf_deinit(&shown);
	*place = shown.length ? buf_take(&shown) : NULL;
}

static void begin_later(struct source_program *program)
{
	program->pause_us = program->pause_us ? program->pause_us * 2 : PAUSE_FIRST_US;
	if (program->pause_us > PAUSE_MOST_US)
		program->pause_us = PAUSE_MOST_US;
	alarm_set(program->state->sources->alarms, &program->again, program->pause_us, begin);
}

static size_t heard(void *userdata, const char *data, size_t length)
{
	struct source_program *program = userdata;
	size_t taken = program_take(program, data, length);

	if (!*program->broken && !program->refused)
		return taken;
	child_stop(take(program->child));
	program_forget_events(program);
	program->word[0] = 0;
	if (program->refused)
		return taken;
	snprintf(program->why, sizeof(program->why),
	        "it was ended, for it does not keep to what sources say: %s", program->broken);
	begin_later(program);
	return taken;
}

static void said(void *userdata, const char *line)
{
	struct source_program *program = userdata;

	program_note(program, &program->says, (struct program_text){line, strlen(line)});
}

static void answers_sent(void *userdata)
{
	program_flow(userdata);
}

static void ended(void *userdata, const char *why)
{
	struct source_program *program = userdata;

	program->child = NULL;
	program_forget_events(program);
	program->word[0] = 0;
	snprintf(program->why, sizeof(program->why), "%s", why);
	begin_later(program);
}

struct environment {
	struct buf texts[VARIABLES_MOST];
	const char *list[VARIABLES_MOST + 1];
	size_t count;
};

static void environment_deinit(struct environment *environment)
{
	for (size_t i = 0; i < environment->count; i++)
		buf_deinit(&environment->texts[i]);
}

static int add_variable(struct environment *environment, const char *name, const char *value)
{
	struct buf *text = &environment->texts[environment->count];

	buf_init(text);
	buf_printf(text, "%s=%s", name, value);
	environment->list[environment->count++] = text->data;
	return text->failed ? -ENOMEM : 0;
}

static int make_environment(struct environment *environment, const struct source_state *state)
{
	const struct trigger *trigger = state->trigger;
	char name[80];
	int r;

	snprintf(name, sizeof(name), "fnfs-%s-%" PRIu64, state->sources->identity, trigger->id);
	r = add_variable(environment, "FNFS_SOURCE_VALUE", trigger->source->value);
	r |= add_variable(
	        environment, "FNFS_SOURCE_FORMAT", event_format_name(trigger_format(trigger)));
	r |= add_variable(environment, "FNFS_SOURCE_FUNCTION", trigger->function->name);
	r |= add_variable(environment, "FNFS_SOURCE_TRIGGER", trigger->name);
	r |= add_variable(environment, "FNFS_SOURCE_NAME", name);
	r |= add_variable(environment, "PATH", PATH);
	r |= add_variable(environment, "HOME", "/");
	return r ? -ENOMEM : 0;
}

static int run(struct source_program *program, const char *path)
{
	static const struct child_events events = {.heard = heard,
	        .said = said,
	        .sent = answers_sent,
	        .ended = ended,
	        .gone = sources_child_gone};
	CLEANUP(environment_deinit) struct environment environment = {};
	struct sources *sources = program->state->sources;
	const struct trigger_source *source = program->state->trigger->source;
	const char *const arguments[] = {path, NULL};
	int r = make_environment(&environment, program->state);

	if (r == 0)
		r = child_start(&program->child, &sources->place,
		        &(struct errand){.name = "source",
		                .argv = arguments,
		                .environment = environment.list,
		                .uid = source->uid,
		                .gid = source->gid,
		                .groups = source->groups,
		                .group_count = source->group_count,
		                .memory_bytes = MEMORY_BYTES,
		                .max_processes = PROCESSES_MOST},
		        true, &events, program, sources);
	sources->children += r == 0;
	return r;
}

static void begin(struct alarm *alarm)
{
	struct source_program *program = container_of(alarm, struct source_program, again);
	const struct trigger_source *source = program->state->trigger->source;
	struct buf why = BUF_INIT;
	char path[4096];
	int r = sources_find_program(
	        program->state->sources, source->kind_name, path, sizeof(path), &why);

	program->missing = r < 0;
	program->broken[0] = 0;
	if (r == 0)
		r = run(program, path);
	if (r == 0) {
		program->begun++;
	} else if (program->missing) {
		snprintf(program->why, sizeof(program->why), "%s", why.data ? why.data : "");
		program->pause_us = PAUSE_MOST_US; /* it may be put there */
		begin_later(program);
	} else if (r == -EPERM) {
		program->refused = true;
		snprintf(program->why, sizeof(program->why),
		        "user %u set it, and this daemon, of an ordinary user, can act for nobody "
		        "else",
		        (unsigned)source->uid);
	} else {
		snprintf(program->why, sizeof(program->why), "it cannot be started: %s",
		        strerror(-r));
		begin_later(program);
	}
	buf_deinit(&why);
}

static int start(struct source_state *state, struct buf *why)
{
	struct source_program *program;

	if (!state->sources->place.launcher) {
		why_say(why, "nothing starts programs here");
		return -ENOENT;
	}
	program = calloc(1, sizeof(*program));
	if (!program)
		return -ENOMEM;
	program->state = state;
	list_init(&program->events);
	state->program = program;
	begin(&program->again);
	return 0;
}

static void stop(struct source_state *state)
{
	struct source_program *program = state->program;

	state->program = NULL;
	if (!program)
		return;
	alarm_clear(state->sources->alarms, &program->again);
	program_forget_events(program);
	if (program->child)
		child_finish(take(program->child), PATIENCE_US);
	program->closed = true;
	if (!program->sending)
		program_free(program);
}

/* --- what is shown ---------------------------------------------------------------------------- */

static int check(struct sources *sources, const struct trigger_source *source, const char *text,
        struct buf *canonical, struct topic **topic, struct buf *why)
{
	int r = program_value_check(source->kind_name, text, why);

	if (r == 0)
		buf_puts(canonical, text);
	return r;
}

static void show(struct source_state *state, struct buf *out)
{
	const struct source_program *program = state->program;

	if (program->refusal)
		buf_printf(out, "why %s\n", program->refusal);
	else if (*program->why)
		buf_printf(out, "why %s\n", program->why);
	else if (program->sentence && *program->word)
		buf_printf(out, "why %s\n", program->sentence);
	if (program->says)
		buf_printf(out, "says %s\n", program->says);
	buf_printf(out, "waiting %zu\nrestarts %" PRIu64 "\n", program->waiting,
	        program->begun ? program->begun - 1 : 0);
}

static const char *name_state(const struct source_state *state)
{
	const struct source_program *program = state->program;

	if (program->refused || program->missing)
		return "failed";
	if (!program->child)
		return "waiting";
	return *program->word ? program->word : "starting";
}

const struct source_ops source_program = {.check = check,
        .start = start,
        .stop = stop,
        .show = show,
        .name_state = name_state,
        .follows_format = true};
