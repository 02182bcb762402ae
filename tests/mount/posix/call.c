/* SPDX-License-Identifier: Apache-2.0 */
#include "call.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct call *const families[] = {calls_on_names, calls_on_directories,
        calls_on_attributes, calls_on_files, calls_on_spans, calls_on_locks, calls_on_maps,
        calls_on_processes};

const struct call *call_find(const char *name)
{
	const struct call *call;
	size_t i;

	for (i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		for (call = families[i]; call->name; call++)
			if (strcmp(call->name, name) == 0)
				return call;
	return NULL;
}

void tell(struct answer *answer, const char *format, ...)
{
	va_list arguments;
	size_t room = sizeof(answer->text) - answer->length;
	int wanted;

	va_start(arguments, format);
	wanted = vsnprintf(answer->text + answer->length, room, format, arguments);
	va_end(arguments);
	if (wanted > 0)
		answer->length += (size_t)wanted < room ? (size_t)wanted : room - 1;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void tell_sorted(struct answer *answer, char **names, size_t count)
{
	size_t i;

	qsort(names, count, sizeof(*names), compare_names);
	for (i = 0; i < count; i++)
		tell(answer, " %s", names[i]);
}

long skip(struct answer *answer)
{
	answer->skipped = true;
	errno = 0;
	return -1;
}

int hand(const struct hands *hands, long slot)
{
	return slot >= 0 && slot < HANDS_FILES ? hands->files[slot] : -1;
}

static size_t expand_names(char *out, size_t size, const char *word)
{
	size_t used = 0;
	long letters;
	char *end;

	while (*word && used < size - 1) {
		if (*word != '@') {
			out[used++] = *word++;
			continue;
		}
		letters = strtol(word + 1, &end, 10);
		for (word = end; letters-- > 0 && used < size - 1;)
			out[used++] = 'x';
	}
	out[used] = '\0';
	return used;
}

static void expand(char *out, size_t size, const char *word)
{
	char name[512];
	size_t length, used = 0, wanted;
	char *end;

	if (*word != '%') {
		expand_names(out, size, word);
		return;
	}
	wanted = strtoul(word + 1, &end, 10);
	length = expand_names(name, sizeof(name), *end == ':' ? end + 1 : end);
	while (used + length < wanted && used < size - 1) {
		out[used] = used % 2 ? '/' : '.';
		used++;
	}
	if (used % 2)
		out[used - 1] = '/';
	snprintf(out + used, size - used, "%s", name);
}

void place_of(struct place *place, const struct hands *hands, const char *word)
{
	place->directory = AT_FDCWD;
	if (word[0] == '[' && word[1] && word[2] == ']') {
		place->directory = hand(hands, word[1] - '0');
		word += 3;
	}
	expand(place->path, sizeof(place->path), word);
}

unsigned digest(const void *data, size_t length)
{
	const unsigned char *byte = data;
	unsigned value = 2166136261u;

	for (; length > 0; length--, byte++)
		value = (value ^ *byte) * 16777619u;
	return value;
}

/* What can be seen through a descriptor, whether or not its file still has a name. */
static void describe(struct answer *answer, int file)
{
	struct stat status;
	off_t position = lseek(file, 0, SEEK_CUR);

	if (fstat(file, &status) < 0) {
		tell(answer, " {%s}", errno_name(errno));
		return;
	}
	tell(answer, " {%o links=%lu owner=%u:%u", status.st_mode, (unsigned long)status.st_nlink,
	        status.st_uid, status.st_gid);
	if (S_ISREG(status.st_mode))
		tell(answer, " size=%lld at=%lld", (long long)status.st_size, (long long)position);
	tell(answer, "}");
}

void call_make(struct hands *hands, const struct step *step, struct answer *answer)
{
	int file;

	answer->error = 0;
	answer->skipped = false;
	answer->length = 0;
	answer->text[0] = '\0';
	hands->begun = step->begun;
	errno = 0;
	answer->returned = step->call->run(hands, step->arguments, answer);
	if (answer->returned < 0)
		answer->error = errno;
	if (!step->wordy || !step->call->file)
		return;
	file = hand(hands, step->arguments[step->call->file - 1].number);
	if (file >= 0)
		describe(answer, file);
}
