/* SPDX-License-Identifier: Apache-2.0 */
#include "trial.h"

#include <ctype.h>
#include <dirent.h>
#include <ftw.h>

static const char *const no_environment[] = {NULL};

static char *make_directory(const char *parent, const char *name)
{
	char *path;

	REQUIRE(asprintf(&path, "%s/%s", parent, name) > 0);
	REQUIRE(mkdir(path, 0755) == 0);
	return path;
}

static void copy_probe(const char *directory)
{
	char *command;

	REQUIRE(asprintf(&command, "cp %s '%s/probe'", PROBE, directory) > 0);
	REQUIRE(system(command) == 0);
	free(command);
}

static void require_sandboxes(struct yard *yard)
{
	struct launch launch = yard_launch(yard, "exit 0");
	struct trial trial;
	char reason[256];

	REQUIRE(trial_start(&trial, yard, &launch) == 0);
	trial_wait(&trial);
	snprintf(reason, sizeof(reason), "%s", trial.end.reason);
	if (trial.end.failed_to_start)
		printf("skipped: no sandbox can be made here: %s\n", reason);
	trial_deinit(&trial);
	if (!reason[0])
		return;
	yard_close(yard);
	exit(77);
}

void yard_open(struct yard *yard)
{
	static bool known_good;

	memset(yard, 0, sizeof(*yard));
	yard->state = test_directory();
	yard->code = make_directory(yard->state, "code");
	yard->runtime = make_directory(yard->state, "runtime");
	copy_probe(yard->runtime);
	REQUIRE(uv_loop_init(&yard->loop) == 0);
	REQUIRE(launcher_new(&yard->launcher, &yard->loop, GUARDIAN, yard->state) == 0);
	if (!known_good)
		require_sandboxes(yard);
	known_good = true;
}

void yard_close(struct yard *yard)
{
	yard->launcher = launcher_free(yard->launcher);
	uv_run(&yard->loop, UV_RUN_DEFAULT);
	CHECK_INT(uv_loop_close(&yard->loop), 0);
	yard->state = test_directory_remove(yard->state);
	free(yard->code);
	free(yard->runtime);
}

pid_t yard_guardian(struct yard *yard)
{
	struct buf text = BUF_INIT;
	const char *line;
	pid_t pid;

	launcher_describe(yard->launcher, &text);
	line = strstr(text.data, "guardian ");
	pid = line ? (pid_t)atoi(line + strlen("guardian ")) : 0;
	buf_deinit(&text);
	return pid;
}

struct launch yard_launch(struct yard *yard, const char *script)
{
	static const char *argv[4];

	argv[0] = "/bin/sh";
	argv[1] = "-c";
	argv[2] = script;
	argv[3] = NULL;
	return (struct launch){
	        .name = "trial",
	        .code_path = yard->code,
	        .runtime_path = yard->runtime,
	        .argv = argv,
	        .environment = no_environment,
	        .working_directory = "/opt/function",
	        .uid = geteuid(),
	        .gid = getegid(),
	        .function_id = 7,
	        .memory_bytes = 64 << 20,
	        .max_processes = 32,
	};
}

static void trial_ended(void *userdata, const struct process_end *end)
{
	struct trial *trial = userdata;

	trial->end = *end;
	trial->ends++;
	trial->process = NULL;
}

