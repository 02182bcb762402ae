/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fnfsd: checks the two directories, goes to the background, and runs. Whoever started it waits until
 * the mount answers, and hears on standard error why it does not; the exit status tells the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "fs/check_state.h"
#include "fs/daemon.h"
#include "fs/doctor.h"
#include "fs/mount_point.h"
#include "fs/tree.h"

struct background {
	int report; /* a byte is written to it when the mount answers; -1 in the foreground */
};

static int complain(const struct buf *why, int error)
{
	fprintf(stderr, "fnfsd: %s\n", why->length ? why->data : strerror(-error));
	return 1;
}

static void raise_limits(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

/* Standard descriptors must be taken, or files of ours would get their numbers. */
static void occupy_standard(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	close_fd(fd);
}

static void let_go_of_terminal(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	close_fd(null);
}

static void report_ready(void *userdata)
{
	struct background *background = userdata;

	if (background->report < 0)
		return;
	let_go_of_terminal();
	if (write(background->report, "r", 1) < 0)
		log_line(LOG_WARNING, "whoever started the daemon is gone");
	background->report = close_fd(background->report);
}

static int wait_until_ready(int report, pid_t child)
{
	char byte;
	ssize_t n;

	do
		n = read(report, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		return 0;
	waitpid(child, NULL, 0); /* it has said why */
	return 1;
}

/* Returns in the child; the parent ends here, when the child is ready or has failed. */
static int go_to_background(struct background *background)
{
	int ends[2];
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	child = fork();
	if (child < 0)
		return -errno;
	if (child > 0) {
		close(ends[1]);
		_exit(wait_until_ready(ends[0], child));
	}
	close(ends[0]);
	setsid();
	background->report = ends[1];
	return 0;
}

static int prepare(const struct options *options, struct state_directory *state, char **mount_point,
        struct buf *why)
{
	int r = mount_point_find(options->directory, mount_point, why);

	if (r == 0)
		r = state_directory_open(state, options->state, why);
	if (r < 0)
		return r;
	if (mount_point_overlaps(*mount_point, state->path)) {
		buf_printf(why, "the state directory %s and the mount point %s contain each other",
		        state->path, *mount_point);
		return -EINVAL;
	}
	r = state_directory_lock(state, *mount_point, why);
	if (r == 0)
		r = mount_point_clear(*mount_point, why);
	if (r == 0 && !options->nonempty)
		r = mount_point_check_empty(*mount_point, why);
	return r < 0 ? r : state_directory_open_log(state, why);
}

static int run(const struct options *options, struct background *background, struct buf *why)
{
	struct state_directory state = {.fd = -1, .lock_fd = -1, .log_fd = -1, .echo_fd = -1};
	CLEANUP(free_p) char *mount_point = NULL;
	int r = prepare(options, &state, &mount_point, why);

	if (r == 0) {
		struct daemon_options daemon_options = {
		        .options = options,
		        .state = &state,
		        .mount_point = mount_point,
		        .ready = report_ready,
		        .userdata = background,
		};

		if (options->foreground)
			state.echo_fd = STDERR_FILENO;
		log_set_sink(state_directory_log, &state);
		if (chdir("/") < 0)
			log_line(LOG_WARNING, "cannot leave the working directory");
		r = daemon_run(&daemon_options, why);
		log_set_sink(NULL, NULL);
	}
	state_directory_deinit(&state);
	return r;
}

static int print_tree(void)
{
	CLEANUP(buf_deinit) struct buf text = BUF_INIT;

	tree_print(&text);
	return fwrite(text.data, 1, text.length, stdout) == text.length ? 0 : 1;
}

int main(int argc, char **argv)
{
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	CLEANUP(options_deinit) struct options options;
	struct background background = {.report = -1};
	int r = options_parse(&options, argc, argv, &why);

	if (r < 0)
		return complain(&why, r);
	if (options.help)
		return fputs(options_usage, stdout) < 0;
	if (options.version)
		return puts("fnfsd " FNFS_VERSION) < 0;
	if (options.print_tree)
		return print_tree();
	if (options.doctor)
		return doctor(&options);
	if (options.check_state)
		return check_state(&options);
	occupy_standard();
	raise_limits();
	umask(0);                 /* the kernel has applied the caller's */
	signal(SIGXFSZ, SIG_IGN); /* a write beyond a limit of ours fails, and that is all */
	if (!options.foreground)
		r = go_to_background(&background);
	if (r == 0)
		r = run(&options, &background, &why);
	return r < 0 ? complain(&why, r) : 0;
}
