/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fnfs new: what `mkdir functions/NAME` and `cp -r runtimes/RUNTIME/template/. functions/NAME/code/` do.
 * A function that has code already is left alone.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "command.h"
#include "mountpoint.h"
#include "text.h"

static int run_shell(const char *script, const char *from, const char *to)
{
	const char *argv[] = {"sh", "-c", script, "sh", from, to, NULL};
	pid_t pid;
	int status;

	if (posix_spawnp(&pid, "sh", NULL, NULL, (char **)argv, environ) != 0)
		return complain(COMMAND_UNABLE, "sh: %s", strerror(errno));
	if (waitpid(pid, &status, 0) < 0 || status)
		return COMMAND_UNABLE; /* cp has said why */
	return COMMAND_DONE;
}

/* The template is read-only; a copy is there to be changed. */
static int copy_template(const char *template, const char *code)
{
	return run_shell("cp -R -- \"$1/.\" \"$2\" && chmod -R u+w -- \"$2\"", template, code);
}

static bool is_empty(const char *path)
{
	DIR *directory = opendir(path);
	const struct dirent *entry;
	bool empty = true;

	if (!directory)
		return false;
	while (empty && (entry = readdir(directory)) != NULL)
		empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	closedir(directory);
	return empty;
}

static int complain_names(int root)
{
	DIR *runtimes;
	const struct dirent *entry;
	int fd = openat(root, "runtimes", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	runtimes = fd < 0 ? NULL : fdopendir(fd);
	complain(COMMAND_UNABLE, "there is no such runtime with a template; there is:");
	while (runtimes && (entry = readdir(runtimes)) != NULL)
		if (entry->d_name[0] != '.')
			fprintf(stderr, "  %s\n", entry->d_name);
	if (runtimes)
		closedir(runtimes);
	else
		close_fd(fd);
	return COMMAND_UNABLE;
}

static int make_function(int root, const char *name, const char *path)
{
	if (mkdir(path, 0777) == 0 || errno == EEXIST)
		return 0;
	CLEANUP(free_p) char *why = text_read_line(root, "last_error");
	return complain(COMMAND_UNABLE, "%s: %s", name, why && *why ? why : strerror(errno));
}

static int make(int root, const char *mount, const char *name, const char *runtime)
{
	CLEANUP(free_p) char *function = NULL;
	CLEANUP(free_p) char *code = NULL;
	CLEANUP(free_p) char *template = NULL;
	int status;

	if (asprintf(&function, "%s/functions/%s", mount, name) < 0 ||
	        asprintf(&code, "%s/code", function) < 0 ||
	        asprintf(&template, "%s/runtimes/%s/template", mount, runtime) < 0)
		return complain(COMMAND_UNABLE, "out of memory");
	if (strchr(runtime, '/') || access(template, R_OK) < 0)
		return complain_names(root);
	status = make_function(root, name, function);
	if (status)
		return status;
	if (!is_empty(code))
		return complain(COMMAND_FAILED, "%s has code already", name);
	status = copy_template(template, code);
	if (!status)
		printf("%s\n", code);
	return status;
}

static int new_run(const struct command *command, int argc, char **argv)
{
	CLEANUP(free_p) char *mount = NULL;
	int answer = getopt(argc, argv, ":");

	if (answer >= 0)
		return complain_option(command, answer, argv);
	if (argc < 2 || argc > 3)
		return complain_usage(command, "new: which name?");
	if (!*argv[1] || strchr(argv[1], '/'))
		return complain_usage(command, "new: `%s` is no name", argv[1]);
	CLEANUP(close_p) int root = mountpoint_open();
	if (root < 0 || mountpoint_find(&mount) < 0)
		return COMMAND_UNABLE;
	return make(root, mount, argv[1], argc > 2 ? argv[2] : "python");
}

const struct command command_new = {
        .name = "new",
        .usage = "new NAME [RUNTIME]",
        .summary = "make a function from a runtime's template (python)",
        .details = "Prints the directory the code is in. `ls \"$(fnfs where)\"/runtimes` lists\n"
                   "the runtimes.\n",
        .run = new_run,
};