int trial_start(struct trial *trial, struct yard *yard, struct launch *launch)
{
	int in[2], out[2], output[2], error;

	memset(trial, 0, sizeof(*trial));
	trial->yard = yard;
	REQUIRE(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
	REQUIRE(pipe2(output, O_CLOEXEC) == 0);
	REQUIRE(fcntl(output[0], F_SETFL, O_NONBLOCK) == 0);
	launch->channel_in = in[0];
	launch->channel_out = out[1];
	launch->output = output[1];
	trial->to = in[1];
	trial->from = out[0];
	trial->output = output[0];
	error = launcher_start(yard->launcher, launch, trial_ended, trial, &trial->process);
	close(in[0]);
	close(out[1]);
	close(output[1]);
	return error;
}

static void read_output(struct trial *trial)
{
	char text[4096];
	ssize_t length;

	while ((length = read(trial->output, text, sizeof(text))) > 0)
		buf_append(&trial->text, text, (size_t)length);
}

static void nothing(uv_timer_t *timer)
{
}

/* One turn of the loop, which a timer ends, for output is not watched. */
void trial_turn(struct trial *trial)
{
	uv_timer_t timer;

	uv_timer_init(&trial->yard->loop, &timer);
	uv_timer_start(&timer, nothing, 10, 10);
	uv_run(&trial->yard->loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_run(&trial->yard->loop, UV_RUN_NOWAIT);
	read_output(trial);
}

/* An ended process has closed its output, and so has everything it started: this must not hang. */
static void read_rest(struct trial *trial)
{
	fcntl(trial->output, F_SETFL, 0);
	read_output(trial);
}

void trial_wait(struct trial *trial)
{
	while (!trial->ends)
		trial_turn(trial);
	read_rest(trial);
}

static bool has_said(const struct trial *trial, const char *text)
{
	return trial->text.data && strstr(trial->text.data, text);
}

void trial_expect(struct trial *trial, const char *text)
{
	/* What it says may come before the news that it runs. */
	while (!trial->ends && (!has_said(trial, text) || !process_pid(trial->process)))
		trial_turn(trial);
	if (trial->ends)
		read_rest(trial);
	if (!CHECK(has_said(trial, text)))
		fprintf(stderr, "\"%s\" is not in \"%s\" (%s)\n", text,
		        trial->text.data ? trial->text.data : "", trial->end.reason);
}

void trial_deinit(struct trial *trial)
{
	if (trial->process) {
		process_kill(trial->process);
		trial_wait(trial);
	}
	close(trial->to);
	close(trial->from);
	close(trial->output);
	buf_deinit(&trial->text);
}

void trial_run(struct trial *trial, struct yard *yard, const char *script)
{
	struct launch launch = yard_launch(yard, script);

	REQUIRE(trial_start(trial, yard, &launch) == 0);
	trial_wait(trial);
	CHECK_INT(trial->ends, 1);
	if (trial->end.failed_to_start)
		fprintf(stderr, "it did not start: %s\n", trial->end.reason);
}

enum { NOBODY = 65534 }; /* as in as_user.c */

/* Root and an ordinary user run the same test side by side. */
static bool is_of_the_other(const char *pid)
{
	char path[300], line[256];
	unsigned uid = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/status", pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Uid: %u", &uid) == 1)
			break;
	if (file)
		fclose(file);
	return geteuid() == 0 ? uid == NOBODY : uid != geteuid();
}

static bool runs_with(const char *pid, const char *text)
{
	char path[300], line[4096];
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/cmdline", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? -1 : read(fd, line, sizeof(line));
	if (fd >= 0)
		close(fd);
	return length > 0 && memmem(line, (size_t)length, text, strlen(text)) &&
	       !is_of_the_other(pid);
}

int count_processes(const char *text)
{
	DIR *directory = opendir("/proc");
	struct dirent *entry;
	int count = 0;

	while ((entry = readdir(directory)))
		if (isdigit((unsigned char)entry->d_name[0]) && atoi(entry->d_name) != getpid())
			count += runs_with(entry->d_name, text);
	closedir(directory);
	return count;
}

int count_remaining(const char *text)
{
	int count;

	for (int tries = 0; (count = count_processes(text)) && tries < 1000; tries++)
		usleep(10000);
	return count;
}

static struct {
	char ending[24];
	int count;
} groups;

static int see_group(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	const char *name = path + ftw->base;
	size_t length = strlen(name), ending = strlen(groups.ending);

	groups.count += type == FTW_D && !strncmp(name, "fnfs-", 5) && length > ending &&
	                !strcmp(name + length - ending, groups.ending);
	return 0;
}

int count_groups(pid_t guardian)
{
	snprintf(groups.ending, sizeof(groups.ending), "-%d", (int)guardian);
	groups.count = 0;
	nftw("/sys/fs/cgroup", see_group, 32, FTW_PHYS);
	return groups.count;
}
