/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All crashes. A user does a few things with a queue; in between commits reach the disk, are acknowledged, or
 * fail, instances answer, well or badly, time passes, and the daemon is killed and starts again: every order
 * of these, at every point, within a number of crashes, failed commits and failed calls. The code that is
 * tried is the daemon's own (queue_world.h), not a drawing of it.
 *
 * A path is a list of choices. All paths are walked, one after the other, each from the start; one that
 * comes to a state that was seen before ends there. What must hold is in check_always(), began() and
 * check_end(); docs/queue.md says it in words.
 *
 * Without this a user would lose: calls.
 */
#include <errno.h>

#include "base/map.h"
#include "events/queue_private.h"
#include "queue_world.h"
#include "test.h"

#define STEPS_MOST 200
#define CALLS_MOST 4

/* --- choices ---------------------------------------------------------------------------------- */

static unsigned path[STEPS_MOST], widths[STEPS_MOST];
static size_t length, depth;
static struct map seen; /* hashes of states */
static bool cut;        /* this path came to one of them */
static const char *running_script;

static unsigned choose(unsigned count)
{
	REQUIRE(depth < STEPS_MOST);
	if (depth == length) {
		path[length] = 0;
		widths[length++] = count;
	}
	REQUIRE(widths[depth] == count); /* else the world is not the same each time */
	return path[depth++];
}

static bool next_path(void)
{
	while (length && path[length - 1] + 1 == widths[length - 1])
		length--;
	if (!length)
		return false;
	path[length - 1]++;
	return true;
}

static const char *trail[STEPS_MOST]; /* what happened on this path */

static void show_path(void)
{
	fprintf(stderr, "%s:", running_script);
	for (size_t i = 0; i < depth; i++)
		fprintf(stderr, " %s", trail[i]);
	fprintf(stderr, "\n");
}

#define HOLDS(condition) \
	do { \
		if (!CHECK(condition)) { \
			show_path(); \
			exit(1); \
		} \
	} while (0)

/* --- what a user does, and knows -------------------------------------------------------------- */

enum deed { NOTHING, ENQUEUE, WRITE, CLOSE, DOT, RENAME, REMOVE, REDRIVE, LOSE_VERSION };

struct script {
	const char *name;
	struct {
		enum deed deed;
		const char *call;
	} deeds[6];
	unsigned crashes, refusals, failures;
	int max_retries;
	bool to_version, with_destination, with_topic;
};

static const struct script scripts[] = {
        {"two calls", {{ENQUEUE, "a"}, {ENQUEUE, "b"}}, 2, 1, 1, 1},
        {"a call that fails", {{ENQUEUE, "a"}}, 2, 1, 3, 1},
        {"the same name twice", {{ENQUEUE, "a"}, {ENQUEUE, "a"}}, 2, 1, 1, 0},
        {"a file", {{WRITE, "a"}, {CLOSE, "a"}}, 2, 1, 1, 1},
        {"a file and a call", {{WRITE, "a"}, {ENQUEUE, "b"}, {CLOSE, "a"}}, 1, 1, 1, 0},
        {"a file by a dot-name", {{DOT, ".a"}, {RENAME, "a"}}, 2, 1, 1, 1},
        {"a call made again", {{ENQUEUE, "a"}, {REDRIVE, "a"}}, 2, 1, 2, 0},
        {"a call cancelled", {{ENQUEUE, "a"}, {REMOVE, "a"}, {ENQUEUE, "b"}}, 2, 0, 1, 0},
        {"a result removed", {{ENQUEUE, "a"}, {REMOVE, "a"}, {ENQUEUE, "a"}}, 1, 1, 1, 0},
        {"a destination", {{ENQUEUE, "a"}}, 1, 1, 1, 0, .with_destination = true},
        {"a topic", {{ENQUEUE, "a"}}, 1, 1, 0, 0, .with_topic = true},
        {"a topic that fails", {{ENQUEUE, "a"}}, 1, 0, 1, 0, .with_topic = true},
        {"a version lost", {{ENQUEUE, "a"}, {ENQUEUE, "b"}, {LOSE_VERSION}}, 1, 1, 1, 0,
                .to_version = true},
        {"a file of a version lost", {{WRITE, "a"}, {CLOSE, "a"}, {LOSE_VERSION}}, 1, 1, 1, 0,
                .to_version = true},
        {"a version lost, then the file", {{WRITE, "a"}, {LOSE_VERSION}, {CLOSE, "a"}}, 1, 1, 1, 0,
                .to_version = true},
        {"more of it", {{ENQUEUE, "a"}, {ENQUEUE, "b"}, {REMOVE, "a"}, {REDRIVE, "b"}}, 2, 1, 2, 0},
};

