/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/callbacks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/uuid.h"
#include "engine/engine_state.h"
#include "model/function.h"
#include "run/launcher.h"

#define PLACE        "callbacks"
#define SECOND_US    INT64_C(1000000)
#define MEMORY_BYTES (INT64_C(256) << 20)

enum { URL_LONGEST = 2048, RUNNING_MOST = 8, TRIES_MOST = 6, PROCESSES_MAX = 8 };

struct callback {
	struct list link;
	struct engine *engine;
	char name[UUID_TEXT_SIZE];
	char url[URL_LONGEST + 1];
	struct queue_target target;
	struct queue_watch watch;
	struct alarm alarm;
	struct process *process;
	bool watched, reading;
	unsigned tries;
};

static void look(struct alarm *alarm);

static void path_of(const char *name, char path[64])
{
	snprintf(path, 64, PLACE "/%.40s", name);
}

/* `public`: where everybody can reach it; `any`; `none`. */
static const char *policy(void)
{
	const char *said = getenv("FNFS_CALLBACKS");

	return said && *said ? said : "public";
}

static void later(struct callback *callback, int64_t us)
{
	alarm_set(&callback->engine->host.alarms, &callback->alarm, us, look);
}

static void callback_free(struct callback *callback)
{
	if (callback->watched)
		queue_unwatch(&callback->watch);
	alarm_clear(&callback->engine->host.alarms, &callback->alarm);
	list_unlink(&callback->link);
	free(callback);
}

static void finish(struct callback *callback)
{
	callback_forget(callback->engine, callback->name);
	callback_free(callback);
}

/* --- posting ---------------------------------------------------------------------------------- */

static void posted(void *userdata, const struct process_end *end)
{
	struct callback *callback = userdata;
	struct engine *engine = callback->engine;

	callback->process = NULL;
	engine->callbacks.running--;
	if (engine->callbacks.stopping) {
		callback_free(callback);
		engine_settle(engine);
	} else if (end->exit_status == 0) {
		finish(callback);
	} else if (++callback->tries < TRIES_MOST) {
		later(callback, SECOND_US << 2 * (callback->tries - 1));
	} else {
		log_line(LOG_WARNING, "the result of call %s could not be posted to %s",
		        callback->name, callback->url);
		finish(callback);
	}
}

static int write_job(const struct callback *callback, const struct queue_info *info,
        const char *body, size_t length)
{
	const struct function *function =
	        functions_get(callback->engine->functions, callback->target.function);
	CLEANUP(close_p) int fd = memfd_create("callback", MFD_CLOEXEC);

	if (fd < 0 || dprintf(fd,
	                      "url %s\nheader X-Call-Id: %s\nheader X-Duration-Seconds: %.6f\n"
	                      "header X-Function-Status: %d\nheader X-Function-Name: %s\n\n",
	                      callback->url, info->request_id,
	                      (double)(info->ended_us - info->accepted_us) / 1e6,
	                      info->place == QUEUE_RESULT ? 200 : 500,
	                      function ? function->name : "") < 0)
		return -EIO;
	while (length) {
		ssize_t n = write(fd, body, length);

		if (n < 0)
			return -errno;
		body += n;
		length -= (size_t)n;
	}
	return lseek(fd, 0, SEEK_SET) < 0 ? -errno : take_fd(fd);
}

static int run(struct callback *callback, int job)
{
	const char *const argv[] = {callback->engine->fetch_path, "--call-back", policy(), NULL};
	const struct errand errand = {
	        .name = "callback",
	        .argv = argv,
	        .memory_bytes = MEMORY_BYTES,
	        .max_processes = PROCESSES_MAX,
	        .input = job,
	};

	return launcher_run_alone(
	        callback->engine->launcher, &errand, posted, callback, &callback->process);
}

static void got_answer(void *userdata, int status, const char *data, size_t length)
{
	struct callback *callback = userdata;
	struct engine *engine = callback->engine;
	CLEANUP(close_p) int job = -1;
	struct queue_info info;

	engine->callbacks.reading--;
	callback->reading = false;
	if (engine->callbacks.stopping) {
		callback_free(callback);
		engine_settle(engine);
		return;
	}
	/* What has no answer is told so; what cannot be read now is not said to be empty. */
	if ((status == 0 || status == -ENOENT) &&
	        queue_find(engine->queue, &callback->target, callback->name, &info) == 0)
		job = write_job(callback, &info, data, status < 0 ? 0 : length);
	if (job >= 0 && run(callback, job) == 0)
		engine->callbacks.running++;
	else
		later(callback, SECOND_US);
}

