/* SPDX-License-Identifier: Apache-2.0 */
/*
 * skopeo is told to write into /proc/self/fd/3, for the directory lies where its user cannot go by name. The
 * last thing it says on standard error is the reason of a failure; how far it is, the size of the file tells.
 */
#include "fetch/pull.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cleanup.h"
#include "fetch/image_manifest.h"

enum { TICK_MS = 200, WORDS_MOST = 16, OUTPUT_MOST = 8 << 20, TARGET = 3, TEXT_MOST = 4096 };

struct run {
	const struct job *job;
	struct report *report;
	const char *words[WORDS_MOST + 1];
	size_t count;
	int file;           /* becomes 3 there; -1: none */
	struct buf *output; /* what it says on standard output; NULL: nothing */
	struct buf said;    /* on standard error */
	pid_t pid;
	int64_t bytes, told_us;
};

static const char *const places[] = {"/usr/bin/skopeo", "/usr/local/bin/skopeo", "/bin/skopeo"};

static const char *find_skopeo(void)
{
	const char *given = getenv("FNFS_SKOPEO");

	if (given)
		return access(given, X_OK) == 0 ? given : NULL;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (access(places[i], X_OK) == 0)
			return places[i];
	return NULL;
}

bool pull_is_local(const char *reference)
{
	static const char *const hosts[] = {"localhost", "127.0.0.1"};

	if (strncmp(reference, "docker://", 9) == 0)
		reference += 9;
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		size_t length = strlen(hosts[i]);

		if (strncmp(reference, hosts[i], length) == 0 && strchr(":/", reference[length]) &&
		        reference[length])
			return true;
	}
	return false;
}

static void add(struct run *run, const char *word)
{
	if (run->count < WORDS_MOST)
		run->words[run->count++] = word;
}

/* Where its credentials lie follows from the user we are. */
static void set_environment(void)
{
	struct passwd *user = getpwuid(geteuid());

	setenv("HOME", user && user->pw_dir ? user->pw_dir : "/", 1);
	setenv("PATH", "/usr/local/bin:/usr/bin:/bin", 1);
	setenv("TMPDIR", "/var/tmp", 0);
}

static _Noreturn void become_skopeo(const struct run *run, int output, int error, pid_t parent)
{
	int file = run->file >= 0 ? fcntl(run->file, F_DUPFD, 16) : -1;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);
	signal(SIGPIPE, SIG_DFL);
	dup2(output, 1);
	dup2(error, 2);
	if (file >= 0)
		dup2(file, TARGET);
	else
		close(TARGET);
	close_range(TARGET + 1, ~0u, 0);
	execv(run->words[0], (char *const *)run->words);
	_exit(127);
}

static int start(struct run *run, int pipes[2][2])
{
	pid_t parent = getpid();

	if (pipe2(pipes[0], O_CLOEXEC) < 0 || pipe2(pipes[1], O_CLOEXEC) < 0)
		return report_refuse(run->report, -errno, "starting skopeo: %s", strerror(errno));
	run->pid = fork();
	if (run->pid == 0)
		become_skopeo(run, pipes[0][1], pipes[1][1], parent);
	pipes[0][1] = close_fd(pipes[0][1]);
	pipes[1][1] = close_fd(pipes[1][1]);
	return run->pid < 0
	               ? report_refuse(run->report, -errno, "starting skopeo: %s", strerror(errno))
	               : 0;
}

/* False at its end. What it says beyond the most is forgotten: of errors, the beginning. */
static bool take_words(int fd, struct buf *into, size_t most, bool keep_end)
{
	char data[4096];
	ssize_t n = read(fd, data, sizeof(data));

	if (n > 0 && into && (keep_end || into->length + (size_t)n <= most))
		buf_append(into, data, (size_t)n);
	if (into && into->length > most)
		buf_consume(into, into->length - most);
	return n > 0 || (n < 0 && errno == EINTR);
}

static void tell_progress(struct run *run, bool last)
{
	int64_t now = clock_monotonic_us(&clock_system), passed = now - run->told_us;
	struct stat st;

	if (run->file < 0 || fstat(run->file, &st) < 0 || (!last && passed < TICK_MS * 1000))
		return;
	report_progress(run->report, st.st_size, 0,
	        run->told_us && passed > 0 ? (st.st_size - run->bytes) * 1000000 / passed : 0,
	        last);
	run->bytes = st.st_size;
	run->told_us = now;
}

/* True when it was ended for saying or writing nothing for too long. */
static bool attend(struct run *run, int pipes[2][2])
{
	struct pollfd polls[2] = {{pipes[0][0], POLLIN, 0}, {pipes[1][0], POLLIN, 0}};
	int64_t moved_us = clock_monotonic_us(&clock_system), bytes = -1, now;

	while (polls[0].fd >= 0 || polls[1].fd >= 0) {
		if (poll(polls, 2, TICK_MS) > 0)
			moved_us = clock_monotonic_us(&clock_system);
		if (polls[0].revents && !take_words(polls[0].fd, run->output, OUTPUT_MOST, false))
			polls[0].fd = -1;
		if (polls[1].revents && !take_words(polls[1].fd, &run->said, TEXT_MOST, true))
			polls[1].fd = -1;
		tell_progress(run, false);
		now = clock_monotonic_us(&clock_system);
		if (run->bytes != bytes)
			moved_us = now;
		bytes = run->bytes;
		if (now - moved_us > run->job->bounds.stall_s * 4 * 1000000) {
			kill(run->pid, SIGKILL);
			return true;
		}
	}
	return false;
}

