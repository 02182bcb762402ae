/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/uploads.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "engine/engine_state.h"
#include "engine/package_fetch.h"
#include "engine/package_state.h"
#include "engine/packages.h"

#define PLACE    "uploads"
#define GRACE_US (5 * 1000 * 1000)

enum { PATH_SIZE = 64 };

/* Where its bytes lie, below the state directory. */
static void path_of(char path[PATH_SIZE], uint64_t package, uint64_t number)
{
	if (package)
		snprintf(path, PATH_SIZE, PLACE "/%" PRIu64, package);
	else
		snprintf(path, PATH_SIZE, PLACE "/new-%" PRIu64, number);
}

/* --- life ------------------------------------------------------------------------------------- */

static void unlink_new(struct upload *upload)
{
	char path[PATH_SIZE];

	if (upload->package)
		return; /* it is the package's */
	path_of(path, 0, upload->number);
	unlinkat(upload->engine->state_fd, path, 0);
}

static void upload_free(struct upload *upload)
{
	struct engine *engine = upload->engine;

	unlink_new(upload);
	alarm_clear(&engine->host.alarms, &upload->expiry);
	list_unlink(&upload->link);
	engine->uploads.count--;
	close_fd(upload->fd);
	free(upload->groups);
	free(upload->name);
	free(upload);
}

void uploads_free(struct engine *engine)
{
	struct upload *upload, *following;

	list_each_safe(upload, following, &engine->uploads.list, link)
		upload_free(upload);
}

static void expired(struct alarm *alarm)
{
	upload_free(container_of(alarm, struct upload, expiry));
}

static void expire(struct upload *upload, int64_t delay_us)
{
	alarm_set(&upload->engine->host.alarms, &upload->expiry, delay_us, expired);
}

int upload_check_name(const char *name, struct buf *why)
{
	char package[PACKAGE_NAME_LONGEST + 1];

	return *name == '.' ? 0 : package_name_of_archive(name, package, why);
}