/* --- waiting ---------------------------------------------------------------------------------- */

static void ended(struct queue_watch *watch, enum queue_place place)
{
	struct callback *callback = container_of(watch, struct callback, watch);

	callback->watched = false;
	later(callback, 0);
}

static void post(struct callback *callback, uint64_t entry)
{
	struct engine *engine = callback->engine;

	if (engine->callbacks.running + engine->callbacks.reading >= RUNNING_MOST) {
		later(callback, SECOND_US / 10);
		return;
	}
	engine->callbacks.reading++;
	callback->reading = true;
	if (queue_read(engine->queue, entry, QUEUE_ANSWER, got_answer, callback) == 0)
		return;
	engine->callbacks.reading--;
	callback->reading = false;
	later(callback, SECOND_US);
}

/* Where its call is now says what is to be done. */
static void look(struct alarm *alarm)
{
	struct callback *callback = container_of(alarm, struct callback, alarm);
	struct queue *queue = callback->engine->queue;
	struct queue_info info;

	if (queue_find(queue, &callback->target, callback->name, &info) < 0 ||
	        info.place == QUEUE_GONE) {
		finish(callback); /* cancelled, or never accepted */
	} else if (info.place == QUEUE_RESULT || info.place == QUEUE_FAILED) {
		post(callback, info.entry);
	} else {
		callback->watch.ended = ended;
		callback->watched = queue_watch(queue, info.entry, &callback->watch) == 0;
		if (!callback->watched)
			later(callback, SECOND_US / 10);
	}
}

/* --- what is on disk -------------------------------------------------------------------------- */

static bool is_url(const char *url)
{
	return (strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0) &&
	       strlen(url) <= URL_LONGEST && !url[strcspn(url, " \t\r\n\"<>\\^`{|}")];
}

int callback_note(struct engine *engine, const char *name, const struct queue_target *target,
        const char *url, struct buf *why)
{
	CLEANUP(close_p) int fd = -1;
	char path[64];

	if (strcmp(policy(), "none") == 0 || !engine->fetch_path) {
		buf_puts(why, "nothing is called back from here");
		return -EACCES;
	}
	if (!is_url(url)) {
		buf_puts(why, "X-Callback-Url is an http or https URL");
		return -EINVAL;
	}
	path_of(name, path);
	mkdirat(engine->state_fd, PLACE, 0700);
	fd = openat(engine->state_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || dprintf(fd, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %s\n", target->function,
	                      target->version, target->alias, url) < 0)
		return fail(-EIO, "noting a call-back in %s", path);
	return 0;
}

void callback_forget(struct engine *engine, const char *name)
{
	char path[64];

	path_of(name, path);
	unlinkat(engine->state_fd, path, 0);
}

static int load(struct callback *callback)
{
	char path[64], text[URL_LONGEST + 80];
	CLEANUP(close_p) int fd = -1;
	ssize_t n;

	path_of(callback->name, path);
	fd = openat(callback->engine->state_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return -EIO;
	text[n] = 0;
	return sscanf(text, "%" SCNu64 " %" SCNu64 " %" SCNu64 " %2048[^\n]",
	               &callback->target.function, &callback->target.version,
	               &callback->target.alias, callback->url) == 4
	               ? 0
	               : -EIO;
}

void callback_begin(struct engine *engine, const char *name)
{
	struct callback *callback = NULL;

	if (engine->callbacks.stopping)
		return; /* the next daemon does */
	callback = calloc(1, sizeof(*callback));
	if (!callback) {
		fail(-ENOMEM, "calling back");
		return;
	}
	callback->engine = engine;
	snprintf(callback->name, sizeof(callback->name), "%s", name);
	list_append(&engine->callbacks.all, &callback->link);
	if (load(callback) < 0)
		finish(callback);
	else
		later(callback, 0);
}

/* --- life ------------------------------------------------------------------------------------- */

void callbacks_init(struct engine *engine)
{
	list_init(&engine->callbacks.all);
}

void callbacks_resume(struct engine *engine)
{
	int fd = openat(engine->state_fd, PLACE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		if (*entry->d_name != '.')
			callback_begin(engine, entry->d_name);
	if (directory)
		closedir(directory);
}

void callbacks_stop(struct engine *engine)
{
	struct callback *callback, *following;

	engine->callbacks.stopping = true;
	list_each_safe(callback, following, &engine->callbacks.all, link) {
		if (callback->process)
			process_kill(callback->process);
		else if (!callback->reading)
			callback_free(callback);
	}
}

bool callbacks_idle(const struct engine *engine)
{
	return !engine->callbacks.running && !engine->callbacks.reading;
}
