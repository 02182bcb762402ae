/* SPDX-License-Identifier: Apache-2.0 */
/* The first pass: everything is read, nothing is done. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "bundle_private.h"
#include "command.h"
#include "text.h"

#define TEXT_MOST (1 << 20)

struct reading {
	struct bundle *bundle;
	struct archive *archive;
	struct tree_fingerprint *all;
	struct tree_fingerprint *tree;
	struct bundle_part *part; /* whose tree is read */
	bool has_head;
	bool has_end;
};

static int complain_foreign(const char *what)
{
	return complain(COMMAND_UNABLE, "this is no archive of `fnfs export`: %s", what);
}

static int complain_damaged(const char *what)
{
	return complain(COMMAND_UNABLE, "the archive is damaged, nothing was changed: %s", what);
}

static int complain_memory(void)
{
	return complain(COMMAND_UNABLE, "out of memory");
}

/* --- what was read is kept -------------------------------------------------------------------- */

static struct bundle_part *part_new(struct list *parts, const char *name)
{
	struct bundle_part *part = calloc(1, sizeof(*part));

	if (!part || !(part->name = strdup(name))) {
		free(part);
		return NULL;
	}
	list_init(&part->texts);
	list_append(parts, &part->link);
	return part;
}

static struct bundle_part *need_part(struct reading *reading, const struct bundle_place *place)
{
	struct bundle_part *part = bundle_part(reading->bundle, place->name);

	return part ? part : part_new(&reading->bundle->versions, place->name);
}

static struct bundle_part *need_trigger(struct bundle *bundle, const char *name)
{
	struct bundle_part *trigger;

	list_each(trigger, &bundle->triggers, link)
		if (strcmp(trigger->name, name) == 0)
			return trigger;
	return part_new(&bundle->triggers, name);
}

static int keep_text(
        struct reading *reading, const struct bundle_place *place, char *text, bool is_link)
{
	struct bundle_part *part = place->kind == PLACE_TRIGGER
	                                   ? need_trigger(reading->bundle, place->name)
	                                   : need_part(reading, place);
	struct bundle_text *kept = part ? calloc(1, sizeof(*kept)) : NULL;

	if (!kept || !(kept->path = strdup(place->rest))) {
		free(kept);
		free(text);
		return complain_memory();
	}
	kept->text = text;
	kept->is_link = is_link;
	list_append(&part->texts, &kept->link);
	return 0;
}

static struct bundle_alias *need_alias(struct bundle *bundle, const char *name)
{
	struct bundle_alias *alias;

	list_each(alias, &bundle->aliases, link)
		if (strcmp(alias->name, name) == 0)
			return alias;
	alias = calloc(1, sizeof(*alias));
	if (!alias || !(alias->name = strdup(name))) {
		free(alias);
		return NULL;
	}
	list_append(&bundle->aliases, &alias->link);
	return alias;
}

static int keep_alias(struct reading *reading, const struct bundle_place *place, char *text)
{
	struct bundle_alias *alias = need_alias(reading->bundle, place->name);
	char **kept = !alias                                    ? NULL
	              : strcmp(place->rest, "routes") == 0      ? &alias->routes
	              : strcmp(place->rest, "description") == 0 ? &alias->description
	                                                        : NULL;

	if (kept && !*kept) {
		*kept = text;
		return 0;
	}
	free(text);
	return alias ? complain_foreign(place->rest) : complain_memory();
}

static int take_head(struct reading *reading, const char *text)
{
	if (strncmp(text, BUNDLE_FORMAT, strlen(BUNDLE_FORMAT)) != 0)
		return complain(COMMAND_UNABLE, "the archive is of a later fnfs than this one");
	reading->bundle->name = text_value(text, "name");
	reading->has_head = true;
	return reading->bundle->name ? 0 : complain_foreign("it has no name");
}

static int take_end(struct reading *reading, const char *text)
{
	unsigned char fingerprint[TREE_FINGERPRINT_SIZE];
	char expected[BUNDLE_END_SIZE];

	tree_fingerprint_end(reading->all, fingerprint);
	bundle_format_end(expected, fingerprint);
	reading->has_end = true;
	return strcmp(text, expected) == 0 ? 0 : complain_damaged("its fingerprint is another");
}