struct fact { /* what the user knows of one call */
	char name[64];
	char request_id[64];
	bool acknowledged, refused, removed;
	bool result; /* was seen */
	bool failed; /* was seen in failed/ since it was made, or made again */
	unsigned begun, failures;
	bool runs;
};

static const struct script *script;
static struct fact facts[CALLS_MOST];
static unsigned done_deeds, crashes, refusals, failures, lives;
static uint64_t draft;
static bool pending; /* the last deed was not answered yet */

static struct queue_target target_of_script(void)
{
	return (struct queue_target){.function = 1, .version = script->to_version ? 10 : 0};
}

static struct fact *fact_of(const char *name)
{
	for (size_t i = 0; i < CALLS_MOST; i++) {
		if (!*facts[i].name)
			snprintf(facts[i].name, sizeof(facts[i].name), "%s", name);
		if (strcmp(facts[i].name, name) == 0)
			return &facts[i];
	}
	return NULL;
}

static int find(const char *name, struct queue_info *info)
{
	const struct queue_target target = target_of_script(), home = {.function = 1};
	int r = queue_find(world.queue, &target, name, info);

	return r == 0 || !script->to_version ? r : queue_find(world.queue, &home, name, info);
}

static void answered(const char *name, int status)
{
	struct fact *fact = fact_of(name);

	pending = false;
	if (status == 0)
		fact->acknowledged = true;
	else if (status != -EEXIST && !fact->acknowledged)
		fact->refused = true;
}

static void accepted(void *userdata, int status, const struct queue_accepted *list, size_t count)
{
	if (lives == (uintptr_t)userdata % 100)
		answered(script->deeds[(uintptr_t)userdata / 100].call, status);
}

static void done(void *userdata, int status)
{
	unsigned deed = (unsigned)((uintptr_t)userdata / 100);

	if (lives != (uintptr_t)userdata % 100)
		return; /* told by a daemon that is dead: nobody heard it */
	if (script->deeds[deed].deed == REDRIVE) {
		struct fact *fact = fact_of(script->deeds[deed].call);

		pending = false;
		if (status == 0)
			fact->failed = false, fact->failures = 0;
		return;
	}
	answered(script->deeds[deed].call, status);
}

static void *ticket(void)
{
	return (void *)(uintptr_t)(done_deeds * 100 + lives);
}

/* --- what must hold --------------------------------------------------------------------------- */

static void began(struct world *unused, const struct world_call *call)
{
	struct fact *fact;

	if (call->target.function != 1)
		return; /* of a destination */
	fact = fact_of(call->name);
	HOLDS(!fact->result);                        /* what has a result is not run again */
	HOLDS(!fact->refused || fact->acknowledged); /* nor what was refused */
	HOLDS(!fact->runs);                          /* nor twice at once */
	HOLDS(!fact->removed);                       /* nor what was cancelled in this life */
	HOLDS(!*fact->request_id || strcmp(fact->request_id, call->request_id) == 0 ||
	        strcmp(script->name, "a result removed") == 0);
	strcpy(fact->request_id, call->request_id);
	fact->begun++;
	fact->runs = true;
}

static void check_one(struct fact *fact)
{
	struct queue_info info;

	if (!fact->acknowledged || fact->removed)
		return;
	HOLDS(find(fact->name, &info) == 0); /* it did not vanish */
	HOLDS(info.place != QUEUE_GONE);
	HOLDS(world_row(fact->name) != NULL);
	if (info.place == QUEUE_RESULT) {
		HOLDS(fact->begun >= 1);
		fact->result = true;
	}
	HOLDS(!fact->result || info.place == QUEUE_RESULT);
	if (info.place == QUEUE_FAILED) {
		HOLDS(world.version_gone || fact->failures > (unsigned)script->max_retries);
		HOLDS(world_row(fact->name)->has_request);
		HOLDS(world_row(fact->name)->has_answer || pending); /* being made again */
		fact->failed = true;
	}
}

static void check_always(void)
{
	for (size_t i = 0; i < CALLS_MOST && *facts[i].name; i++)
		check_one(&facts[i]);
}

