/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fnfs new: what `mkdir functions/NAME` and `cp -r runtimes/RUNTIME/template/. functions/NAME/code/` do; of a
 * sample, `cp -r runtimes/RUNTIME/samples/SAMPLE/. functions/NAME/`, settings first. A function that has code
 * already is left alone.
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

/* Each in a line: `before` and the name. */
static void print_names(int root, const char *directory, const char *before)
{
	int fd = openat(root, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *names = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	while (names && (entry = readdir(names)) != NULL) {
		CLEANUP(free_p) char *samples = NULL;

		if (entry->d_name[0] == '.')
			continue;
		fprintf(stderr, "  %s%s\n", before, entry->d_name);
		if (*before || asprintf(&samples, "runtimes/%s/samples", entry->d_name) < 0)
			continue;
		CLEANUP(free_p) char *sample = NULL;
		if (asprintf(&sample, "%s/", entry->d_name) >= 0)
			print_names(root, samples, sample);
	}
	if (names)
		closedir(names);
	else
		close_fd(fd);
}

static int complain_names(int root)
{
	complain(COMMAND_UNABLE, "there is no such runtime or sample; there is:");
	print_names(root, "runtimes", "");
	return COMMAND_UNABLE;
}

static int make_function(int root, const char *name, const char *path)
{
	if (mkdir(path, 0777) == 0 || errno == EEXIST)
		return 0;
	CLEANUP(free_p) char *why = text_read_line(root, "last_error");
	return complain(COMMAND_UNABLE, "%s: %s", name, why && *why ? why : strerror(errno));
}

/* Where the code is, and NULL or where settings are: of `RUNTIME`, or of `RUNTIME/SAMPLE`. */
static int find_source(const char *mount, const char *what, char **code, char **config)
{
	const char *slash = strchr(what, '/');
	int length = slash ? (int)(slash - what) : (int)strlen(what);
	int n;

	*code = *config = NULL;
	if (slash && (!slash[1] || strchr(slash + 1, '/') || slash[1] == '.'))
		return -ENOENT;
	if (!slash)
		n = asprintf(code, "%s/runtimes/%s/template", mount, what);
	else if ((n = asprintf(code, "%s/runtimes/%.*s/samples/%s/code", mount, length, what,
	                  slash + 1)) >= 0)
		n = asprintf(config, "%s/runtimes/%.*s/samples/%s/config", mount, length, what,
		        slash + 1);
	if (n < 0)
		return -ENOMEM;
	if (*config && access(*config, R_OK) < 0) {
		free(*config);
		*config = NULL;
	}
	return access(*code, R_OK) < 0 ? -errno : 0;
}

static int copy_settings(const char *from, const char *function)
{
	return run_shell(
	        "for file in \"$1\"/*; do cat -- \"$file\" >\"$2/config/${file##*/}\" || exit; "
	        "done",
	        from, function);
}

static int make(int root, const char *mount, const char *name, const char *what)
{
	CLEANUP(free_p) char *function = NULL;
	CLEANUP(free_p) char *code = NULL;
	CLEANUP(free_p) char *source = NULL;
	CLEANUP(free_p) char *settings = NULL;
	int status;

	if (asprintf(&function, "%s/functions/%s", mount, name) < 0 ||
	        asprintf(&code, "%s/code", function) < 0)
		return complain(COMMAND_UNABLE, "out of memory");
	if (find_source(mount, what, &source, &settings) < 0)
		return complain_names(root);
	status = make_function(root, name, function);
	if (status)
		return status;
	if (!is_empty(code))
		return complain(COMMAND_FAILED, "%s has code already", name);
	if (settings)
		status = copy_settings(settings, function);
	if (!status)
		status = copy_template(source, code);
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
        .usage = "new NAME [RUNTIME[/SAMPLE]]",
        .summary = "make a function from a runtime's template (python), or a sample",
        .details = "Prints the directory the code is in. `ls \"$(fnfs where)\"/runtimes` lists\n"
                   "the runtimes, `ls \"$(fnfs where)\"/runtimes/*/samples` their samples.\n",
        .run = new_run,
};
