/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/sha256.h"
#include "events/event_program.h"
#include "events/program_private.h"

#define RETRY_FIRST_US SECOND_US
#define RETRY_MOST_US  (60 * SECOND_US)

enum outcome { ON_ITS_WAY, TAKEN, REFUSED, AGAIN };

struct sending {
	struct source_program *program;
	enum outcome outcome;
	bool orphan; /* nobody hears the answer */
	char *id;
	size_t id_length;
	char name[QUEUE_NAME_LONGEST + 1];
	struct buf body; /* kept: the disk may be full */
	char why[256];   /* REFUSED */
	struct list link;
};

static void sending_free(struct sending *sending)
{
	list_unlink(&sending->link);
	buf_deinit(&sending->body);
	free(sending->id);
	free(sending);
}

void program_free(struct source_program *program)
{
	free(program->sentence);
	free(program->says);
	free(program->refusal);
	free(program);
}

/* --- answers ---------------------------------------------------------------------------------- */

static void answer(struct source_program *program, const struct sending *sending)
{
	struct buf line = BUF_INIT;

	buf_puts(&line, sending->outcome == TAKEN ? "ok " : "no ");
	buf_append(&line, sending->id, sending->id_length);
	if (sending->outcome == REFUSED)
		buf_printf(&line, " %s", sending->why);
	buf_puts(&line, "\n");
	/* Half an answer would be worse than none: then it ends, and is told everything anew. */
	if (line.failed)
		child_kill(program->child);
	else
		child_send(program->child, line.data, line.length);
	buf_deinit(&line);
}

static void answer_all(struct source_program *program)
{
	struct sending *sending;

	while ((sending = list_first(&program->events, struct sending, link)) &&
	        (sending->outcome == TAKEN || sending->outcome == REFUSED)) {
		list_unlink(&sending->link);
		program->waiting--;
		program->waiting_bytes -= sending->body.length;
		answer(program, sending);
		sending_free(sending);
	}
}

void program_flow(struct source_program *program)
{
	if (program->child)
		child_hold(
		        program->child, alarm_is_set(&program->retrying) ||
		                                program->waiting >= PROGRAM_EVENTS_MOST ||
		                                program->waiting_bytes >= PROGRAM_BYTES_MOST ||
		                                child_unsent(program->child) > PROGRAM_UNSENT_MOST);
}

void program_forget_events(struct source_program *program)
{
	struct sending *sending, *following;

	list_each_safe(sending, following, &program->events, link) {
		if (sending->outcome == ON_ITS_WAY) {
			sending->orphan = true;
			list_unlink(&sending->link);
		} else {
			sending_free(sending);
		}
	}
	program->waiting = program->waiting_bytes = 0;
	program->passing_over = 0;
	program->retry_us = 0;
	alarm_clear(program->state->sources->alarms, &program->retrying);
}

/* --- to the queue ----------------------------------------------------------------------------- */

static void try_to_send(struct sending *sending);

static void retry(struct alarm *alarm)
{
	struct source_program *program = container_of(alarm, struct source_program, retrying);
	struct sending *sending;

	program->why[0] = 0;
	list_each(sending, &program->events, link)
		if (sending->outcome == AGAIN && !alarm_is_set(&program->retrying))
			try_to_send(sending);
	answer_all(program);
	program_flow(program);
}

static void retry_later(struct source_program *program)
{
	if (alarm_is_set(&program->retrying))
		return;
	program->retry_us = program->retry_us ? program->retry_us * 2 : RETRY_FIRST_US;
	if (program->retry_us > RETRY_MOST_US)
		program->retry_us = RETRY_MOST_US;
	snprintf(program->why, sizeof(program->why),
	        "events wait, and nothing more is read: %s; it is tried again each minute, or more "
	        "often",
	        program->state->error);
	alarm_set(program->state->sources->alarms, &program->retrying, program->retry_us, retry);
}

/* What will never be taken is refused; else it is tried until it is. */
static void settle(struct sending *sending, int status)
{
	struct source_program *program = sending->program;

	if (status == 0 || status == -EEXIST) {
		sending->outcome = TAKEN;
		program->retry_us = 0;
	} else if (status == -EFBIG || status == -EINVAL) {
		sending->outcome = REFUSED;
		snprintf(sending->why, sizeof(sending->why), "%s", program->state->error);
		sending->why[strcspn(sending->why, "\n")] = 0;
	} else {
		sending->outcome = AGAIN;
		retry_later(program);
	}
}

static void sent(struct source_state *state, void *userdata, int status)
{
	struct sending *sending = userdata;
	struct source_program *program = sending->program;

	program->sending--;
	if (!sending->orphan) {
		settle(sending, status);
		answer_all(program);
		program_flow(program);
		return;
	}
	sending_free(sending);
	if (program->closed && !program->sending)
		program_free(program);
}

static void try_to_send(struct sending *sending)
{
	struct source_program *program = sending->program;
	struct buf body = BUF_INIT;
	int r;

	buf_append(&body, sending->body.data, sending->body.length);
	r = feed_send(program->state, sending->name, &body, sent, sending);
	buf_deinit(&body);
	if (r == 0) {
		sending->outcome = ON_ITS_WAY;
		program->sending++;
	} else {
		settle(sending, r);
	}
}

/* --- what is said ----------------------------------------------------------------------------- */

static bool is_plain(struct program_text id)
{
	for (size_t i = 0; i < id.length; i++)
		if (id.at[i] <= ' ' || id.at[i] >= 0x7f || id.at[i] == '/')
			return false;
	return id.length <= 150 &&
	       (id.length < 6 || memcmp(id.at + id.length - 6, ".error", 6) != 0);
}

