/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading directories. The order of names is the file system's own affair, so each of these is a
 * small program whose answer does not depend on it.
 */
#include "call.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_NAMES 1200

struct names {
	char *names[MOST_NAMES];
	size_t count;
};

static void names_add(struct names *names, const char *name, char mark)
{
	if (names->count < MOST_NAMES &&
	        asprintf(&names->names[names->count], "%s%c", name, mark) >= 0)
		names->count++;
}

static long names_tell(struct names *names, struct answer *answer)
{
	long count = names->count;
	size_t i;

	tell_sorted(answer, names->names, names->count);
	for (i = 0; i < names->count; i++)
		free(names->names[i]);
	names->count = 0;
	return count;
}

/* The type that the directory gives for a name must be the type that the name has. */
static char type_mark(int directory, const struct dirent *entry)
{
	static const char marks[] = "?pc.d.b.-.l.s...";
	struct stat status;

	if (entry->d_type == DT_UNKNOWN ||
	        fstatat(directory, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return marks[entry->d_type & 15];
	if (IFTODT(status.st_mode) != entry->d_type)
		return '!';
	return marks[entry->d_type & 15];
}

static DIR *open_stream(const struct hands *hands, const char *word)
{
	struct place place;
	int file;
	DIR *stream;

	place_of(&place, hands, word);
	file = openat(place.directory, place.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (file < 0)
		return NULL;
	stream = fdopendir(file);
	if (!stream)
		close(file);
	return stream;
}

/* Reads the rest of the stream into the answer and closes it. */
static long list_stream(DIR *stream, struct answer *answer)
{
	static struct names names;
	struct dirent *entry;
	int error;

	for (errno = 0; (entry = readdir(stream)); errno = 0)
		names_add(&names, entry->d_name, type_mark(dirfd(stream), entry));
	error = errno;
	closedir(stream);
	errno = error;
	return error ? (names_tell(&names, answer), errno = error, -1) : names_tell(&names, answer);
}

static long run_list(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	DIR *stream = open_stream(hands, arguments[0].text);

	return stream ? list_stream(stream, answer) : -1;
}

/* Reads the directory of a slot from its beginning. */
static long run_scan(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	int file = hand(hands, arguments[0].number);
	DIR *stream;

	if (file < 0)
		return skip(answer);
	file = fcntl(file, F_DUPFD_CLOEXEC, 0);
	stream = fdopendir(file);
	if (!stream) {
		close(file);
		errno = ENOTDIR;
		return -1;
	}
	rewinddir(stream);
	return list_stream(stream, answer);
}

/* Makes files in a directory, `name0`, `name1`, ... */
static long run_populate(
        struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	struct place place;
	char name[PATH_MAX];
	long i;
	int file;

	place_of(&place, hands, arguments[0].text);
	for (i = 0; i < arguments[1].number; i++) {
		snprintf(name, sizeof(name), "%.3000s/name%ld", place.path, i);
		file = openat(place.directory, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
		if (file < 0)
			return i > 0 ? i : -1;
		close(file);
	}
	return i;
}

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Removes every name as it is listed: what is left is what cannot be removed. */
static long run_drain(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	static struct names names;
	DIR *stream = open_stream(hands, arguments[0].text);
	struct dirent *entry;

	if (!stream)
		return -1;
	while ((entry = readdir(stream))) {
		if (is_dots(entry->d_name))
			continue;
		if (unlinkat(dirfd(stream), entry->d_name, 0) == 0)
			names_add(&names, entry->d_name, '-');
		else
			names_add(&names, entry->d_name, '!');
	}
	closedir(stream);
	return names_tell(&names, answer);
}

/* Makes files while it reads: what was there before must be listed once. */
static long run_grow(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	static struct names names;
	DIR *stream = open_stream(hands, arguments[0].text);
	struct dirent *entry;
	char name[32];
	long made = 0;
	int file;

	if (!stream)
		return -1;
	while ((entry = readdir(stream))) {
		if (strncmp(entry->d_name, "grown", 5) != 0)
			names_add(&names, entry->d_name, type_mark(dirfd(stream), entry));
		if (made >= arguments[1].number)
			continue;
		snprintf(name, sizeof(name), "grown%ld", made++);
		file = openat(dirfd(stream), name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
		if (file >= 0)
			close(file);
	}
	closedir(stream);
	return names_tell(&names, answer);
}

/* Goes back to every place that telldir() named: the same name must stand there. */
static long run_seekdirs(
        struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	static struct names names;
	static long places[MOST_NAMES];
	DIR *stream = open_stream(hands, arguments[0].text);
	struct dirent *entry;
	size_t i;
	long wrong = 0;

	if (!stream)
		return -1;
	places[0] = telldir(stream);
	while ((entry = readdir(stream)) && names.count < MOST_NAMES - 1) {
		names_add(&names, entry->d_name, ' ');
		places[names.count] = telldir(stream);
	}
	for (i = names.count; i-- > 0;) {
		seekdir(stream, places[i]);
		entry = readdir(stream);
		if (!entry || strncmp(entry->d_name, names.names[i], strlen(entry->d_name)) != 0)
			wrong++;
	}
	closedir(stream);
	names_tell(&names, answer);
	return wrong;
}

const struct call calls_on_directories[] = {
        {"list", "p", run_list, 0},
        {"scan", "f", run_scan, 1},
        {"populate", "pn", run_populate, 0},
        {"drain", "p", run_drain, 0},
        {"grow", "pn", run_grow, 0},
        {"seekdirs", "p", run_seekdirs, 0},
        {},
};
