/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/views/packages.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "engine/packages.h"

static bool next(const struct subject *directory, uint64_t after, struct each_entry *entry)
{
	struct package *package = packages_next(engine_packages(directory->engine), after);

	if (!package)
		return false;
	entry->object = package->id;
	snprintf(entry->name, sizeof(entry->name), "%s", package->name);
	return true;
}

static int find(const struct subject *directory, const char *name, uint64_t *object)
{
	struct package *package = packages_find(engine_packages(directory->engine), name);

	if (!package)
		return -ENOENT;
	*object = package->id;
	return 0;
}

static int see(struct subject *subject, struct package *package)
{
	if (!package)
		return -ENOENT;
	subject->package = package;
	subject->uid = package->uid;
	subject->gid = package->gid;
	subject->time_us = package->created_us;
	return 0;
}

static int get(struct subject *subject)
{
	return see(subject, packages_get(engine_packages(subject->engine), subject->object));
}

static void name_of(const struct subject *subject, char name[EACH_NAME_SIZE])
{
	snprintf(name, EACH_NAME_SIZE, "%s", subject->package->name);
}

static int make(
        const struct subject *directory, const char *name, uint64_t *object, struct buf *why)
{
	struct package *package;
	int r = engine_create_package(directory->engine, name, &directory->caller, &package, why);

	if (r == 0)
		*object = package->id;
	return r;
}

static int remove_package(const struct subject *subject, struct buf *why)
{
	return engine_remove_package(subject->engine, subject->package, why);
}

static int busy(const struct subject *subject, struct buf *why)
{
	return package_check_unused(subject->package, NULL, why);
}

static int rename_package(const struct subject *subject, const char *name, struct buf *why)
{
	return package_rename(subject->package, name, why);
}

static int own(const struct subject *subject, uid_t uid, gid_t gid)
{
	return package_set_owner(subject->package, uid, gid);
}

const struct each packages_each = {
        .next = next,
        .find = find,
        .get = get,
        .name = name_of,
        .make = make,
        .remove = remove_package,
        .busy = busy,
        .rename = rename_package,
        .own = own,
};

/* --- versions/ --------------------------------------------------------------------------------- */

static bool version_next(const struct subject *directory, uint64_t after, struct each_entry *entry)
{
	struct package_version *version;

	list_each(version, &directory->package->versions, link) {
		if (version->id <= after)
			continue;
		entry->object = version->id;
		snprintf(entry->name, sizeof(entry->name), "%" PRIu64, version->number);
		return true;
	}
	return false;
}

static int version_find(const struct subject *directory, const char *name, uint64_t *object)
{
	struct package_version *version =
	        package_version_find(directory->package, package_number_parse(name));

	if (!version || version->unclaimed)
		return -ENOENT; /* made while nobody waited any more: mkdir again has it */
	*object = version->id;
	return 0;
}

static int version_get(struct subject *subject)
{
	struct package_version *version =
	        packages_version(engine_packages(subject->engine), subject->object);

	if (!version)
		return -ENOENT;
	see(subject, version->package);
	subject->package_version = version;
	subject->time_us = version->created_us;
	return 0;
}

static void version_name(const struct subject *subject, char name[EACH_NAME_SIZE])
{
	snprintf(name, EACH_NAME_SIZE, "%" PRIu64, subject->package_version->number);
}

static int publish(const struct subject *directory, const char *name,
        void (*done)(void *userdata, int status, uint64_t object, const char *why), void *userdata,
        void **out, struct buf *why)
{
	struct publish_wait *wait;
	int r = engine_publish_package(
	        directory->engine, directory->package, name, done, userdata, &wait, why);

	*out = wait;
	return r;
}

static void leave(void *wait)
{
	publish_wait_leave(wait);
}

static int withdraw(const struct subject *subject, struct buf *why)
{
	return package_withdraw(subject->package_version, why);
}

static int version_busy(const struct subject *subject, struct buf *why)
{
	return package_check_unused(subject->package, subject->package_version, why);
}

const struct each package_versions_each = {
        .next = version_next,
        .find = version_find,
        .get = version_get,
        .name = version_name,
        .make_later = publish,
        .leave = leave,
        .remove = withdraw,
        .busy = version_busy,
};

/* --- values and facts -------------------------------------------------------------------------- */

int package_show_source(const struct subject *subject, struct buf *out)
{
	package_source_show(subject->package->source, out);
	buf_puts(out, "\n");
	return 0;
}

int package_set_source_text(const struct subject *subject, const char *text, struct buf *why)
{
	return engine_fetch_package(subject->engine, subject->package, text, &subject->caller, why);
}

int package_show_status(const struct subject *subject, struct buf *out)
{
	engine_show_package_status(subject->engine, subject->package, out);
	return 0;
}

int package_show_used_by(const struct subject *subject, struct buf *out)
{
	package_used_by(subject->package, NULL, out);
	return 0;
}

int package_show_description(const struct subject *subject, struct buf *out)
{
	buf_printf(out, "%s\n", subject->package->description);
	return 0;
}

int package_set_description(const struct subject *subject, const char *text, struct buf *why)
{
	return package_describe(subject->package, text, why);
}
