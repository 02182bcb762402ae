/* SPDX-License-Identifier: Apache-2.0 */
#include "hints.h"
#include "choose.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static struct hint *find(struct hints *hints, const char *path)
{
	int i;

	for (i = 0; i < hints->count; i++)
		if (strcmp(hints->list[i].path, path) == 0)
			return &hints->list[i];
	return NULL;
}

static void add(struct hints *hints, const char *path, bool directory)
{
	struct hint *hint = find(hints, path);

	if (!hint && hints->count == HINTS)
		hints->count = HINTS / 2;
	if (!hint)
		hint = &hints->list[hints->count++];
	snprintf(hint->path, sizeof(hint->path), "%s", path);
	hint->directory = directory;
}

static bool drop(struct hints *hints, const char *path)
{
	struct hint *hint = find(hints, path);
	bool directory = hint && hint->directory;

	if (hint)
		*hint = hints->list[--hints->count];
	return directory;
}

static bool is_usual(const char *path)
{
	return strlen(path) < sizeof(((struct hint *)0)->path) && !strpbrk(path, "@%[") && *path;
}

void hints_told(struct hints *hints, const struct step *step)
{
	const char *name = step->call->name;
	const char *first = step->arguments[0].text, *second = step->arguments[1].text;

	if (strcmp(name, "mkdir") == 0 && is_usual(first))
		add(hints, first, true);
	else if (strcmp(name, "open") == 0 && step->arguments[2].number & O_CREAT &&
	         is_usual(second))
		add(hints, second, false);
	else if (strncmp(name, "mk", 2) == 0 && is_usual(first))
		add(hints, first, false);
	else if (strcmp(name, "rename") == 0 && is_usual(second))
		add(hints, second, drop(hints, first));
	else if ((strcmp(name, "link") == 0 || strcmp(name, "symlink") == 0 ||
	                 strcmp(name, "bind") == 0) &&
	         is_usual(second))
		add(hints, second, false);
	else if (strcmp(name, "program") == 0 && is_usual(first))
		add(hints, first, false);
	else if (strcmp(name, "unlink") == 0 || strcmp(name, "rmdir") == 0)
		drop(hints, first);
}

bool hints_existing(
        const struct hints *hints, uint64_t *state, bool directory, char *out, size_t size)
{
	const struct hint *hint = NULL;
	int i, first;

	if (hints->count == 0)
		return false;
	first = choose_below(state, hints->count);
	for (i = 0; i < hints->count; i++) {
		hint = &hints->list[(first + i) % hints->count];
		if (hint->directory == directory || i == hints->count - 1)
			break;
	}
	snprintf(out, size, "%s", hint->path);
	return true;
}

void hints_fresh(const struct hints *hints, uint64_t *state, char *out, size_t size)
{
	char parent[48] = "", name[8];

	choose_of(state, "a b c d e f l m", name, sizeof(name));
	if (choose_percent(state, 65) && hints_existing(hints, state, true, parent, sizeof(parent)))
		snprintf(out, size, "%s/%s", parent, name);
	else
		snprintf(out, size, "%s", name);
}