/* time="..." level=fatal msg="the words" */
static void say_reason(struct run *run, char out[REPORT_SENTENCE])
{
	char *text = run->said.data ? run->said.data : "", *words = NULL, *next;
	size_t used = 0;

	for (next = text; (next = strstr(next, "msg=\"")); next += 5)
		words = next + 5;
	if (!words)
		words = text;
	for (; *words && *words != '"' && *words != '\n' && used < REPORT_SENTENCE - 1; words++) {
		if (*words == '\\' && words[1] == '"')
			words++;
		out[used++] = *words;
	}
	out[used] = 0;
}

static int judge(struct run *run, int status, bool stalled)
{
	char reason[REPORT_SENTENCE];

	if (stalled)
		return report_refuse(run->report, -ETIMEDOUT, "the registry does not answer");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFSIGNALED(status))
		return report_refuse(run->report, -EFBIG, "skopeo was ended by signal %d%s",
		        WTERMSIG(status),
		        WTERMSIG(status) == SIGXFSZ ? ": the image is too large" : "");
	say_reason(run, reason);
	return report_refuse(run->report, -EIO, "the image cannot be pulled: %.300s",
	        *reason ? reason : "skopeo failed and did not say why");
}

static int skopeo(struct run *run)
{
	int pipes[2][2] = {{-1, -1}, {-1, -1}}, status = 0, error = start(run, pipes);
	bool stalled;

	if (!error) {
		stalled = attend(run, pipes);
		while (waitpid(run->pid, &status, 0) < 0 && errno == EINTR)
			continue;
		error = judge(run, status, stalled);
	}
	for (int i = 0; i < 2; i++) {
		close_fd(pipes[i][0]);
		close_fd(pipes[i][1]);
	}
	buf_deinit(&run->said);
	return error;
}

static void begin(struct run *run, const struct job *job, struct report *report)
{
	*run = (struct run){.job = job, .report = report, .file = -1};
	add(run, find_skopeo());
	/* The machine's policy counts; without one everything is taken, as Docker does. */
	if (access("/etc/containers/policy.json", R_OK) < 0)
		add(run, "--insecure-policy");
}

/* What the name stands for now. */
static int resolve(const struct job *job, struct report *report, char digest[IMAGE_DIGEST])
{
	CLEANUP(buf_deinit) struct buf manifest = BUF_INIT;
	struct sha256 *hash = sha256_new();
	unsigned char bytes[SHA256_SIZE];
	struct run run;
	int error;

	begin(&run, job, report);
	run.output = &manifest;
	add(&run, "inspect");
	add(&run, "--raw");
	if (pull_is_local(job->source))
		add(&run, "--tls-verify=false");
	add(&run, job->source);
	error = hash ? skopeo(&run) : report_refuse(report, -ENOMEM, "out of memory");
	if (!error && !manifest.length)
		error = report_refuse(
		        report, -EBADMSG, "the registry has no manifest of the image");
	if (!error) {
		sha256_of(hash, manifest.data, manifest.length, bytes);
		for (size_t i = 0; i < SHA256_SIZE; i++)
			sprintf(digest + 2 * i, "%02x", bytes[i]);
	}
	sha256_free(hash);
	return error;
}

/* The name without its tag. */
static void pinned(char out[], size_t size, const char *source, const char *digest)
{
	const char *at = strchr(source, '@'), *slash = strrchr(source, '/');
	const char *colon = slash ? strchr(slash, ':') : NULL;
	const char *end = at ? at : colon ? colon : source + strlen(source);

	snprintf(out, size, "%.*s@sha256:%s", (int)(end - source), source, digest);
}

static int copy(
        const struct job *job, int file, const char *digest, struct report *report, int64_t *bytes)
{
	static char source[sizeof(job->source) + 80];
	struct run run;
	struct stat st;
	int error;

	pinned(source, sizeof(source), job->source, digest);
	begin(&run, job, report);
	run.file = file;
	add(&run, "--override-os");
	add(&run, "linux");
	add(&run, "copy");
	add(&run, "--quiet");
	if (pull_is_local(job->source))
		add(&run, "--src-tls-verify=false");
	add(&run, source);
	add(&run, "docker-archive:/proc/self/fd/3");
	error = skopeo(&run);
	*bytes = fstat(file, &st) == 0 ? st.st_size : 0;
	if (!error)
		report_progress(report, *bytes, *bytes, 0, true);
	return error;
}

int pull(const struct job *job, int directory, struct report *report, int64_t *bytes,
        char digest[IMAGE_DIGEST])
{
	CLEANUP(close_p) int file = -1;
	int error;

	if (!find_skopeo())
		return report_refuse(report, -ENOENT,
		        "pulling an image needs skopeo, which is not on this machine; type: sudo "
		        "apt "
		        "install skopeo");
	if (strncmp(job->source, "docker://", 9) != 0)
		return report_refuse(report, -EINVAL, "an image to pull begins with docker://");
	set_environment();
	error = resolve(job, report, digest);
	if (error)
		return error;
	report_digest(report, digest);
	file = openat(directory, "archive", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (file < 0)
		return report_refuse(report, -errno, "making a file: %s", strerror(errno));
	return copy(job, file, digest, report, bytes);
}
