/* SPDX-License-Identifier: Apache-2.0 */
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

static int refuse(struct buf *why, const char **kind, const char *type)
{
	*kind = type;
	return why->failed ? -ENOMEM : -ENOEXEC;
}

/* What the kernel will look for when it runs a file that begins like this. */
static int check_beginning(
        const char *name, char *beginning, size_t length, struct buf *why, const char **kind)
{
	char *interpreter, *end;

	beginning[length] = 0;
	if (length >= 4 && memcmp(beginning, "\177ELF", 4) == 0)
		return 0;
	if (length < 2 || memcmp(beginning, "#!", 2) != 0) {
		buf_printf(why,
		        "'./%s' is neither a program nor a script with a first line "
		        "like #!/bin/sh",
		        name);
		return refuse(why, kind, "FunctionLoadError");
	}
	interpreter = beginning + 2 + strspn(beginning + 2, " \t");
	end = interpreter + strcspn(interpreter, " \t\n");
	*end = 0;
	if (access(interpreter, X_OK) == 0)
		return 0;
	if (end > interpreter && end[-1] == '\r')
		buf_printf(why, "the first line of './%s' ends with a carriage return", name);
	else
		buf_printf(why,
		        "the first line of './%s' names the interpreter '%s', which is not "
		        "here",
		        name, interpreter);
	return refuse(why, kind, "FunctionLoadError");
}

static int check(const char *path, const char *name, struct buf *why, const char **kind)
{
	CLEANUP(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char beginning[257];
	struct stat st;
	ssize_t n;

	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode)) {
		buf_printf(why, "not found module './%s'", name);
		return refuse(why, kind, "FunctionLoadError");
	}
	if (access(path, X_OK) < 0) {
		buf_printf(why, "'./%s' is not executable; type: chmod +x code/%s", name, name);
		return refuse(why, kind, "FunctionConfigError");
	}
	n = fd < 0 ? -1 : read(fd, beginning, sizeof(beginning) - 1);
	return n < 0 ? 0 : check_beginning(name, beginning, (size_t)n, why, kind);
}

int program_init(struct program *program, const char *code, const char *name, struct buf *why,
        const char **kind)
{
	program->path = NULL;
	if (!*name || *name == '/' || strstr(name, "..")) {
		buf_printf(why, "'%s' is not a path below code/", name);
		return refuse(why, kind, "FunctionConfigError");
	}
	if (asprintf(&program->path, "%s/%s", code, name) < 0) {
		program->path = NULL;
		return -ENOMEM;
	}
	return check(program->path, name, why, kind);
}

void program_deinit(struct program *program)
{
	free(program->path);
	program->path = NULL;
}

static char **environment_with(char *const extra[])
{
	size_t have = 0, more = 0;
	char **all;

	while (environ[have])
		have++;
	while (extra[more])
		more++;
	all = calloc(have + more + 1, sizeof(*all));
	if (!all)
		return NULL;
	memcpy(all, extra, more * sizeof(*all)); /* first, so that they win in getenv() */
	memcpy(all + more, environ, have * sizeof(*all));
	return all;
}

static void actions_destroy(posix_spawn_file_actions_t *actions)
{
	posix_spawn_file_actions_destroy(actions);
}

static void attributes_destroy(posix_spawnattr_t *attributes)
{
	posix_spawnattr_destroy(attributes);
}

pid_t program_start(const struct program *program, const int standard[3], char *const extra[])
{
	CLEANUP(free_p) char **environment = environment_with(extra);
	CLEANUP(actions_destroy) posix_spawn_file_actions_t actions;
	CLEANUP(attributes_destroy) posix_spawnattr_t attributes;
	char *argv[] = {program->path, NULL};
	sigset_t broken_pipe, none;
	pid_t pid;
	int r;

	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	sigemptyset(&none);
	sigemptyset(&broken_pipe);
	sigaddset(&broken_pipe, SIGPIPE);
	posix_spawnattr_setflags(&attributes,
	        POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setsigdefault(&attributes, &broken_pipe);
	posix_spawnattr_setsigmask(&attributes, &none);
	for (int i = 0; i < 3; i++)
		if (posix_spawn_file_actions_adddup2(&actions, standard[i], i))
			return -ENOMEM;
	if (!environment)
		return -ENOMEM;
	r = posix_spawn(&pid, program->path, &actions, &attributes, argv, environment);
	return r ? -r : pid;
}

void program_describe_end(int wait_status, struct buf *out)
{
	if (WIFSIGNALED(wait_status))
		buf_printf(out, "killed by signal %d (%s)", WTERMSIG(wait_status),
		        strsignal(WTERMSIG(wait_status)));
	else
		buf_printf(out, "exit status %d", WEXITSTATUS(wait_status));
}
