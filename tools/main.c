/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The `fnfs` command: a table of subcommands (command.h), help and version. Called by mount(8), as
 * `mount.fnfs SOURCE DIR -o OPTIONS` or `fnfs SOURCE DIR -o OPTIONS`, it is `fnfs mount`.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "command.h"

#define COMMAND_ROW(name) &command_##name,
static const struct command *const commands[] = {COMMANDS(COMMAND_ROW)};

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static void show_commands(FILE *out)
{
	fputs("fnfs: a function platform that is a directory\n\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(out, "  fnfs %-10s %s\n", commands[i]->name, commands[i]->summary);
	fputs("\n`fnfs help COMMAND` says more of one; the manual is fnfs(1) and, for the tree, "
	      "fnfs(7).\n",
	        out);
}

static int help(int argc, char **argv)
{
	const struct command *command = argc > 1 ? find(argv[1]) : NULL;

	if (argc > 1 && !command)
		return complain(
		        COMMAND_USAGE, "there is no command %s: `fnfs help` lists them", argv[1]);
	if (!command)
		show_commands(stdout);
	else
		printf("usage: fnfs %s\n\n%s.\n%s%s", command->usage, command->summary,
		        *command->details ? "\n" : "", command->details);
	return fflush(stdout) ? COMMAND_UNABLE : COMMAND_DONE;
}

/* mount.fuse3 runs `fnfs SOURCE DIR -o OPTIONS`; mount(8) runs `mount.fnfs SOURCE DIR [-o OPTIONS]`. */
static bool called_by_mount(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');

	if (strncmp(slash ? slash + 1 : argv[0], "mount.", 6) == 0)
		return true;
	return argc == 5 && strcmp(argv[3], "-o") == 0 && !find(argv[1]);
}

static bool wants_help(int argc, char **argv)
{
	return argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
}

static int run(int argc, char **argv)
{
	const struct command *command = find(argv[0]);
	char *itself[] = {"help", argv[0], NULL};

	if (command && wants_help(argc, argv))
		return help(2, itself);
	if (command)
		return command->run(command, argc, argv);
	if (strcmp(argv[0], "help") == 0 || strcmp(argv[0], "--help") == 0 ||
	        strcmp(argv[0], "-h") == 0)
		return help(argc, argv);
	if (strcmp(argv[0], "--version") == 0 || strcmp(argv[0], "-V") == 0)
		return puts("fnfs " FNFS_VERSION) < 0 ? COMMAND_UNABLE : COMMAND_DONE;
	return complain(COMMAND_USAGE, "there is no command %s: `fnfs help` lists them", argv[0]);
}

int main(int argc, char **argv)
{
	if (argc > 0 && called_by_mount(argc, argv))
		return command_mount.run(&command_mount, argc, argv);
	if (argc < 2) {
		show_commands(stderr);
		return COMMAND_USAGE;
	}
	return run(argc - 1, argv + 1);
}
