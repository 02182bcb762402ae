/* SPDX-License-Identifier: Apache-2.0 */
#include "importing_compare.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "command.h"
#include "importing_triggers.h"
#include "settings.h"
#include "text.h"

bool importing_stays_open(const char *path)
{
	static const char *const open_ones[] = {
	        "min_instances", "max_instances", "idle_timeout", "description"};

	for (size_t i = 0; i < ARRAY_SIZE(open_ones); i++)
		if (strcmp(path, open_ones[i]) == 0)
			return true;
	return false;
}

static int complain_other(const struct importing *importing, const char *what, const char *name)
{
	return complain(COMMAND_FAILED,
	        "%s is there with another %s%s than in the archive: nothing was changed; to have "
	        "both, `fnfs import OTHER-NAME`",
	        importing->name, what, name);
}

static int complain_read(const char *what, int error)
{
	return complain(COMMAND_UNABLE, "%s: %s", what, strerror(error));
}

static int compare_code(const struct importing *importing, const struct bundle_part *part,
        int directory, const char *what)
{
	CLEANUP(buf_deinit) struct buf where = BUF_INIT;
	CLEANUP(close_p) int code = openat(directory, "code", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	unsigned char found[TREE_FINGERPRINT_SIZE];
	int error = code < 0 ? -errno : tree_fingerprint_of(code, found, &where);

	if (error)
		return complain_read(where.length ? where.data : "code", -error);
	if (memcmp(found, part->code, sizeof(found)) == 0)
		return 0;
	return complain_other(importing, what, part->name ? part->name : "");
}

static int compare_settings(
        const struct importing *importing, const struct bundle_part *part, int directory)
{
	CLEANUP(buf_deinit) struct buf where = BUF_INIT;
	CLEANUP(free_p) char *name = NULL;
	struct list found;
	int status = 0, error = settings_read(directory, &found, &where);
	const char *other = error ? NULL
	                          : settings_differ(&part->texts, &found,
	                                    part->name ? importing_stays_open : NULL);

	if (error)
		status = complain_read(where.length ? where.data : "config", -error);
	else if (other && asprintf(&name, "%s%s%s", part->name ? part->name : "",
	                          part->name ? ": config/" : "config/", other) >= 0)
		status = complain_other(importing, part->name ? "version " : "", name);
	settings_free(&found);
	return status;
}

static int compare_version(struct importing *importing, const struct bundle_part *part)
{
	CLEANUP(free_p) char *path = NULL;
	CLEANUP(close_p) int version = -1;
	int status;

	if (asprintf(&path, "versions/%s", part->name) < 0)
		return complain_read(part->name, ENOMEM);
	version =
	        openat(importing->function, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (version < 0)
		return errno == ENOENT ? 0 : complain_read(path, errno);
	importing->there++;
	status = compare_code(importing, part, version, "version ");
	return status ? status : compare_settings(importing, part, version);
}

static int compare_alias(const struct importing *importing, const struct bundle_alias *alias)
{
	CLEANUP(free_p) char *path = NULL;
	CLEANUP(free_p) char *routes = NULL;

	if (asprintf(&path, "aliases/%s/routes", alias->name) < 0)
		return complain_read(alias->name, ENOMEM);
	routes = text_read(importing->function, path);
	if (!routes)
		return errno == ENOENT ? 0 : complain_read(path, errno);
	return strcmp(routes, alias->routes) == 0
	               ? 0
	               : complain_other(importing, "routing of ", alias->name);
}

int importing_compare(struct importing *importing)
{
	const struct bundle_part *part;
	const struct bundle_alias *alias;
	int status =
	        compare_code(importing, &importing->bundle->function, importing->function, "code/");

	if (!status)
		status = compare_settings(
		        importing, &importing->bundle->function, importing->function);
	list_each(part, &importing->bundle->versions, link)
		if (!status)
			status = compare_version(importing, part);
	list_each(alias, &importing->bundle->aliases, link)
		if (!status)
			status = compare_alias(importing, alias);
	return status || importing->without_triggers ? status
	                                             : importing_compare_triggers(importing);
}

/* --- before anything is done ------------------------------------------------------------------ */

static int check_packages_of(const struct importing *importing, const struct bundle_part *part)
{
	const struct bundle_text *text;

	list_each(text, &part->texts, link)
		if (text->is_link && !settings_leads_within(text->text) &&
		        faccessat(importing->root, text->text, F_OK, 0) < 0)
			return complain(COMMAND_FAILED,
			        "%s%s needs %s, which is not here: nothing was changed",
			        part->name ? "version " : "the function",
			        part->name ? part->name : "", text->text);
	return 0;
}

int importing_check_packages(const struct importing *importing)
{
	const struct bundle_part *part;
	int status = check_packages_of(importing, &importing->bundle->function);

	list_each(part, &importing->bundle->versions, link)
		if (!status)
			status = check_packages_of(importing, part);
	return status;
}

static bool is_there(const struct importing *importing, const char *collection, const char *name)
{
	CLEANUP(free_p) char *path = NULL;

	return asprintf(&path, "%s/%s", collection, name) >= 0 &&
	       faccessat(importing->function, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool importing_is_complete(const struct importing *importing)
{
	const struct bundle_part *part;
	const struct bundle_alias *alias;

	list_each(part, &importing->bundle->versions, link)
		if (!is_there(importing, "versions", part->name))
			return false;
	list_each(alias, &importing->bundle->aliases, link)
		if (!is_there(importing, "aliases", alias->name))
			return false;
	list_each(part, &importing->bundle->triggers, link)
		if (!importing->without_triggers && !is_there(importing, "triggers", part->name))
			return false;
	return true;
}
