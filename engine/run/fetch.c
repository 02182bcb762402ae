/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What it is to get is told in a file in memory, for everybody may read a command line. Of our environment it
 * gets how to reach the network; the keys of a store only when it acts for ourselves, or everybody
 * could fetch with them what only we may.
 */
#include "run/fetch.h"

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
#include "run/fetch_answer.h"
#include "run/launcher.h"
#include "run/watch.h"

enum {
	ARGUMENTS_MAX = 16,
	VARIABLES_MAX = 32,
	PROCESSES_MAX = 16,
	PULL_PROCESSES_MAX = 256, /* skopeo has as many threads as it likes */
	READ_SIZE = 4096,
	PIPE_READS = 16
};
#define MEMORY_BYTES (INT64_C(1) << 30)

struct fetch {
	struct process *process;
	struct fetch_events events;
	void *userdata;
	struct fetch_answer answer;
	int output;
	struct watch *watch;
	bool cancelled;
};

/* The words fnfs-fetch is started with, and where numbers among them are written. */
struct words {
	const char *arguments[ARGUMENTS_MAX];
	size_t count;
	char numbers[ARGUMENTS_MAX][24];
	char *environment[VARIABLES_MAX + 1];
};

static const char *const network_variables[] = {"http_proxy", "https_proxy", "HTTPS_PROXY",
        "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR",
        "FNFS_SKOPEO", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_REGION",
        "AWS_DEFAULT_REGION"};
static const char *const secret_variables[] = {
        "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"};

static void add_bound(struct words *words, const char *option, int64_t value)
{
	char *text = words->numbers[words->count];

	if (!value)
		return;
	snprintf(text, sizeof(words->numbers[0]), "%" PRId64, value);
	words->arguments[words->count++] = option;
	words->arguments[words->count++] = text;
}

