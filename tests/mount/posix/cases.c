/* SPDX-License-Identifier: Apache-2.0 */
#include "cases.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct reading {
	const char *path;
	int line;
	const struct case_needs *given;
	case_fn each;
	void *userdata;
	unsigned *skipped;
};

static char *trim(char *text)
{
	size_t length;

	text += strspn(text, " \t");
	for (length = strlen(text); length > 0 && strchr(" \t\n", text[length - 1]);)
		text[--length] = '\0';
	return text;
}

static int bad(const struct reading *reading, const char *error)
{
	fprintf(stderr, "%s:%d: %s\n", reading->path, reading->line, error);
	return -EINVAL;
}

/* Is what stands in brackets behind the name given here? */
static bool needs_are_met(const struct case_needs *given, const char *name)
{
	const char *needs = strchr(name, '(');

	if (!needs)
		return true;
	return (given->privileged || !strstr(needs, "root")) &&
	       (!given->licence.xattr || !strstr(needs, "xattr")) &&
	       (!given->licence.tmpfile || !strstr(needs, "tmpfile")) &&
	       (!given->licence.device || !strstr(needs, "device")) &&
	       (!given->licence.collapse || !strstr(needs, "collapse")) &&
	       (!given->licence.seek || !strstr(needs, "seek"));
}

static int read_steps(const struct reading *reading, struct sequence *sequence, char *text)
{
	char error[160], *rest, *part;

	for (part = strtok_r(text, ";", &rest); part; part = strtok_r(NULL, ";", &rest)) {
		if (sequence->count == SEQUENCE_STEPS)
			return bad(reading, "too many steps");
		if (!step_parse(
		            &sequence->steps[sequence->count], trim(part), error, sizeof(error)))
			return bad(reading, error);
		sequence->steps[sequence->count++].wordy = true;
	}
	return sequence->count ? 0 : bad(reading, "a case without steps");
}

static bool has_users(const struct sequence *sequence)
{
	int i;

	for (i = 0; i < sequence->count; i++)
		if (sequence->steps[i].user > 0)
			return true;
	return false;
}

static int read_case(const struct reading *reading, const char *group, char *text)
{
	static struct sequence sequence;
	char *colon = strstr(text, ": ");
	int result;

	if (!colon)
		return bad(reading, "no colon");
	*colon = '\0';
	sequence.count = 0;
	snprintf(sequence.name, sizeof(sequence.name), "%.30s: %.60s", group, text);
	result = read_steps(reading, &sequence, colon + 2);
	if (result < 0)
		return result;
	if (!needs_are_met(reading->given, text) ||
	        (has_users(&sequence) && !reading->given->privileged))
		(*reading->skipped)++;
	else
		reading->each(reading->userdata, &sequence);
	return 0;
}

/* A line and those that continue it. */
static bool read_line(FILE *file, struct reading *reading, char *out, size_t size)
{
	size_t used = 0, length;

	while (used + 512 < size && fgets(out + used, size - used, file)) {
		reading->line++;
		if (out[used] == '#')
			out[used] = '\0';
		length = strlen(trim(out + used));
		memmove(out + used, trim(out + used), length + 1);
		used += length;
		if (length > 0 && out[used - 1] == ';')
			continue;
		return true;
	}
	out[used] = '\0';
	return used > 0;
}

int cases_read(const char *path, const struct case_needs *given, case_fn each, void *userdata,
        unsigned *skipped)
{
	struct reading reading = {.path = path,
	        .given = given,
	        .each = each,
	        .userdata = userdata,
	        .skipped = skipped};
	char line[16384], group[64] = "cases";
	FILE *file = fopen(path, "re");
	int result = 0;

	if (!file)
		return bad(&reading, strerror(errno));
	while (result == 0 && read_line(file, &reading, line, sizeof(line))) {
		if (line[0] == '[')
			snprintf(group, sizeof(group), "%.*s", (int)strcspn(line + 1, "]"),
			        line + 1);
		else if (line[0])
			result = read_case(&reading, group, line);
	}
	fclose(file);
	return result;
}
