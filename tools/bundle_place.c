/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bundle_private.h"
#include "command.h"

#define BLOCK_BYTES (1 << 18)

void bundle_format_end(
        char text[BUNDLE_END_SIZE], const unsigned char fingerprint[TREE_FINGERPRINT_SIZE])
{
	int length = snprintf(text, BUNDLE_END_SIZE, "sha256 ");

	for (int i = 0; i < TREE_FINGERPRINT_SIZE; i++)
		length += snprintf(
		        text + length, BUNDLE_END_SIZE - (size_t)length, "%02x", fingerprint[i]);
	snprintf(text + length, BUNDLE_END_SIZE - (size_t)length, "\n");
}

/* No component is empty, `.` or `..`. */
static bool is_plain(const char *path)
{
	for (;;) {
		size_t length = strcspn(path, "/");

		if (!length || (path[0] == '.' && length == 1) ||
		        (path[0] == '.' && path[1] == '.' && length == 2))
			return false;
		if (!path[length])
			return true;
		path += length + 1;
	}
}

/* What stands behind `first` and a slash; NULL: it begins otherwise. */
static const char *below(const char *path, const char *first)
{
	size_t length = strlen(first);

	return strncmp(path, first, length) == 0 && path[length] == '/' ? path + length + 1 : NULL;
}

/* Of a version, or of the function: config/... or code and what is in it. */
static void place_in_part(const char *path, struct bundle_place *place)
{
	const char *rest = below(path, "config");

	if (rest && *rest) {
		place->kind = PLACE_TEXT;
		place->rest = rest;
	} else if (strcmp(path, "code") == 0) {
		place->kind = PLACE_CODE;
		place->rest = "";
	} else if ((rest = below(path, "code")) && *rest) {
		place->kind = PLACE_CODE;
		place->rest = rest;
	}
}

/* Takes a name and the slash behind it; NULL: it is none. */
static const char *take_name(const char *path, struct bundle_place *place)
{
	size_t length = strcspn(path, "/");

	if (!length || length >= sizeof(place->name) || !path[length])
		return NULL;
	memcpy(place->name, path, length);
	place->name[length] = 0;
	return path + length + 1;
}

void bundle_place(const char *path, struct bundle_place *place)
{
	const char *rest;

	*place = (struct bundle_place){.rest = path};
	if (!is_plain(path))
		return;
	if (strcmp(path, BUNDLE_HEAD) == 0) {
		place->kind = PLACE_HEAD;
	} else if (strcmp(path, BUNDLE_END) == 0) {
		place->kind = PLACE_END;
	} else if ((rest = below(path, "versions"))) {
		if ((rest = take_name(rest, place)))
			place_in_part(rest, place);
	} else if ((rest = below(path, "aliases"))) {
		place->rest = take_name(rest, place);
		place->kind = place->rest && !strchr(place->rest, '/') ? PLACE_ALIAS : PLACE_NONE;
	} else if ((rest = below(path, "triggers"))) {
		place->rest = take_name(rest, place);
		place->kind = place->rest && !strchr(place->rest, '/') ? PLACE_TRIGGER : PLACE_NONE;
	} else {
		place_in_part(path, place);
	}
}

struct archive *bundle_open(int fd)
{
	struct archive *archive = archive_read_new();

	if (archive && lseek(fd, 0, SEEK_SET) == 0 &&
	        archive_read_support_filter_zstd(archive) == ARCHIVE_OK &&
	        archive_read_support_format_tar(archive) == ARCHIVE_OK &&
	        archive_read_open_fd(archive, fd, BLOCK_BYTES) == ARCHIVE_OK)
		return archive;
	complain(COMMAND_UNABLE, "the archive cannot be read: %s",
	        archive ? archive_error_string(archive) : "out of memory");
	if (archive)
		archive_read_free(archive);
	return NULL;
}

struct bundle_part *bundle_part(struct bundle *bundle, const char *name)
{
	struct bundle_part *part;

	if (!*name)
		return &bundle->function;
	list_each(part, &bundle->versions, link)
		if (strcmp(part->name, name) == 0)
			return part;
	return NULL;
}