/* KIND-TRIGGER-ID, by a hash where the queue has no such names. 0, -ENOMEM. */
static int make_name(struct source_program *program, struct program_text id, char *name)
{
	const struct source_state *state = program->state;
	unsigned char hash[SHA256_SIZE];
	struct sha256 *sha256;
	int length = snprintf(name, QUEUE_NAME_LONGEST + 1, "%s-%" PRIu64 "-",
	        state->trigger->source->kind_name, state->trigger_id);
	char *end = name + length;

	if (id.length == 1 && *id.at == '-') {
		uuid_make(&program->ids, end);
		return 0;
	}
	if (is_plain(id)) {
		memcpy(end, id.at, id.length);
		end[id.length] = 0;
		return 0;
	}
	sha256 = sha256_new();
	if (!sha256)
		return -ENOMEM;
	sha256_of(sha256, id.at, id.length, hash);
	sha256_free(sha256);
	end += sprintf(end, "sha256-");
	for (size_t i = 0; i < sizeof(hash); i++)
		end += sprintf(end, "%02x", hash[i]);
	return 0;
}

static int make_body(
        struct source_program *program, struct sending *sending, const struct program_line *line)
{
	struct source_state *state = program->state;
	struct event_about about =
	        source_about(state, sending->name, clock_wall_us(state->sources->clock));
	CLEANUP(free_p) char *attributes = NULL;
	const char *value = state->trigger->source->value;
	int r;

	if (line->too_large)
		return 0;
	if (line->says == PROGRAM_SAYS_RECORD) {
		buf_append(&sending->body, line->data, (size_t)line->length);
		return sending->body.failed ? -ENOMEM : 0;
	}
	attributes = strndup(line->text.at, line->text.length);
	if (!attributes)
		return -ENOMEM;
	r = event_program(&sending->body, &about,
	        &(struct program_event){.kind = state->trigger->source->kind_name,
	                .attributes = attributes,
	                .data = line->data,
	                .length = (size_t)line->length,
	                .hide = value});
	return r == 0 && sending->body.failed ? -ENOMEM : r;
}

static struct sending *sending_new(struct source_program *program, const struct program_line *line)
{
	struct sending *sending = calloc(1, sizeof(*sending));

	if (!sending)
		return NULL;
	list_init(&sending->link);
	sending->program = program;
	sending->id_length = line->id.length;
	sending->id = malloc(line->id.length);
	if (sending->id)
		memcpy(sending->id, line->id.at, line->id.length);
	if (sending->id && make_name(program, line->id, sending->name) == 0)
		return sending;
	sending_free(sending);
	return NULL;
}

/* What `broken` says ends it, and it begins anew: nothing of what was not answered is lost by that. */
static void take_event(struct source_program *program, const struct program_line *line)
{
	struct sending *sending = sending_new(program, line);
	int r = sending ? make_body(program, sending, line) : -ENOMEM;

	if (r < 0) {
		snprintf(program->broken, sizeof(program->broken), "%s",
		        r == -EBADMSG ? "attributes are a JSON object" : "out of memory");
		if (sending)
			sending_free(sending);
		return;
	}
	list_append(&program->events, &sending->link);
	program->waiting++;
	program->waiting_bytes += sending->body.length;
	if (line->too_large) {
		program->passing_over = line->length + 1;
		program->state->trigger->errors++;
		source_dirty(program->state);
		sending->outcome = REFUSED;
		snprintf(sending->why, sizeof(sending->why),
		        "an event has at most %d bytes, and this has %" PRIu64, PROGRAM_DATA_MOST,
		        line->length);
		snprintf(program->state->error, sizeof(program->state->error), "%s", sending->why);
	} else {
		try_to_send(sending);
	}
}

static void take_line(struct source_program *program, const struct program_line *line)
{
	switch (line->says) {
	case PROGRAM_SAYS_HALF:
		return;
	case PROGRAM_SAYS_STATE:
		snprintf(program->word, sizeof(program->word), "%.*s", (int)line->word.length,
		        line->word.at);
		program_note(program, &program->sentence, line->text);
		break;
	case PROGRAM_SAYS_EVENT:
	case PROGRAM_SAYS_RECORD:
		take_event(program, line);
		break;
	case PROGRAM_SAYS_REFUSED:
		program->refused = true;
		program_note(program, &program->refusal, line->text);
		break;
	case PROGRAM_SAYS_NONSENSE:
		snprintf(program->broken, sizeof(program->broken), "%s", line->why);
		return;
	}
	program->pause_us = 0;
	if (!alarm_is_set(&program->retrying))
		program->why[0] = 0; /* that was the one before */
}

static size_t pass_over(struct source_program *program, size_t length)
{
	size_t step = program->passing_over < length ? (size_t)program->passing_over : length;

	program->passing_over -= step;
	return step;
}

static bool is_full(const struct source_program *program)
{
	return alarm_is_set(&program->retrying) || program->waiting >= PROGRAM_EVENTS_MOST ||
	       program->waiting_bytes >= PROGRAM_BYTES_MOST;
}

size_t program_take(struct source_program *program, const char *data, size_t length)
{
	struct program_line line = {.used = 1};
	size_t taken = 0;

	while (line.used && taken < length && !is_full(program) && !*program->broken &&
	        !program->refused) {
		taken += pass_over(program, length - taken);
		if (program->passing_over || taken == length)
			break;
		program_line_read(&line, data + taken, length - taken);
		taken += line.used;
		take_line(program, &line);
	}
	answer_all(program);
	program_flow(program);
	return taken;
}
