/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mkdir waits in the kernel, so a thread of its own makes it, and this one looks at `status`
 * meanwhile. Ctrl-C ends both; what was begun goes on, and the same command again has what came of
 * it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/quantity.h"
#include "command.h"
#include "publishing.h"
#include "text.h"

#define LOOK_AGAIN_NS (100 * 1000 * 1000)
#define LOOKS_UNSEEN  3 /* what is done by then is not worth a bar */
#define BAR_WIDTH     30
#define NUMBER_DIGITS 18

struct publishing {
	int function;
	char *path; /* versions/VERSION */
	int error;
	bool done;
	pthread_mutex_t lock; /* of done */
	pthread_cond_t ended;
};

static struct timespec in_a_moment(void)
{
	struct timespec moment;

	clock_gettime(CLOCK_MONOTONIC, &moment);
	moment.tv_nsec += LOOK_AGAIN_NS;
	moment.tv_sec += moment.tv_nsec / 1000000000;
	moment.tv_nsec %= 1000000000;
	return moment;
}

/* EAGAIN: it is not on the disk yet, and goes on. */
static int make_directory(const struct publishing *publishing)
{
	const struct timespec pause = {.tv_nsec = LOOK_AGAIN_NS};

	while (mkdirat(publishing->function, publishing->path, 0777) < 0) {
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		nanosleep(&pause, NULL);
	}
	return 0;
}

static void *make(void *userdata)
{
	struct publishing *publishing = userdata;
	int error = make_directory(publishing);

	pthread_mutex_lock(&publishing->lock);
	publishing->error = error;
	publishing->done = true;
	pthread_cond_signal(&publishing->ended);
	pthread_mutex_unlock(&publishing->lock);
	return NULL;
}

/* --- the bar ---------------------------------------------------------------------------------- */

static void draw(const char *version, const char *progress)
{
	static const char whole[] = "##############################";
	CLEANUP(buf_deinit) struct buf line = BUF_INIT;
	uint64_t files, files_all, bytes, bytes_all;
	int filled;

	_Static_assert(sizeof(whole) == BAR_WIDTH + 1, "the bar has its width");
	if (sscanf(progress, "%" SCNu64 " of %" SCNu64 " files, %" SCNu64 " of %" SCNu64 " bytes",
	            &files, &files_all, &bytes, &bytes_all) != 4)
		return;
	buf_printf(&line, "\r%s ", version);
	if (bytes_all >= bytes && bytes_all) {
		filled = (int)((double)bytes / (double)bytes_all * BAR_WIDTH);
		buf_printf(&line, "[%-*.*s] %" PRIu64 " of %" PRIu64 " files, %.1f of %.1f MiB",
		        BAR_WIDTH, filled, whole, files, files_all, (double)bytes / (1 << 20),
		        (double)bytes_all / (1 << 20));
	} else { /* how much there is to do is not known yet */
		buf_printf(&line, "%" PRIu64 " files, %.1f MiB", files, (double)bytes / (1 << 20));
	}
	buf_puts(&line, "\033[K");
	if (!line.failed)
		fputs(line.data, stderr);
}

static void show(const struct publishing *publishing, const char *version)
{
	CLEANUP(free_p) char *status = text_read(publishing->function, "status");
	CLEANUP(free_p) char *key = NULL;
	CLEANUP(free_p) char *progress = NULL;

	if (status && asprintf(&key, "publishing %s:", version) > 0)
		progress = text_value(status, key);
	if (progress)
		draw(version, progress);
}

static void watch(struct publishing *publishing, const char *version)
{
	bool bar = isatty(STDERR_FILENO);
	struct timespec moment;
	int looks = 0;

	pthread_mutex_lock(&publishing->lock);
	while (!publishing->done) {
		moment = in_a_moment();
		pthread_cond_timedwait(&publishing->ended, &publishing->lock, &moment);
		if (!bar || publishing->done || ++looks <= LOOKS_UNSEEN)
			continue;
		pthread_mutex_unlock(&publishing->lock);
		show(publishing, version);
		pthread_mutex_lock(&publishing->lock);
	}
	pthread_mutex_unlock(&publishing->lock);
	if (bar && looks > LOOKS_UNSEEN)
		fputs("\r\033[K", stderr);
}

/* --- publishing ------------------------------------------------------------------------------- */

static void init(struct publishing *publishing)
{
	pthread_condattr_t monotonic;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&publishing->ended, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_mutex_init(&publishing->lock, NULL);
}

static bool one_component(const char *version)
{
	return *version && !strchr(version, '/') && strcmp(version, ".") != 0 &&
	       strcmp(version, "..") != 0;
}

int publishing_run(const struct target *target, const char *version)
{
	struct publishing publishing = {.function = target->function};
	CLEANUP(free_p) char *path = NULL;
	pthread_t maker;
	int error;

	if (!one_component(version))
		return -EINVAL;
	if (asprintf(&path, "versions/%s", version) < 0)
		return -ENOMEM;
	publishing.path = path;
	init(&publishing);
	error = -pthread_create(&maker, NULL, make, &publishing);
	if (!error) {
		watch(&publishing, version);
		pthread_join(maker, NULL);
		error = publishing.error;
	}
	pthread_cond_destroy(&publishing.ended);
	pthread_mutex_destroy(&publishing.lock);
	return error;
}

int publishing_complain(const struct target *target, const char *version, int error)
{
	if (error == -EEXIST)
		return complain(COMMAND_FAILED,
		        "%s has a version %s already, and what was published does not change: "
		        "take another name",
		        target->name, version);
	if (error == -EINVAL && !one_component(version))
		return complain(COMMAND_FAILED, "`%s` is no name for a version", version);
	return target_complain(target, error == -EINVAL ? COMMAND_FAILED : COMMAND_UNABLE, -error);
}

bool publishing_is_there(const struct target *target, const char *version)
{
	CLEANUP(free_p) char *path = NULL;

	if (!one_component(version) || asprintf(&path, "versions/%s", version) < 0)
		return false;
	return faccessat(target->function, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* -1: no number. */
static int64_t number_of(const char *name)
{
	int64_t number;

	if (strlen(name) > NUMBER_DIGITS || name[strspn(name, "0123456789")] ||
	        quantity_parse_count(name, &number) < 0)
		return -1;
	return number;
}

char *publishing_next(const struct target *target)
{
	int fd = openat(target->function, "versions", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *versions = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	int64_t highest = 0;
	char *next;

	if (!versions) {
		close_fd(fd);
		return NULL;
	}
	while ((entry = readdir(versions)) != NULL)
		if (number_of(entry->d_name) > highest)
			highest = number_of(entry->d_name);
	closedir(versions);
	return asprintf(&next, "%" PRId64, highest + 1) < 0 ? NULL : next;
}
