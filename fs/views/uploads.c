/* SPDX-License-Identifier: Apache-2.0 */
/* Archives that are copied into dependencies/; what they are like as files is in behaviours/upload.c. */
#include <errno.h>
#include <stdio.h>

#include "engine/packages.h"
#include "engine/uploads.h"
#include "fs/access.h"
#include "fs/peer.h"
#include "fs/row_ids.h"
#include "fs/views/packages.h"

static bool next(const struct subject *directory, uint64_t after, struct each_entry *entry)
{
	struct upload *upload = upload_next(directory->engine, after);

	if (!upload)
		return false;
	entry->object = upload->id;
	snprintf(entry->name, sizeof(entry->name), "%s", upload->name);
	return true;
}

static int find(const struct subject *directory, const char *name, uint64_t *object)
{
	struct upload *upload = upload_find(directory->engine, name, false);

	if (!upload) {
		upload = upload_find(directory->engine, name, true);
		if (!upload || !peer_same_process(upload->keeper, directory->caller.pid))
			return -ENOENT;
	}
	*object = upload->id;
	return 0;
}

static int get(struct subject *subject)
{
	struct upload *upload = upload_get(subject->engine, subject->object);

	if (!upload)
		return -ENOENT;
	subject->item = upload;
	subject->uid = upload->uid;
	subject->gid = upload->gid;
	subject->time_us = upload->mtime_us;
	return 0;
}

static void name_of(const struct subject *subject, char name[EACH_NAME_SIZE])
{
	const struct upload *upload = subject->item;

	snprintf(name, EACH_NAME_SIZE, "%s", upload->name ? upload->name : "an archive");
}

/* To give a package its next version takes the right to write its `source`. */
static int check_package(const struct subject *subject, const char *file, struct buf *why)
{
	char name[PACKAGE_NAME_LONGEST + 1];
	struct package *package;
	int r = upload_check_name(file, why);

	if (r < 0 || *file == '.')
		return r;
	package_name_of_archive(file, name, NULL);
	package = packages_find(engine_packages(subject->engine), name);
	if (!package)
		return 0;
	r = access_row(subject,
	        &(struct access_place){.row = ROW_PACKAGE_SOURCE,
	                .object = package->id,
	                .mode = 0644,
	                .uid = package->uid,
	                .gid = package->gid},
	        ACCESS_WRITE);
	if (r < 0)
		buf_printf(why, "package %s is not yours: its `source` is not to be written",
		        package->name);
	return r;
}

static int make(
        const struct subject *directory, const char *name, uint64_t *object, struct buf *why)
{
	struct upload *upload;
	int r = check_package(directory, name, why);

	if (r == 0)
		r = upload_create(
		        directory->engine, name, directory->mode, &directory->caller, &upload, why);
	if (r == 0)
		*object = upload->id;
	return r;
}

static int remove_upload(const struct subject *subject, struct buf *why)
{
	upload_remove(subject->item);
	return 0;
}

static int rename_upload(const struct subject *subject, const char *name, struct buf *why)
{
	int r = check_package(subject, name, why);

	return r < 0 ? r : upload_rename(subject->item, name, &subject->caller, why);
}

const struct each uploads_each = {
        .next = next,
        .find = find,
        .get = get,
        .name = name_of,
        .make = make,
        .remove = remove_upload,
        .rename = rename_upload,
};
