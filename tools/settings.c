/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "text.h"

#define DEPENDENCIES "dependencies/"
#define WITHIN       "../"          /* in front of a link from config/ to the same function */
#define TO_ROOT      "../../../../" /* from config/dependencies/ of a function */

/* --- reading ---------------------------------------------------------------------------------- */

/*
 * Everything that can stand in config/; files that an editor is at work with are called otherwise.
 */
static bool is_name(const char *name)
{
	return ((*name | 32) >= 'a' && (*name | 32) <= 'z') &&
	       !name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                          "0123456789_-")];
}

/* A destination: as it leads there from the root, or, within the function, from config/. */
static char *destination(const char *target)
{
	char *path;

	while (strncmp(target, "../", 3) == 0)
		target += 3;
	if (strcmp(target, "queue") == 0 || strncmp(target, "aliases/", 8) == 0)
		return asprintf(&path, WITHIN "%s", target) < 0 ? NULL : path;
	return asprintf(&path, "functions/%s", target) < 0 ? NULL : path;
}

static char *read_link(int directory, const char *name)
{
	char target[PATH_MAX + 1], *at, *last = NULL;
	ssize_t length = readlinkat(directory, name, target, sizeof(target) - 1);

	if (length < 0)
		return NULL;
	target[length] = 0;
	for (at = target; (at = strstr(at, DEPENDENCIES)); at++)
		last = at;
	return last ? strdup(last) : destination(target);
}

bool settings_leads_within(const char *link)
{
	return strncmp(link, WITHIN, strlen(WITHIN)) == 0;
}

bool settings_leads_to_alias(const char *link, const char *alias)
{
	size_t length = strlen(alias);

	if (!settings_leads_within(link) || strncmp(link + strlen(WITHIN), "aliases/", 8) != 0)
		return false;
	link += strlen(WITHIN) + 8;
	return strncmp(link, alias, length) == 0 && link[length] == '/';
}

static int add(struct list *texts, const char *folder, const char *name, char *text, bool is_link)
{
	struct bundle_text *added = text ? calloc(1, sizeof(*added)) : NULL;

	if (!added || asprintf(&added->path, "%s%s", folder, name) < 0) {
		free(added);
		free(text);
		return -ENOMEM;
	}
	added->text = text;
	added->is_link = is_link;
	list_append(texts, &added->link);
	return 0;
}

static int add_file(struct list *texts, int directory, const char *folder, const char *name)
{
	struct stat status;
	char *text;

	if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISREG(status.st_mode) && !S_ISLNK(status.st_mode))
		return 0;
	text = S_ISLNK(status.st_mode) ? read_link(directory, name) : text_read(directory, name);
	return text ? add(texts, folder, name, text, S_ISLNK(status.st_mode)) : -errno;
}

static int add_names(struct list *texts, DIR *stream, const char *folder, struct buf *where)
{
	const struct dirent *entry;
	int error = 0;

	while (!error && (entry = readdir(stream)) != NULL) {
		if (!is_name(entry->d_name))
			continue;
		error = add_file(texts, dirfd(stream), folder, entry->d_name);
		if (error)
			buf_printf(where, "config/%s%s", folder, entry->d_name);
	}
	return error;
}

