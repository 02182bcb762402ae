/* SPDX-License-Identifier: Apache-2.0 */
#include "events/program_line.h"

#include <string.h>

static void nonsense(struct program_line *out, const char *why)
{
	*out = (struct program_line){.says = PROGRAM_SAYS_NONSENSE, .why = why};
}

/* Up to the next space, and that. */
static struct program_text next_word(struct program_text *rest)
{
	const char *space = rest->length ? memchr(rest->at, ' ', rest->length) : NULL;
	struct program_text word = {rest->at, space ? (size_t)(space - rest->at) : rest->length};
	size_t step = word.length + (space != NULL);

	rest->at += step;
	rest->length -= step;
	return word;
}

static bool is(struct program_text word, const char *text)
{
	return word.length == strlen(text) && memcmp(word.at, text, word.length) == 0;
}

static bool read_length(struct program_text word, uint64_t *length)
{
	*length = 0;
	for (size_t i = 0; i < word.length; i++) {
		if (word.at[i] < '0' || word.at[i] > '9' || *length > PROGRAM_PASSED_OVER_MOST)
			return false;
		*length = *length * 10 + (uint64_t)(word.at[i] - '0');
	}
	return word.length && *length <= PROGRAM_PASSED_OVER_MOST;
}

static void read_state(struct program_line *out, struct program_text rest)
{
	out->word = next_word(&rest);
	out->text = rest;
	out->says = PROGRAM_SAYS_STATE;
	for (size_t i = 0; i < out->word.length; i++)
		if ((out->word.at[i] < 'a' || out->word.at[i] > 'z') && out->word.at[i] != '-')
			nonsense(out, "a state is a word of a-z");
	if (out->says == PROGRAM_SAYS_STATE && !out->word.length)
		nonsense(out, "a state is a word of a-z");
}

/* `end` is behind the line. */
static void read_event(struct program_line *out, enum program_says says, struct program_text rest,
        const char *end, size_t behind)
{
	out->says = says;
	out->id = next_word(&rest);
	if (!out->id.length || out->id.length > PROGRAM_ID_MOST) {
		nonsense(out, "an event has an id without spaces, or -");
		return;
	}
	if (!read_length(next_word(&rest), &out->length)) {
		nonsense(out, "an event has a length in bytes");
		return;
	}
	out->text = rest;
	if (says == PROGRAM_SAYS_RECORD && rest.length) {
		nonsense(out, "a record has an id and a length alone");
		return;
	}
	out->too_large = out->length > PROGRAM_DATA_MOST;
	if (out->too_large)
		return;
	if (behind <= out->length) {
		*out = (struct program_line){.says = PROGRAM_SAYS_HALF};
		return;
	}
	if (end[out->length] != '\n') {
		nonsense(
		        out, "an event's data ends with a newline, after the bytes that were said");
		return;
	}
	out->data = end;
	out->used += (size_t)out->length + 1;
}

void program_line_read(struct program_line *out, const char *data, size_t length)
{
	size_t most = length < PROGRAM_LINE_MOST ? length : PROGRAM_LINE_MOST;
	const char *end = most ? memchr(data, '\n', most) : NULL;
	struct program_text rest = {data, end ? (size_t)(end - data) : 0}, word;

	*out = (struct program_line){.says = PROGRAM_SAYS_HALF};
	if (!end && length >= PROGRAM_LINE_MOST)
		nonsense(out, "a line has at most 64 KiB");
	if (!end)
		return;
	if (memchr(data, 0, rest.length)) {
		nonsense(out, "a line holds no zero bytes");
		return;
	}
	out->used = rest.length + 1;
	word = next_word(&rest);
	if (is(word, "state"))
		read_state(out, rest);
	else if (is(word, "event"))
		read_event(out, PROGRAM_SAYS_EVENT, rest, end + 1, length - out->used);
	else if (is(word, "record"))
		read_event(out, PROGRAM_SAYS_RECORD, rest, end + 1, length - out->used);
	else if (is(word, "refused")) {
		out->says = PROGRAM_SAYS_REFUSED;
		out->text = rest;
	} else {
		nonsense(out, "a line begins with state, event, record or refused");
	}
}