/* What only keeps its name does not count. */
static size_t count_of_function(uint64_t function)
{
	size_t count = 0;

	for (size_t i = 0; i < world.count; i++)
		count += world.rows[i].row.function == function &&
		         world.rows[i].row.place != ENTRY_GONE;
	return count;
}

static void check_end(void)
{
	size_t ended = 0;
	struct queue_info info;

	for (size_t i = 0; i < CALLS_MOST && *facts[i].name; i++) {
		struct fact *fact = &facts[i];

		if (find(fact->name, &info) == 0 && !fact->removed)
			ended += info.place == QUEUE_RESULT || info.place == QUEUE_FAILED;
		if (!fact->acknowledged || fact->removed)
			continue;
		HOLDS(find(fact->name, &info) == 0);
		HOLDS(info.place == QUEUE_RESULT || info.place == QUEUE_FAILED);
		HOLDS(fact->begun >= 1 || world.version_gone);
	}
	/* One record for each end, whatever crashed in between. */
	if (script->with_destination)
		HOLDS(count_of_function(2) == ended);
	if (script->with_topic)
		HOLDS(world.arrived_count == ended && count_of_function(WORLD_TOPIC) == 0);
	HOLDS(world_can_apply() == false && queue_entry_of(world.queue, 0) == NULL);
}

/* --- what happens ----------------------------------------------------------------------------- */

enum event { DEED, APPLY, TELL, REFUSE, END_WELL, END_BADLY, PASS, CRASH, EVENTS };

static struct world_call *running_call(void)
{
	for (size_t i = 0; i < WORLD_CALLS; i++)
		if (world.calls[i].runs)
			return &world.calls[i];
	return NULL;
}

static bool deed_is_possible(void)
{
	struct queue_info info;
	const char *call = script->deeds[done_deeds].call;

	if (pending || done_deeds == 6)
		return false;
	switch (script->deeds[done_deeds].deed) {
	case NOTHING:
		return false;
	case CLOSE:
	case RENAME:
		return draft != 0;
	case REMOVE:
		return find(call, &info) == 0 && info.place != QUEUE_GONE;
	case REDRIVE:
		return find(call, &info) == 0 && info.place == QUEUE_FAILED;
	default:
		return true;
	}
}

static void enqueue(const char *name)
{
	struct queue_event event = {.target = target_of_script(),
	        .name = name,
	        .max_retries = -1,
	        .max_event_age_ms = -1};

	buf_puts(&event.body, name);
	fact_of(name)->refused = false;
	pending = true;
	if (queue_enqueue(world.queue, &event, 1, accepted, ticket(), NULL) < 0)
		pending = false;
	buf_deinit(&event.body);
}

static void write_file(const char *name)
{
	const struct queue_target target = target_of_script();

	if (queue_draft_new(world.queue, &target, name, 0, 0, 0644, &draft, NULL) < 0)
		return;
	queue_draft_open(world.queue, draft);
	queue_draft_write(world.queue, draft, name, strlen(name), 0, NULL);
	pending = queue_draft_flush(world.queue, draft, false, done, ticket()) > 0;
}

static void redrive(const char *name)
{
	struct queue_info info;

	if (find(name, &info) == 0)
		pending = queue_redrive(world.queue, info.entry, done, ticket()) == 0;
}

static void remove_call(const char *name)
{
	struct queue_info info;

	if (find(name, &info) == 0 && queue_remove(world.queue, info.entry) == 0)
		fact_of(name)->removed = true;
}

static void lose_version(void)
{
	const struct queue_target target = target_of_script();

	world.version_gone = true;
	queue_remove_target(world.queue, &target);
}

static void do_deed(void)
{
	const char *call = script->deeds[done_deeds].call;

	switch (script->deeds[done_deeds].deed) {
	case ENQUEUE:
		enqueue(call);
		break;
	case WRITE:
	case DOT:
		write_file(call);
		break;
	case CLOSE:
		queue_draft_close(world.queue, draft);
		break;
	case RENAME:
		queue_draft_close(world.queue, draft);
		pending = queue_draft_rename(world.queue, draft, call, done, ticket(), NULL) > 0;
		break;
	case REMOVE:
		remove_call(call);
		break;
	case REDRIVE:
		redrive(call);
		break;
	case LOSE_VERSION:
		lose_version();
		break;
	default:
		break;
	}
	done_deeds++;
	world_turn();
}