/* `folder` is "", or ends in a slash. */
static int add_folder(struct list *texts, int config, const char *folder, struct buf *where)
{
	int fd = openat(config, *folder ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	int error;

	if (!stream) {
		error = -errno;
		close_fd(fd);
		if (error == -ENOENT)
			return 0; /* there are no such things here */
		buf_printf(where, "config/%s", folder);
		return error;
	}
	error = add_names(texts, stream, folder, where);
	closedir(stream);
	return error;
}

int settings_read(int directory, struct list *texts, struct buf *where)
{
	CLEANUP(close_p)
	int config = openat(directory, "config", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error;

	list_init(texts);
	if (config < 0) {
		buf_puts(where, "config");
		return -errno;
	}
	error = add_folder(texts, config, "", where);
	if (!error)
		error = add_folder(texts, config, "env/", where);
	return error ? error : add_folder(texts, config, DEPENDENCIES, where);
}

void settings_free(struct list *texts)
{
	struct bundle_text *text, *following;

	list_each_safe(text, following, texts, link) {
		free(text->path);
		free(text->text);
		free(text);
	}
	list_init(texts);
}

/* --- comparing -------------------------------------------------------------------------------- */

static const struct bundle_text *find(const struct list *texts, const char *path)
{
	const struct bundle_text *text;

	list_each(text, texts, link)
		if (strcmp(text->path, path) == 0)
			return text;
	return NULL;
}

const char *settings_find(const struct list *texts, const char *path)
{
	const struct bundle_text *text = find(texts, path);

	return text ? text->text : NULL;
}

/* Settings are always there; variables and dependencies come and go. */
static bool is_optional(const struct bundle_text *text)
{
	return text->is_link || strchr(text->path, '/') != NULL;
}

static bool same(const struct bundle_text *a, const struct bundle_text *b)
{
	return b && a->is_link == b->is_link && strcmp(a->text, b->text) == 0;
}

const char *settings_differ(
        const struct list *wanted, const struct list *found, bool (*but)(const char *path))
{
	const struct bundle_text *text;

	list_each(text, wanted, link)
		if (!(but && but(text->path)) && !same(text, find(found, text->path)))
			return text->path;
	list_each(text, found, link)
		if (is_optional(text) && !find(wanted, text->path))
			return text->path;
	return NULL;
}

/* --- applying --------------------------------------------------------------------------------- */

int settings_write(int directory, const char *path, const char *text)
{
	CLEANUP(free_p) char *file = NULL;
	size_t length = strlen(text);
	ssize_t wrote;
	int fd, error;

	if (asprintf(&file, "config/%s", path) < 0)
		return -ENOMEM;
	fd = openat(directory, file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	wrote = write(fd, text, length);
	error = wrote < 0 ? -errno : (size_t)wrote != length ? -EIO : 0;
	return close(fd) < 0 && !error ? -errno : error;
}

static int bind(int function, const struct bundle_text *text)
{
	CLEANUP(free_p) char *path = NULL;
	CLEANUP(free_p) char *target = NULL;

	if (asprintf(&path, "config/%s", text->path) < 0 ||
	        asprintf(&target, "%s%s", settings_leads_within(text->text) ? "" : TO_ROOT,
	                text->text) < 0)
		return -ENOMEM;
	return symlinkat(target, function, path) < 0 ? -errno : 0;
}

static int remove_one(int function, const char *path)
{
	CLEANUP(free_p) char *file = NULL;

	if (asprintf(&file, "config/%s", path) < 0)
		return -ENOMEM;
	return unlinkat(function, file, 0) < 0 ? -errno : 0;
}

static int apply_one(int function, const struct bundle_text *text, const struct bundle_text *now)
{
	int error = 0;

	if (same(text, now))
		return 0;
	if (!text->is_link)
		return settings_write(function, text->path, text->text);
	if (now)
		error = remove_one(function, text->path);
	return error ? error : bind(function, text);
}

static int apply(int function, const struct list *wanted, const struct list *found,
        bool (*but)(const char *path), struct buf *where)
{
	const struct bundle_text *text;
	int error;

	list_each(text, found, link) {
		if (!is_optional(text) || find(wanted, text->path))
			continue;
		error = remove_one(function, text->path);
		if (error) {
			buf_printf(where, "config/%s", text->path);
			return error;
		}
	}
	list_each(text, wanted, link) {
		if (but && but(text->path))
			continue;
		error = apply_one(function, text, find(found, text->path));
		if (error) {
			buf_printf(where, "config/%s", text->path);
			return error;
		}
	}
	return 0;
}

int settings_apply(
        int function, const struct list *wanted, bool (*but)(const char *path), struct buf *where)
{
	struct list found;
	int error = settings_read(function, &found, where);

	if (!error)
		error = apply(function, wanted, &found, but, where);
	settings_free(&found);
	return error;
}