static int add_variables(struct words *words, const char *const *names, size_t count)
{
	size_t at = 0;

	while (words->environment[at])
		at++;
	for (size_t i = 0; i < count; i++) {
		const char *value = getenv(names[i]);

		if (value && asprintf(&words->environment[at++], "%s=%s", names[i], value) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int words_init(struct words *words, const struct fetch_spec *spec)
{
	int error;

	memset(words, 0, sizeof(*words));
	words->arguments[words->count++] = spec->program;
	if (spec->kind == FETCH_PULL)
		words->arguments[words->count++] = "--pull"; /* the first: fetch/main.c */
	else if (!spec->location)
		words->arguments[words->count++] =
		        spec->kind == FETCH_IMAGE ? "--image" : "--archive";
	add_bound(words, "--archive-bytes", spec->archive_bytes);
	add_bound(words, "--bytes", spec->bytes);
	add_bound(words, "--files", spec->files);
	add_bound(words, "--stall", spec->stall_s);
	error = add_variables(words, network_variables, ARRAY_SIZE(network_variables));
	if (!error && spec->uid == geteuid())
		error = add_variables(words, secret_variables, ARRAY_SIZE(secret_variables));
	return error;
}

static void words_deinit(struct words *words)
{
	for (size_t i = 0; words->environment[i]; i++)
		free(words->environment[i]);
}

static int write_job(const struct fetch_spec *spec)
{
	CLEANUP(close_p) int fd = memfd_create("job", MFD_CLOEXEC);

	if (fd < 0 || dprintf(fd, "source %s\n", spec->location) < 0 ||
	        (spec->sha256 && dprintf(fd, "sha256 %s\n", spec->sha256) < 0) ||
	        lseek(fd, 0, SEEK_SET) < 0)
		return -ENOMEM;
	return take_fd(fd);
}

/* Only root can, and only for others has to. */
static int give_directory(const struct fetch_spec *spec)
{
	if (geteuid() == 0 && fchown(spec->directory, spec->uid, spec->gid) < 0)
		return fail(-errno, "giving a directory to user %u", (unsigned)spec->uid);
	return 0;
}

static void fetch_free(struct fetch *fetch)
{
	watch_free(fetch->watch);
	close_fd(fetch->output);
	fetch_answer_deinit(&fetch->answer);
	free(fetch);
}

static void fetch_free_p(struct fetch **fetch)
{
	if (*fetch)
		fetch_free(*fetch);
}

/* Reads what is there, as much as a pipe holds; false at its end. */
static bool take_output(struct fetch *fetch)
{
	char data[READ_SIZE];
	ssize_t n = 1;
	bool news = false;

	for (int turn = 0; turn < PIPE_READS && (n = read(fetch->output, data, sizeof(data))) > 0;
	        turn++)
		news |= fetch_answer_take(&fetch->answer, data, (size_t)n);
	if (news && !fetch->cancelled && fetch->events.progress)
		fetch->events.progress(fetch->userdata, &fetch->answer.progress);
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static void output_ready(void *userdata, int events)
{
	struct fetch *fetch = userdata;

	if (!take_output(fetch))
		watch_events(fetch->watch, 0);
}

__attribute__((format(printf, 3, 4))) static void say(
        struct fetch_end *end, int error, const char *format, ...)
{
	va_list arguments;

	end->error = error;
	va_start(arguments, format);
	vsnprintf(end->sentence, sizeof(end->sentence), format, arguments);
	va_end(arguments);
}

static void judge(struct fetch *fetch, const struct process_end *process)
{
	struct fetch_end *end = &fetch->answer.end;

	if (fetch->cancelled)
		say(end, -ECANCELED, "fetching was cancelled");
	else if (process->failed_to_start)
		say(end, -EIO, "fnfs-fetch does not start: %s", process->reason);
	else if (process->out_of_memory)
		say(end, -ENOMEM, "unpacking needs more than %d MiB of memory",
		        (int)(MEMORY_BYTES >> 20));
	else if (process->exit_status < 0)
		say(end, -EIO, "fnfs-fetch was ended by signal %d", process->signal);
	else if (process->exit_status > 0 && end->sentence[0])
		end->error = -process->exit_status;
	else if (process->exit_status > 0 || !fetch->answer.done)
		say(end, -EIO, "fnfs-fetch failed with status %d", process->exit_status);
}

static void process_ended(void *userdata, const struct process_end *process)
{
	CLEANUP(fetch_free_p) struct fetch *fetch = userdata;

	fetch->process = NULL;
	take_output(fetch);
	judge(fetch, process);
	fetch->events.ended(fetch->userdata, &fetch->answer.end);
}

static struct fetch *fetch_new(uv_loop_t *loop, int *output)
{
	CLEANUP(fetch_free_p) struct fetch *fetch = calloc(1, sizeof(*fetch));
	int ends[2];

	if (!fetch)
		return NULL;
	fetch->output = -1;
	fetch_answer_init(&fetch->answer);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return NULL;
	fetch->output = ends[0];
	*output = ends[1];
	fcntl(fetch->output, F_SETFL, O_NONBLOCK);
	fetch->watch = watch_new(loop, fetch->output, output_ready, fetch);
	if (!fetch->watch)
		return NULL;
	watch_events(fetch->watch, UV_READABLE);
	return take(fetch);
}

static int run(
        struct fetch *fetch, struct launcher *launcher, const struct fetch_spec *spec, int output)
{
	CLEANUP(close_p)
	int input = spec->location ? write_job(spec) : fcntl(spec->archive, F_DUPFD_CLOEXEC, 3);
	struct words words;
	int error = words_init(&words, spec);
	const struct errand errand = {
	        .name = spec->kind == FETCH_PULL ? "pull" : "fetch",
	        .argv = words.arguments,
	        .environment = (const char *const *)words.environment,
	        .uid = spec->uid,
	        .gid = spec->gid,
	        .groups = spec->groups,
	        .group_count = spec->group_count,
	        .memory_bytes = MEMORY_BYTES,
	        .max_processes = spec->kind == FETCH_PULL ? PULL_PROCESSES_MAX : PROCESSES_MAX,
	        .input = input,
	        .output = output,
	        .directory = spec->directory,
	};

	if (!error && input < 0)
		error = input == -1 ? -errno : input;
	if (!error)
		error = launcher_run(launcher, &errand, process_ended, fetch, &fetch->process);
	words_deinit(&words);
	return error;
}

int fetch_start(struct fetch **out, uv_loop_t *loop, struct launcher *launcher,
        const struct fetch_spec *spec, const struct fetch_events *events, void *userdata)
{
	CLEANUP(fetch_free_p) struct fetch *fetch = NULL;
	CLEANUP(close_p) int output = -1;
	int error;

	if (geteuid() != 0 && spec->uid != geteuid())
		return -EPERM;
	fetch = fetch_new(loop, &output);
	if (!fetch)
		return fail(-ENOMEM, "starting fnfs-fetch");
	fetch->events = *events;
	fetch->userdata = userdata;
	error = give_directory(spec);
	if (!error)
		error = run(fetch, launcher, spec, output);
	if (error)
		return error;
	*out = take(fetch);
	return 0;
}

void fetch_cancel(struct fetch *fetch)
{
	fetch->cancelled = true;
	process_kill(fetch->process);
}
