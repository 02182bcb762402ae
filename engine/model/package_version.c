/* SPDX-License-Identifier: Apache-2.0 */
/* Versions of packages, and who is in their way when they are to go. */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fail.h"
#include "model/function.h"
#include "model/functions_private.h"
#include "model/packages_private.h"
#include "model/version.h"
#include "model/why.h"

static struct package_version *version_free(struct package_version *version)
{
	if (!version)
		return NULL;
	list_unlink(&version->link);
	free(version->source);
	free(version);
	return NULL;
}

static void version_free_p(struct package_version **version)
{
	version_free(*version);
}

static struct package_version *version_new(
        struct package *package, const struct store_package_version_row *row)
{
	CLEANUP(version_free_p) struct package_version *version = calloc(1, sizeof(*version));

	if (!version)
		return NULL;
	list_init(&version->link);
	version->package = package;
	version->number = row->number;
	version->snapshot = row->snapshot;
	version->created_us = row->created_us;
	strncpy(version->sha256, row->sha256, sizeof(version->sha256) - 1);
	version->source = strdup(row->source);
	return version->source ? take(version) : NULL;
}

/* There is room in the map. */
static void add(struct package_version *version, uint64_t id)
{
	version->id = id;
	list_append(&version->package->versions, &version->link);
	if (map_put(&version->package->packages->versions, id, version) < 0)
		assert(!"there is room");
}

static int load_version(void *userdata, const struct store_package_version_row *row)
{
	struct packages *packages = userdata;
	struct package *package = packages_get(packages, row->package);
	struct package_version *version;

	assert(package); /* a foreign key */
	version = version_new(package, row);
	if (!version || map_reserve(&packages->versions) < 0) {
		version_free(version);
		return fail(-ENOMEM, "loading versions of packages");
	}
	add(version, row->id);
	return 0;
}

int package_versions_load(struct packages *packages)
{
	return store_each_package_version(packages->store, load_version, packages);
}

void package_versions_free(struct package *package)
{
	struct package_version *version, *following;

	list_each_safe(version, following, &package->versions, link) {
		map_remove(&package->packages->versions, version->id);
		version_free(version);
	}
}

struct package_version *packages_version(const struct packages *packages, uint64_t id)
{
	return map_get(&packages->versions, id);
}

uint64_t package_number_parse(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	return *text == '0' || text[digits] || digits > 18 ? 0 : strtoull(text, NULL, 10);
}

struct package_version *package_version_find(const struct package *package, uint64_t number)
{
	struct package_version *version;

	list_each(version, &package->versions, link) {
		if (version->number == number)
			return version;
	}
	return NULL;
}

struct package_version *package_latest(const struct package *package)
{
	return list_last(&package->versions, struct package_version, link);
}

void package_latest_changed(struct package *package)
{
	struct dependency *user, *following;
	struct function *function;

	/* Whoever is told may bind and unbind, but only others. */
	list_each_safe(user, following, &package->users, user_link) {
		function = functions_get(package->packages->functions, user->owner);
		if (function && !user->version)
			settings_changed(&function->settings, -1);
	}
}

int package_publish(struct package *package, const struct store_snapshot *snapshot,
        const char *source, const char *sha256, struct package_version **out, struct buf *why)
{
	struct packages *packages = package->packages;
	const struct store_package_version_row row = {.number = package->next,
	        .snapshot = *snapshot,
	        .source = source,
	        .sha256 = sha256,
	        .created_us = clock_wall_us(&clock_system)};
	CLEANUP(version_free_p) struct package_version *version = version_new(package, &row);
	struct command command = {COMMAND_PACKAGE_PUBLISH, .object = package->id, .value = source,
	        .name = sha256, .snapshot = *snapshot, .time_us = row.created_us, .durable = true};
	struct command_result made;
	int r;

	if (!version || map_reserve(&packages->versions) < 0)
		return why_store(why, fail(-ENOMEM, "publishing package %s", package->name));
	r = store_apply(packages->store, &command, &made);
	if (r < 0)
		return why_store(why, r);
	package->next++;
	add(version, made.child);
	if (out)
		*out = version;
	if (packages->events.published)
		packages->events.published(packages->userdata, version);
	take(version);
	package_latest_changed(package);
	return 0;
}

/* Whether it is what this user gets now. */
static bool is_used_by(const struct package_version *version, const struct dependency *user)
{
	return user->version ? user->version == version
	                     : package_latest(version->package) == version;
}

static void name_owner(const struct dependency *user, struct buf *out)
{
	const struct packages *packages = user->package->packages;
	const struct function *function = functions_get(packages->functions, user->owner);
	const struct version *version = versions_get(packages->functions, user->owner);

	if (function)
		buf_printf(out, "functions/%s", function->name);
	else if (version)
		buf_printf(out, "functions/%s/versions/%s", version->function->name, version->name);
	else
		buf_puts(out, "a version that is being published");
}

int package_refuse_busy(
        const struct package *package, const struct package_version *version, struct buf *why)
{
	const struct dependency *user;

	list_each(user, &package->users, user_link) {
		if (version && !is_used_by(version, user))
			continue;
		why_say(why, "it is used by ");
		if (why)
			name_owner(user, why);
		break;
	}
	return -EBUSY;
}

void package_used_by(
        const struct package *package, const struct package_version *version, struct buf *out)
{
	const struct dependency *user;

	list_each(user, &package->users, user_link) {
		if (version && !is_used_by(version, user))
			continue;
		name_owner(user, out);
		buf_puts(out, "\n");
	}
}

/* Those of the latest can go on with the one before it. */
static bool is_needed(const struct package_version *version)
{
	const struct package *package = version->package;
	bool only = package->versions.next == package->versions.previous;
	const struct dependency *user;

	list_each(user, &package->users, user_link) {
		if (user->version == version || (!user->version && only))
			return true;
	}
	return false;
}

int package_check_unused(
        const struct package *package, const struct package_version *version, struct buf *why)
{
	bool used = version ? is_needed(version) : !list_empty(&package->users);

	return used ? package_refuse_busy(package, version, why) : 0;
}

int package_withdraw(struct package_version *version, struct buf *why)
{
	struct package *package = version->package;
	struct packages *packages = package->packages;
	bool latest = package_latest(package) == version;
	int r = package_check_unused(package, version, why);

	if (r < 0)
		return r;
	r = store_apply(packages->store,
	        &(struct command){COMMAND_PACKAGE_WITHDRAW, .object = version->id}, NULL);
	if (r < 0)
		return why_store(why, r);
	map_remove(&packages->versions, version->id);
	list_unlink(&version->link);
	if (packages->events.withdrawn)
		packages->events.withdrawn(packages->userdata, version);
	version_free(version);
	if (latest)
		package_latest_changed(package);
	return 0;
}
