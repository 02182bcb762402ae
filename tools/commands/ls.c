/* SPDX-License-Identifier: Apache-2.0 */
/* fnfs ls: one line for each function, one column for each row of the table below. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "command.h"
#include "mountpoint.h"
#include "text.h"

/* A function that is looked at. Of one that was never called nothing more is asked than need be. */
struct seen {
	int directory;
	const char *name;
	char *calls; /* NULL: unknown */
	bool unused;
};

static char *show_name(const struct seen *seen, const char *file)
{
	return strdup(seen->name);
}

static char *show_state(const struct seen *seen, const char *file)
{
	CLEANUP(free_p) char *status = text_read(seen->directory, file);
	char *state = text_value(status, "state");

	return state ? state : strdup("?");
}

static char *show_calls(const struct seen *seen, const char *file)
{
	return strdup(seen->calls ? seen->calls : "?");
}

static char *show_number(const struct seen *seen, const char *file)
{
	char *number = text_read_line(seen->directory, file);

	return number ? number : strdup("?");
}

static char *show_errors(const struct seen *seen, const char *file)
{
	return seen->unused ? strdup("0") : show_number(seen, file);
}

/* Milliseconds; no time was taken while nothing was called. */
static char *show_time(const struct seen *seen, const char *file)
{
	CLEANUP(free_p)
	char *number = seen->unused ? NULL : text_read_line(seen->directory, file);
	char *text;

	if (!number || !*number || !seen->calls)
		return strdup("-");
	return asprintf(&text, "%sms", number) < 0 ? NULL : text;
}

static const struct column {
	const char *heading;
	const char *file;
	char *(*show)(const struct seen *seen, const char *file);
	bool left;
} columns[] = {
        {"NAME", NULL, show_name, true},
        {"STATE", "status", show_state, true},
        {"CALLS", NULL, show_calls, false},
        {"ERRORS", "metrics/failcount", show_errors, false},
        {"P50", "metrics/p50", show_time, false},
        {"P99", "metrics/p99", show_time, false},
        {"INSTANCES", "metrics/instances", show_number, false},
};

struct line {
	char *cells[ARRAY_SIZE(columns)]; /* NULL: no memory */
	struct list link;
};

static struct line *line_free(struct line *line)
{
	if (line)
		for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
			free(line->cells[i]);
	free(line);
	return NULL;
}

static int add_line(struct list *lines, int functions, const char *name)
{
	CLEANUP(close_p) int function = openat(functions, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct line *line = function < 0 ? NULL : calloc(1, sizeof(*line));
	struct seen seen;

	if (function < 0)
		return errno == ENOENT ? 0
		                       : complain(COMMAND_UNABLE, "%s: %s", name, strerror(errno));
	if (!line)
		return complain(COMMAND_UNABLE, "out of memory");
	seen = (struct seen){.directory = function, .name = name};
	seen.calls = text_read_line(function, "metrics/count");
	seen.unused = seen.calls && strcmp(seen.calls, "0") == 0;
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		line->cells[i] = columns[i].show(&seen, columns[i].file);
	free(seen.calls);
	list_append(lines, &line->link);
	return 0;
}

static int add_all(struct list *lines, int functions)
{
	struct dirent **names;
	int status = 0;
	int count = scandirat(functions, ".", &names, NULL, alphasort);

	if (count < 0)
		return complain(COMMAND_UNABLE, "functions: %s", strerror(errno));
	for (int i = 0; i < count; i++) {
		if (names[i]->d_name[0] != '.' && !status)
			status = add_line(lines, functions, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	return status;
}

static const char *cell(const struct line *line, size_t column)
{
	return line->cells[column] ? line->cells[column] : "?";
}

static int width(const struct list *lines, size_t column)
{
	size_t widest = strlen(columns[column].heading);
	const struct line *line;

	list_each(line, lines, link)
		if (strlen(cell(line, column)) > widest)
			widest = strlen(cell(line, column));
	return (int)widest;
}

/* One line; `line` NULL is the heading. Nothing is padded at the end of a line. */
static void print_line(const struct line *line, const int *widths)
{
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		const char *text = line ? cell(line, i) : columns[i].heading;
		printf("%s%*s", i ? "  " : "", columns[i].left ? -widths[i] : widths[i], text);
	}
	putchar('\n');
}

static int print_table(const struct list *lines)
{
	int widths[ARRAY_SIZE(columns)];
	const struct line *line;

	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		widths[i] = width(lines, i);
	print_line(NULL, widths);
	list_each(line, lines, link)
		print_line(line, widths);
	return fflush(stdout) ? COMMAND_UNABLE : COMMAND_DONE;
}

static int list_all(void)
{
	CLEANUP(close_p) int root = mountpoint_open();
	CLEANUP(close_p)
	int functions =
	        root < 0 ? -1 : openat(root, "functions", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct list lines = LIST_INIT(lines);
	struct line *line, *following;
	int status;

	if (root < 0)
		return COMMAND_UNABLE;
	if (functions < 0)
		return complain(COMMAND_UNABLE, "functions: %s", strerror(errno));
	status = add_all(&lines, functions);
	if (!status)
		status = print_table(&lines);
	list_each_safe(line, following, &lines, link)
		line_free(line);
	return status;
}

static int ls_run(const struct command *command, int argc, char **argv)
{
	int answer = getopt(argc, argv, ":");

	if (answer >= 0)
		return complain_option(command, answer, argv);
	if (argc > 1)
		return complain_usage(command, "ls: wants nothing more");
	return list_all();
}

const struct command command_ls = {
        .name = "ls",
        .usage = "ls",
        .summary = "list the functions: state, calls, errors, latency, instances",
        .details = "P50 and P99 are the times that half and 99 of 100 calls stayed within.\n",
        .run = ls_run,
};