/* --- entries ---------------------------------------------------------------------------------- */

static struct tree_entry describe(struct archive_entry *head, char *path)
{
	size_t length = strlen(path);
	struct tree_entry entry = {.path = path, .same = archive_entry_hardlink(head)};

	if (length && path[length - 1] == '/')
		path[length - 1] = 0;
	if (entry.same)
		return entry;
	entry.mode = archive_entry_mode(head);
	entry.modified.tv_sec = archive_entry_mtime(head);
	entry.modified.tv_nsec = archive_entry_mtime_nsec(head);
	entry.size = S_ISREG(entry.mode) ? (uint64_t)archive_entry_size(head) : 0;
	entry.target = S_ISLNK(entry.mode) ? archive_entry_symlink(head) : NULL;
	return entry;
}

/* A small text, whole; NULL after saying why not. */
static char *read_text(struct reading *reading, const struct tree_entry *entry)
{
	struct buf text = BUF_INIT;
	char *room;

	if (!S_ISREG(entry->mode) || entry->size > TEXT_MOST) {
		complain_foreign(entry->path);
		return NULL;
	}
	room = buf_reserve(&text, entry->size + 1);
	if (!room) {
		complain_memory();
		return NULL;
	}
	if (archive_read_data(reading->archive, room, entry->size) != (la_ssize_t)entry->size ||
	        memchr(room, 0, entry->size)) {
		complain_damaged(entry->path);
		buf_deinit(&text);
		return NULL;
	}
	buf_added(&text, entry->size);
	return buf_take(&text);
}

static int take_text(
        struct reading *reading, const struct bundle_place *place, const struct tree_entry *entry)
{
	CLEANUP(free_p) char *text = NULL;

	if (S_ISLNK(entry->mode) && place->kind == PLACE_TEXT) {
		tree_fingerprint_entry(reading->all, entry);
		text = strdup(entry->target);
		return text ? keep_text(reading, place, take(text), true) : complain_memory();
	}
	text = read_text(reading, entry);
	if (!text)
		return COMMAND_UNABLE;
	if (place->kind == PLACE_END)
		return take_end(reading, text);
	tree_fingerprint_entry(reading->all, entry);
	tree_fingerprint_content(reading->all, text, strlen(text));
	if (place->kind == PLACE_HEAD)
		return take_head(reading, text);
	return place->kind == PLACE_ALIAS ? keep_alias(reading, place, take(text))
	                                  : keep_text(reading, place, take(text), false);
}

/* --- trees ------------------------------------------------------------------------------------ */

static void end_tree(struct reading *reading)
{
	if (reading->part)
		tree_fingerprint_end(reading->tree, reading->part->code);
	reading->part = NULL;
}

static int begin_tree(struct reading *reading, const struct bundle_place *place)
{
	struct bundle_part *part = need_part(reading, place);

	if (!part)
		return complain_memory();
	if (part->has_code)
		return complain_foreign("it has a tree twice");
	part->has_code = true;
	reading->part = part;
	return 0;
}

static int read_content(struct reading *reading, const struct tree_entry *entry)
{
	static char piece[1 << 16];
	uint64_t left = entry->size;

	while (left) {
		la_ssize_t got = archive_read_data(reading->archive, piece, sizeof(piece));

		if (got <= 0)
			return complain_damaged(entry->path);
		tree_fingerprint_content(reading->all, piece, (size_t)got);
		tree_fingerprint_content(reading->tree, piece, (size_t)got);
		left -= (uint64_t)got < left ? (uint64_t)got : left;
	}
	return 0;
}

static int take_code(
        struct reading *reading, const struct bundle_place *place, const struct tree_entry *entry)
{
	struct tree_entry inside = *entry;
	size_t prefix = (size_t)(place->rest - entry->path);
	int status = *place->rest ? 0 : begin_tree(reading, place);

