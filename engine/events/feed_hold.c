/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many calls of one trigger there are at once. The queue knows nothing of triggers: an entry beyond the limit is
 * made like any other, so it is on the disk, but is due in a year only; when one of those before it has ended,
 * however, the oldest that is held becomes due. Whose an entry is stands in its name, so that another
 * daemon finds those that are held.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "events/program_value.h"
#include "events/sources_private.h"
#include "model/alias.h"
#include "model/function.h"
#include "model/version.h"

#define DAY_US        (24 * 3600 * SECOND_US)
#define HELD_US       (365 * DAY_US)
#define HELD_LEAST_US (180 * DAY_US) /* whoever is due later than that is held */

struct feed_entry {
	struct queue_watch watch;
	struct source_state *state;
	uint64_t entry;
	bool held;
	struct list link; /* state->held or state->released */
};

static int64_t now_us(const struct source_state *state)
{
	return clock_wall_us(state->sources->clock);
}

static bool has_room(const struct source_state *state)
{
	unsigned most = state->trigger->settings.concurrency;

	return !most || state->running < most;
}

static void entry_free(struct feed_entry *entry)
{
	list_unlink(&entry->link);
	list_unlink(&entry->watch.link);
	if (!entry->held)
		entry->state->running--;
	free(entry);
}

static void ended(struct queue_watch *watch, enum queue_place place)
{
	struct feed_entry *entry = container_of(watch, struct feed_entry, watch);
	struct source_state *state = entry->state;

	entry_free(entry);
	feed_let_go(state);
}

static void keep(struct source_state *state, uint64_t id, bool held)
{
	const struct sources_host *host = state->sources->host;
	struct feed_entry *entry = calloc(1, sizeof(*entry));
	int r;

	if (!entry) {
		/* Nobody counts it: it is let go, and one more may run. */
		if (held)
			host->postpone(state->sources->userdata, id, now_us(state) + 1000);
		return;
	}
	*entry = (struct feed_entry){.state = state, .entry = id, .held = held};
	entry->watch.ended = ended;
	list_init(&entry->watch.link);
	list_append(held ? &state->held : &state->released, &entry->link);
	state->running += !held;
	r = host->watch(state->sources->userdata, id, &entry->watch);
	if (r != 0)
		entry_free(entry); /* it has ended already */
}

int64_t feed_reserve(struct source_state *state, bool *held)
{
	*held = !has_room(state) || !list_empty(&state->held);
	state->running += !*held;
	return *held ? now_us(state) + HELD_US : feed_due_us(state);
}

void feed_reserved(struct source_state *state, bool held, uint64_t entry)
{
	/* The trigger went meanwhile: nobody would let it go any more. */
	if (!state->trigger && held && entry)
		state->sources->host->postpone(
		        state->sources->userdata, entry, now_us(state) + 1000);
	if (!state->trigger)
		return;
	state->running -= !held;
	if (entry && (held || state->trigger->settings.concurrency))
		keep(state, entry, held);
	feed_let_go(state);
}

void feed_let_go(struct source_state *state)
{
	const struct sources_host *host = state->sources->host;
	struct feed_entry *entry;
	int64_t due, now;

	while (state->trigger && has_room(state) &&
	        (entry = list_first(&state->held, struct feed_entry, link))) {
		list_unlink(&entry->link);
		list_append(&state->released, &entry->link);
		entry->held = false;
		state->running++;
		due = feed_due_us(state);
		now = now_us(state) + 1000; /* a time that is past would change nothing */
		host->postpone(state->sources->userdata, entry->entry, due > now ? due : now);
	}
}

void feed_forget(struct source_state *state)
{
	struct feed_entry *entry;

	while ((entry = list_first(&state->held, struct feed_entry, link))) {
		/* Nobody would let it go any more. */
		if (!state->sources->stopping)
			state->sources->host->postpone(
			        state->sources->userdata, entry->entry, now_us(state) + 1000);
		entry_free(entry);
	}
	while ((entry = list_first(&state->released, struct feed_entry, link)))
		entry_free(entry);
}

/* --- at start --------------------------------------------------------------------------------- */

/* `word-12-...`: the number; else 0. */
static uint64_t number_behind(const char *name, const char *word)
{
	size_t length = strlen(word);

	return length && strncmp(name, word, length) == 0 && name[length] == '-'
	               ? strtoull(name + length + 1, NULL, 10)
	               : 0;
}

/*
 * `timer-12-...`: of trigger 12. NULL: nobody's. A kind of a user's program is known by the trigger that has it: there may be
 * a number in its name.
 */
static struct trigger *owner_of(struct sources *sources, uint64_t function, const char *name)
{
	const struct function *owner = functions_get(sources->functions, function);
	struct trigger *trigger = NULL;
	uint64_t id = 0;

	while (owner && (trigger = triggers_next(owner, trigger ? trigger->id : 0)))
		if (trigger->source &&
		        number_behind(name, trigger->source->kind_name) == trigger->id)
			return trigger;
	for (int kind = 0; !id && kind < SOURCE_KINDS; kind++)
		id = number_behind(name, source_kind_name((enum source_kind)kind));
	for (size_t i = 0; !id && program_kind(i); i++)
		id = number_behind(name, program_kind(i));
	return id ? triggers_get(sources->triggers, id) : NULL;
}

static void find_in(
        struct sources *sources, const struct queue_target *target, enum queue_place place)
{
	struct queue_info info = {};

	while (sources->host->next(sources->userdata, target, place, info.entry, &info)) {
		struct trigger *trigger = owner_of(sources, target->function, info.name);
		struct source_state *state = trigger ? source_state_of(sources, trigger) : NULL;
		bool held = state && info.due_us > now_us(state) + HELD_LEAST_US;

		if (state && (held || trigger->settings.concurrency))
			keep(state, info.entry, held);
	}
}

static void find_of(struct sources *sources, struct queue_target target)
{
	find_in(sources, &target, QUEUE_WAITING);
	find_in(sources, &target, QUEUE_RUNNING);
}

void feeds_find(struct sources *sources, const struct function *function)
{
	const struct version *version = NULL;
	const struct alias *alias = NULL;

	find_of(sources, (struct queue_target){function->id, 0, 0});
	while ((version = versions_next(function, version ? version->id : 0)))
		find_of(sources, (struct queue_target){function->id, version->id, 0});
	while ((alias = aliases_next(function, alias ? alias->id : 0)))
		find_of(sources, (struct queue_target){function->id, 0, alias->id});
}
