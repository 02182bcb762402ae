/* SPDX-License-Identifier: Apache-2.0 */
#include "step.h"
#include "call.h"
#include "word.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *errno_name(int error)
{
	const char *name = error ? strerrorname_np(error) : "0";

	return name ? name : "unknown";
}

static void print_argument(const struct step *step, int i, char *out, size_t size)
{
	char letter = step->call->letters[i];

	if (word_is_text(letter))
		snprintf(
		        out, size, "%s", *step->arguments[i].text ? step->arguments[i].text : "''");
	else
		word_print(letter, step->arguments[i].number, out, size);
}

void step_print(const struct step *step, char *out, size_t size)
{
	char text[160];
	size_t used;
	int i;

	used = snprintf(out, size, "p%d u%d %s%s", step->actor, step->user, step->begun ? "& " : "",
	        step->call->name);
	for (i = 0; step->call->letters[i] && used < size; i++) {
		print_argument(step, i, text, sizeof(text));
		used += snprintf(out + used, size - used, " %s", text);
	}
	if (step->expects && used < size)
		snprintf(out + used, size - used, " = %s", step->expected);
}

static bool parse_argument(struct argument *argument, char letter, const char *word)
{
	if (!word_is_text(letter))
		return word_parse(letter, word, &argument->number);
	snprintf(argument->text, sizeof(argument->text), "%s", strcmp(word, "''") ? word : "");
	return strlen(word) < sizeof(argument->text);
}

/* The words before the name of the call: who makes it. */
static char *parse_prefix(struct step *step, char *word, char **rest)
{
	for (; word; word = strtok_r(NULL, " \t", rest)) {
		if (word[0] == 'p' && word[1] >= '0' && word[1] < '0' + STEP_ACTORS && !word[2])
			step->actor = word[1] - '0';
		else if (word[0] == 'u' && word[1] >= '0' && word[1] < '0' + STEP_USERS && !word[2])
			step->user = word[1] - '0';
		else if (strcmp(word, "&") == 0)
			step->begun = true;
		else
			break;
	}
	return word;
}

bool step_parse(struct step *step, char *text, char *error, size_t error_size)
{
	char *rest, *word;
	int i;

	memset(step, 0, sizeof(*step));
	word = parse_prefix(step, strtok_r(text, " \t", &rest), &rest);
	step->call = word ? call_find(word) : NULL;
	if (!step->call)
		return snprintf(error, error_size, "no such call: %s", word ? word : "") < 0;
	for (i = 0; step->call->letters[i]; i++) {
		word = strtok_r(NULL, " \t", &rest);
		if (!word || !parse_argument(&step->arguments[i], step->call->letters[i], word))
			return snprintf(error, error_size, "%s: bad argument %d: %s",
			               step->call->name, i + 1, word ? word : "missing") < 0;
	}
	word = strtok_r(NULL, " \t", &rest);
	if (!word)
		return true;
	step->expects = strcmp(word, "=") == 0 && (word = strtok_r(NULL, " \t", &rest));
	if (!step->expects || strtok_r(NULL, " \t", &rest))
		return snprintf(error, error_size, "%s: too much", step->call->name) < 0;
	snprintf(step->expected, sizeof(step->expected), "%s", word);
	return true;
}

bool step_met(const struct step *step, long returned, int error)
{
	char *end;
	long wanted;

	if (!step->expects)
		return true;
	if (strcmp(step->expected, "ok") == 0)
		return error == 0;
	wanted = strtol(step->expected, &end, 0);
	if (*end == '\0')
		return error == 0 && returned == wanted;
	return error != 0 && strcmp(step->expected, errno_name(error)) == 0;
}