	if (status)
		return status;
	if (!reading->part || bundle_part(reading->bundle, place->name) != reading->part ||
	        (!*place->rest && !S_ISDIR(entry->mode)))
		return complain_foreign(entry->path);
	inside.path = place->rest;
	if (entry->same && strncmp(entry->same, entry->path, prefix) != 0)
		return complain_foreign(entry->path);
	if (entry->same)
		inside.same = entry->same + prefix;
	tree_fingerprint_entry(reading->all, entry);
	tree_fingerprint_entry(reading->tree, &inside);
	return read_content(reading, entry);
}

/* --- the whole -------------------------------------------------------------------------------- */

static int take_entry(struct reading *reading, struct archive_entry *head)
{
	CLEANUP(free_p) char *path = strdup(archive_entry_pathname(head) ?: "");
	struct tree_entry entry;
	struct bundle_place place;

	if (!path)
		return complain_memory();
	entry = describe(head, path);
	bundle_place(path, &place);
	if (!reading->has_head != (place.kind == PLACE_HEAD) || reading->has_end ||
	        place.kind == PLACE_NONE)
		return complain_foreign(*path ? path : "an entry has no name");
	if (place.kind != PLACE_CODE || !*place.rest)
		end_tree(reading);
	return place.kind == PLACE_CODE ? take_code(reading, &place, &entry)
	                                : take_text(reading, &place, &entry);
}

static int read_entries(struct reading *reading)
{
	struct archive_entry *head;
	int answer, status;

	while ((answer = archive_read_next_header(reading->archive, &head)) == ARCHIVE_OK) {
		status = take_entry(reading, head);
		if (status)
			return status;
	}
	if (!reading->has_head)
		return complain_foreign(answer == ARCHIVE_EOF
		                                ? "there is nothing in it"
		                                : archive_error_string(reading->archive));
	if (answer != ARCHIVE_EOF)
		return complain_damaged(archive_error_string(reading->archive));
	return reading->has_end ? 0 : complain_damaged("its end is missing");
}

/* Every version has its tree, every alias its routes. */
static int check_whole(const struct bundle *bundle)
{
	const struct bundle_part *part;
	const struct bundle_alias *alias;

	if (!bundle->function.has_code)
		return complain_damaged("there is no code in it");
	list_each(part, &bundle->versions, link)
		if (!part->has_code)
			return complain_damaged(part->name);
	list_each(alias, &bundle->aliases, link)
		if (!alias->routes)
			return complain_damaged(alias->name);
	return 0;
}

int bundle_read(struct bundle *bundle, int fd)
{
	struct reading reading = {.bundle = bundle};
	int status;

	*bundle = (struct bundle){.fd = fd};
	list_init(&bundle->versions);
	list_init(&bundle->aliases);
	list_init(&bundle->triggers);
	list_init(&bundle->function.texts);
	reading.archive = bundle_open(fd);
	if (!reading.archive)
		return COMMAND_UNABLE;
	reading.all = tree_fingerprint_new();
	reading.tree = tree_fingerprint_new();
	status = reading.all && reading.tree ? read_entries(&reading) : complain_memory();
	tree_fingerprint_free(reading.all);
	tree_fingerprint_free(reading.tree);
	archive_read_free(reading.archive);
	return status ? status : check_whole(bundle);
}

static void part_deinit(struct bundle_part *part)
{
	struct bundle_text *text, *following;

	list_each_safe(text, following, &part->texts, link) {
		free(text->path);
		free(text->text);
		free(text);
	}
	free(part->name);
}

void bundle_deinit(struct bundle *bundle)
{
	struct bundle_part *part, *next_part;
	struct bundle_alias *alias, *next_alias;

	list_each_safe(part, next_part, &bundle->versions, link) {
		part_deinit(part);
		free(part);
	}
	list_each_safe(part, next_part, &bundle->triggers, link) {
		part_deinit(part);
		free(part);
	}
	list_each_safe(alias, next_alias, &bundle->aliases, link) {
		free(alias->name);
		free(alias->routes);
		free(alias->description);
		free(alias);
	}
	part_deinit(&bundle->function);
	free(bundle->name);
}