/* A fresh, empty file for it, in the place of what it had. */
static int renew_file(struct upload *upload)
{
	struct engine *engine = upload->engine;
	uint64_t number = ++engine->uploads.last_number;
	char path[PATH_SIZE];
	int fd;

	path_of(path, 0, number);
	mkdirat(engine->state_fd, PLACE, 0700);
	fd = openat(engine->state_fd, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno == ENOSPC || errno == EDQUOT
		               ? -ENOSPC
		               : fail(-errno, "making %s/%s", engine->state_dir, path);
	close_fd(upload->fd);
	upload->fd = fd;
	upload->number = number;
	upload->package = 0;
	upload->bytes = 0;
	upload->written = false;
	return 0;
}

static struct upload *upload_new(struct engine *engine, const char *name)
{
	struct upload *upload = calloc(1, sizeof(*upload));

	if (!upload)
		return NULL;
	upload->engine = engine;
	upload->fd = -1;
	upload->name = strdup(name);
	upload->id = ++engine->uploads.last;
	upload->mtime_us = clock_wall_us(engine->clock);
	list_append(&engine->uploads.list, &upload->link);
	engine->uploads.count++;
	if (upload->name && renew_file(upload) == 0)
		return upload;
	upload_free(upload);
	return NULL;
}

/* Whoever copied the one before finds this one from now on. */
static void forget_kept(struct engine *engine, const char *name)
{
	struct upload *upload;

	while ((upload = upload_find(engine, name, true)))
		upload_remove(upload);
}

int upload_create(struct engine *engine, const char *name, mode_t mode, const struct caller *caller,
        struct upload **out, struct buf *why)
{
	struct upload *upload;
	int r = upload_check_name(name, why);

	if (r < 0)
		return r;
	if (engine->draining || engine->uploads.count >= UPLOADS_MOST) {
		buf_puts(why, "too many archives are copied at once");
		return -ENOSPC;
	}
	forget_kept(engine, name);
	upload = upload_new(engine, name);
	if (!upload)
		return -EIO;
	upload->mode = mode & 07777;
	upload->uid = caller->uid;
	upload->gid = caller->gid;
	expire(upload, GRACE_US);
	*out = upload;
	return 0;
}

struct upload *upload_get(struct engine *engine, uint64_t id)
{
	struct upload *upload;

	list_each(upload, &engine->uploads.list, link)
		if (upload->id == id)
			return upload;
	return NULL;
}

/* Nothing is written to it any more. */
static bool is_kept(const struct upload *upload)
{
	return upload->package && !upload->writers;
}

struct upload *upload_find(struct engine *engine, const char *name, bool kept)
{
	struct upload *upload;

	list_each(upload, &engine->uploads.list, link)
		if (upload->name && is_kept(upload) == kept && strcmp(upload->name, name) == 0)
			return upload;
	return NULL;
}

struct upload *upload_next(struct engine *engine, uint64_t after_id)
{
	struct upload *upload;

	list_each(upload, &engine->uploads.list, link)
		if (upload->id > after_id && upload->name && !is_kept(upload))
			return upload;
	return NULL;
}

void upload_remove(struct upload *upload)
{
	free(take(upload->name));
	unlink_new(upload);
	if (!upload->opens)
		upload_free(upload);
}

/* --- from bytes to a package ------------------------------------------------------------------ */

static int find_package(
        struct upload *upload, const struct caller *caller, struct package **out, struct buf *why)
{
	char name[PACKAGE_NAME_LONGEST + 1];
	int r = package_name_of_archive(upload->name, name, why);

	if (r < 0)
		return r;
	*out = packages_find(upload->engine->packages, name);
	return *out ? 0 : engine_create_package(upload->engine, name, caller, out, why);
}

/* Another one that waited for the same package gives way, and is not unpacked any more. */
static int move_file(struct upload *upload, const struct package *package)
{
	struct engine *engine = upload->engine;
	char from[PATH_SIZE], to[PATH_SIZE];

	if (upload->package == package->id)
		return 0;
	path_of(from, upload->package, upload->number);
	path_of(to, package->id, 0);
	/* The next daemon knows by it for whom it unpacks; only root's can act for others. */
	if (fchown(upload->fd, upload->uid, upload->gid) < 0 && errno != EPERM)
		return fail(-errno, "giving an archive to its owner");
	if (renameat(engine->state_fd, from, engine->state_fd, to) < 0)
		return fail(-errno, "keeping %s/%s", engine->state_dir, from);
	return 0;
}

static void unpack(struct upload *upload)
{
	struct engine *engine = upload->engine;
	struct package *package = packages_get(engine->packages, upload->package);
	struct package_state *state = package ? engine_package_state(engine, package) : NULL;
	struct package_fetch_order order = {.source = upload->name ? upload->name : "an archive",
	        .caller = {upload->uid, upload->gid, 0},
	        .groups = take(upload->groups),
	        .group_count = upload->group_count};
	char path[PATH_SIZE];

	path_of(path, upload->package, 0);
	order.archive = openat(engine->state_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (state && order.archive >= 0 && !engine->draining) {
		package_fetch_begin(state, &order, NULL);
		return;
	}
	close_fd(order.archive);
	free(order.groups);
}

int upload_keep(struct upload *upload, const struct caller *caller, struct buf *why)
{
	struct package *package;
	gid_t *groups;
	size_t count;
	int r;

	if (!upload->name || *upload->name == '.' || !upload->written)
		return 0;
	if (upload->engine->draining) {
		buf_puts(why, "the daemon is about to end and takes nothing any more");
		return -EAGAIN;
	}
	upload->uid = caller->uid;
	upload->gid = caller->gid;
	r = find_package(upload, caller, &package, why);
	if (r == 0)
		r = move_file(upload, package);
	if (r == 0)
		r = caller_groups(caller, &groups, &count);
	if (r < 0)
		return r;
	free(upload->groups);
	upload->groups = groups;
	upload->group_count = count;
	upload->keeper = caller->pid;
	upload->package = package->id;
	upload->written = false;
	return 0;
}

int upload_rename(
        struct upload *upload, const char *name, const struct caller *caller, struct buf *why)
{
	CLEANUP(free_p) char *copy = strdup(name), *before = NULL;
	int r = copy ? upload_check_name(name, why) : -ENOMEM;

	if (r < 0)
		return r;
	if (upload->package) {
		buf_puts(why, "it is unpacked already");
		return -EBUSY;
	}
	forget_kept(upload->engine, name);
	before = upload->name;
	upload->name = take(copy);
	if (!upload->writers)
		r = upload_keep(upload, caller, why);
	if (r < 0) {
		copy = upload->name;
		upload->name = take(before);
		return r;
	}
	if (!upload->writers && upload->package) {
		unpack(upload);
		expire(upload, GRACE_US);
	}
	return 0;
}

/* --- as a file -------------------------------------------------------------------------------- */

int upload_open(struct upload *upload, bool write, bool truncate, struct buf *why)
{
	int r = 0;

	if (write && is_kept(upload) && !truncate) {
		buf_puts(why, "it is unpacked already: copy it anew");
		return -EBUSY;
	}
	if (write && truncate)
		r = upload->package ? renew_file(upload) : upload_resize(upload, 0);
	if (r < 0)
		return r;
	alarm_clear(&upload->engine->host.alarms, &upload->expiry);
	upload->opens++;
	upload->writers += write;
	return 0;
}

void upload_close(struct upload *upload, bool write, const struct caller *opener)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;

	upload->opens--;
	upload->writers -= write;
	if (write && !upload->writers) {
		/* Nobody waits for a close that was not the opener's. */
		upload_keep(upload, opener, &why);
		if (upload->package)
			unpack(upload);
	}
	if (!upload->opens && !upload->name)
		upload_free(upload);
	else if (!upload->opens)
		expire(upload, GRACE_US);
}

int upload_resize(struct upload *upload, off_t size)
{
	if (size < 0 || size > UPLOAD_BYTES_MOST)
		return -EFBIG;
	if (ftruncate(upload->fd, size) < 0)
		return -errno;
	upload->bytes = size;
	upload->mtime_us = clock_wall_us(upload->engine->clock);
	return 0;
}

int upload_write(struct upload *upload, const void *data, size_t size, off_t offset)
{
	const char *from = data;
	ssize_t n;

	if (offset < 0 || offset > UPLOAD_BYTES_MOST - (off_t)size)
		return -EFBIG;
	upload->written = true;
	upload->mtime_us = clock_wall_us(upload->engine->clock);
	for (; size; size -= (size_t)n, offset += n, from += n) {
		n = pwrite(upload->fd, from, size, offset);
		if (n < 0)
			return -errno;
		if (offset + n > upload->bytes)
			upload->bytes = offset + n;
	}
	return 0;
}

/* --- after a restart -------------------------------------------------------------------------- */

void uploads_forget(struct engine *engine, uint64_t package, int file)
{
	struct stat kept, this;
	char path[PATH_SIZE];

	path_of(path, package, 0);
	if (file >= 0 && (fstat(file, &this) < 0 ||
	                         fstatat(engine->state_fd, path, &kept, AT_SYMLINK_NOFOLLOW) < 0 ||
	                         kept.st_ino != this.st_ino))
		return;
	unlinkat(engine->state_fd, path, 0);
}

static void resume(struct engine *engine, const char *name)
{
	uint64_t id = strtoull(name, NULL, 10);
	struct package *package = packages_get(engine->packages, id);
	struct package_state *state = package ? engine_package_state(engine, package) : NULL;
	struct package_fetch_order order = {.source = package ? package->name : "", .again = true};
	char path[PATH_SIZE];
	struct stat st;

	snprintf(path, sizeof(path), PLACE "/%.40s", name);
	order.archive = openat(engine->state_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (state && order.archive >= 0 && fstat(order.archive, &st) == 0) {
		order.caller = (struct caller){.uid = st.st_uid, .gid = st.st_gid};
		package_fetch_begin(state, &order, NULL);
		return;
	}
	close_fd(order.archive);
	unlinkat(engine->state_fd, path, 0);
}

void uploads_resume(struct engine *engine)
{
	int fd = openat(engine->state_fd, PLACE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		if (*entry->d_name != '.')
			resume(engine, entry->d_name);
	if (directory)
		closedir(directory);
}