static void end_call(struct world_call *call, enum outcome outcome)
{
	if (call->target.function == 1) {
		struct fact *fact = fact_of(call->name);

		fact->runs = false;
		fact->failures += outcome != OUTCOME_SUCCESS;
	}
	world_end(call, outcome, outcome == OUTCOME_SUCCESS ? "yes" : "{}");
}

static void crash(void)
{
	lives++;
	world_crash();
	pending = false;
	draft = 0;
	for (size_t i = 0; i < CALLS_MOST; i++) {
		facts[i].runs = false;
		/* A removal is acknowledged before it is on the disk. */
		if (facts[i].removed)
			facts[i].removed = facts[i].acknowledged = facts[i].result = false;
	}
	world_boot();
}

static bool is_possible(enum event event)
{
	int64_t alarm = world_alarm_us();

	switch (event) {
	case DEED:
		return deed_is_possible();
	case APPLY:
		return world_can_apply();
	case TELL:
		return world_can_tell();
	case REFUSE:
		return refusals && world_can_apply();
	case END_WELL:
		return running_call() != NULL;
	case END_BADLY:
		return failures && running_call();
	case PASS:
		return alarm > 0 && alarm < 600 * SECOND_US && !running_call();
	case CRASH:
		return crashes;
	default:
		return false;
	}
}

static void happen(enum event event)
{
	switch (event) {
	case DEED:
		do_deed();
		break;
	case APPLY:
		world_apply();
		break;
	case TELL:
		world_tell();
		break;
	case REFUSE:
		refusals--;
		world_refuse(-ENOSPC);
		break;
	case END_WELL:
		end_call(running_call(), OUTCOME_SUCCESS);
		break;
	case END_BADLY:
		failures--;
		end_call(running_call(), OUTCOME_FUNCTION_ERROR);
		break;
	case PASS:
		world_pass(world_alarm_us());
		break;
	case CRASH:
		crashes--;
		crash();
		break;
	default:
		break;
	}
	world_turn();
}

/* --- states ----------------------------------------------------------------------------------- */

static uint64_t hash;

static void mix(uint64_t value)
{
	hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
	hash ^= hash >> 29;
}

static void mix_text(const char *text)
{
	while (*text)
		mix((unsigned char)*text++);
}

static void mix_entry(const struct queue_entry *entry)
{
	mix(entry->id);
	mix_text(entry->name);
	mix(entry->line->target.function * 100 + entry->line->target.version);
	mix((uint64_t)entry->place * 64 + entry->hidden * 32u + entry->settling * 16u +
	        entry->stale * 8u + (entry->run != NULL) * 4u + (entry->heap != NULL) * 2u +
	        entry->rewrite);
	mix((uint64_t)entry->begun << 32 | entry->tries);
	mix((uint64_t)(entry->due_us > world.now_us ? entry->due_us - world.now_us : 0));
	mix(entry->unwanted * 2u + (entry->body != NULL));
	if (entry->draft)
		mix(1 + entry->draft->opens * 64u + entry->draft->dirty * 32u +
		        entry->draft->stored * 16u + entry->draft->dot * 8u +
		        entry->draft->commits * 128u + entry->draft->dropped * 4u);
	if (entry->run)
		mix(entry->run->retry_us > 0 ? 3u : entry->run->commit ? 5u : 7u);
}

static void mix_commits(const struct list *commits)
{
	struct entry_commit *commit;

	list_each(commit, commits, link) {
		mix(commit->count + 1000);
		for (size_t i = 0; i < commit->count; i++) {
			const struct entry_write *change = &commit->writes[i];

			mix(change->row.id * 100 + change->verb * 50u + change->row.place);
			mix((uint64_t)change->row.begun << 32 | change->row.tries);
			mix(change->request_is * 4u + change->answer_is);
			mix(change->row.function * 100 + change->row.version);
		}
	}
}

static void mix_disk(void)
{
	for (size_t i = 0; i < world.count; i++) {
		const struct world_row *row = &world.rows[i];

		mix(row->row.id * 100 + row->row.place * 4u + row->has_request * 2u +
		        row->has_answer);
		mix_text(row->name);
		mix((uint64_t)row->row.begun << 32 | row->row.tries);
		mix(row->row.function * 100 + row->row.version);
		mix((uint64_t)(row->row.due_us > world.now_us ? row->row.due_us - world.now_us
		                                              : 0));
	}
}

