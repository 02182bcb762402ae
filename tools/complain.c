/* SPDX-License-Identifier: Apache-2.0 */
/* The one place where the command says that something went wrong. */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>

#include "command.h"

__attribute__((format(printf, 1, 0))) static void say(const char *format, va_list arguments)
{
	fflush(stdout);
	fputs("fnfs: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
}

int complain(int status, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(format, arguments);
	va_end(arguments);
	return status;
}

int complain_usage(const struct command *command, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(format, arguments);
	va_end(arguments);
	fprintf(stderr, "usage: fnfs %s\n", command->usage);
	return COMMAND_USAGE;
}

int complain_option(const struct command *command, int answer, char **argv)
{
	char letter[] = {'-', (char)optopt, 0};
	const char *typed = optopt > ' ' && optopt < 127 ? letter : argv[optind - 1];

	if (answer == ':')
		return complain_usage(command, "%s: %s wants a value", command->name, typed);
	return complain_usage(command, "%s: no such option: %s", command->name, typed);
}