static void mix_facts(void)
{
	for (size_t i = 0; i < CALLS_MOST && *facts[i].name; i++) {
		const struct fact *fact = &facts[i];

		mix_text(fact->name);
		mix(fact->acknowledged * 64u + fact->refused * 32u + fact->removed * 16u +
		        fact->result * 8u + fact->failed * 4u + fact->runs * 2u +
		        (fact->begun > 0));
		mix(fact->failures);
	}
}

/* Everything the future depends on, but the random numbers. */
static uint64_t state(void)
{
	struct queue_line *line;

	hash = 1;
	mix(done_deeds * 4096u + crashes * 512u + refusals * 64u + failures * 8u + pending * 4u +
	        world.version_gone * 2u + (draft != 0));
	list_each(line, &world.queue->lines, link)
		for (size_t i = 0; i < line->slot_count; i++)
			if (line->slots[i].entry)
				mix_entry(line->slots[i].entry);
	for (size_t i = 0; i < WORLD_CALLS; i++)
		if (world.calls[i].runs) {
			mix_text(world.calls[i].name);
			mix(world.calls[i].target.function);
		}
	mix_commits(&world.waiting);
	mix_commits(&world.applied);
	mix_disk();
	mix_facts();
	return hash ? hash : 1;
}

/* --- paths ------------------------------------------------------------------------------------ */

/* Nothing goes wrong any more. */
static void run_out(void)
{
	for (unsigned steps = 0; steps < 1000; steps++) {
		world_settle();
		check_always();
		if (running_call())
			end_call(running_call(), OUTCOME_SUCCESS);
		else if (draft && queue_draft_is(world.queue, draft) && !fact_of("a")->removed &&
		         script->deeds[0].deed == WRITE)
			queue_draft_close(world.queue, draft), draft = 0;
		else if (world_alarm_us() >= 0 && world_alarm_us() < 600 * SECOND_US)
			world_pass(world_alarm_us());
		else
			return;
	}
	HOLDS(!"it comes to rest");
}

/* False: it may go no further. */
static bool step(void)
{
	static const char *const names[EVENTS] = {
	        "deed", "apply", "tell", "refuse", "well", "badly", "pass", "CRASH"};
	enum event possible[EVENTS], event;
	unsigned count = 0;

	for (int i = 0; i < EVENTS; i++)
		if (is_possible((enum event)i))
			possible[count++] = (enum event)i;
	if (!count || (!crashes && !refusals && !deed_is_possible() && !pending))
		return false;
	event = possible[choose(count)];
	trail[depth - 1] = names[event];
	happen(event);
	check_always();
	if (depth < length)
		return true; /* on the way to what is new */
	if (map_get(&seen, state())) {
		cut = true;
		return false;
	}
	REQUIRE(map_put(&seen, hash, &seen) == 0);
	return true;
}

static void walk(void)
{
	world_init();
	world.began = began;
	world.limits.max_retries = script->max_retries;
	if (script->with_destination) {
		world.limits.on_success = (struct queue_target){.function = 2};
		world.limits.on_failure = (struct queue_target){.function = 2};
	}
	if (script->with_topic) {
		world.limits.on_success = (struct queue_target){.function = WORLD_TOPIC};
		world.limits.on_failure = (struct queue_target){.function = WORLD_TOPIC};
	}
	memset(facts, 0, sizeof(facts));
	done_deeds = lives = 0;
	draft = 0;
	pending = cut = false;
	crashes = script->crashes + (test_long() ? 1 : 0);
	refusals = script->refusals;
	failures = script->failures;
	depth = 0;
	world_boot();
	while (step())
		;
	if (!cut) {
		crashes = refusals = failures = 0;
		run_out();
		if (!deed_is_possible())
			check_end();
	}
	world_crash();
}

static void walk_all(const struct script *of)
{
	unsigned long paths = 0;

	script = of;
	running_script = of->name;
	length = 0;
	map_init(&seen);
	do {
		walk();
		paths++;
	} while (next_path());
	printf("%-22s %8lu paths, %7zu states\n", of->name, paths, seen.count);
	map_deinit(&seen);
}

static void no_crash_loses_a_call(void)
{
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++)
		walk_all(&scripts[i]);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {TEST(no_crash_loses_a_call), {}};

	return test_main(tests, argc, argv);
}
