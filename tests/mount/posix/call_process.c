/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What belongs to a process: its working directory, its umask, programs it runs, sockets it binds.
 */
#include "call.h"
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static long run_chdir(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	struct place place;

	place_of(&place, hands, arguments[0].text);
	return chdir(place.path);
}

static long run_fchdir(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	return fchdir(hand(hands, arguments[0].number));
}

/* Where the actor stands, told from where its world begins. */
static long run_getcwd(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	char path[PATH_MAX];
	size_t length = strlen(hands->base);

	if (!getcwd(path, sizeof(path)))
		return -1;
	if (strncmp(path, hands->base, length) == 0)
		tell(answer, " .%s", path + length);
	else
		tell(answer, " elsewhere");
	return 0;
}

static long run_umask(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	return umask(arguments[0].number);
}

static bool address_of(struct sockaddr_un *address, const struct hands *hands, const char *word)
{
	struct place place;

	place_of(&place, hands, word);
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	memcpy(address->sun_path, place.path, strnlen(place.path, sizeof(address->sun_path) - 1));
	return place.directory == AT_FDCWD && strlen(place.path) < sizeof(address->sun_path) &&
	       *place.path;
}

/* Binds a listening socket to a name and keeps it in the slot. */
static long run_bind(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	struct sockaddr_un address;
	long slot = arguments[0].number;
	int file, error;

	if (slot < 0 || slot >= HANDS_FILES || hands->files[slot] >= 0 ||
	        !address_of(&address, hands, arguments[1].text))
		return skip(answer);
	file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(file, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(file, 1) < 0) {
		error = errno;
		close(file);
		errno = error;
		return -1;
	}
	hands->files[slot] = file;
	return 0;
}

static long run_connect(
        struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	struct sockaddr_un address;
	int file, error;
	long returned;

	if (!address_of(&address, hands, arguments[0].text))
		return skip(answer);
	file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	returned = connect(file, (struct sockaddr *)&address, sizeof(address));
	error = errno;
	close(file);
	errno = error;
	return returned;
}

/* Makes a program that exits with a number. */
static long run_program(
        struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	struct place place;
	char text[64];
	int file, length;

	place_of(&place, hands, arguments[0].text);
	file = openat(place.directory, place.path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK, 0755);
	if (file < 0)
		return -1;
	length = snprintf(text, sizeof(text), "#!/bin/sh\nexit %ld\n", arguments[1].number);
	length = write(file, text, length);
	close(file);
	return length;
}

static long wait_for(pid_t child, int report)
{
	int status, error = 0;
	ssize_t length = read(report, &error, sizeof(error));

	close(report);
	waitpid(child, &status, 0);
	if (length == sizeof(error)) {
		errno = error;
		return -1;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* Runs a program; returns its exit status. */
static long run_exec(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	struct place place;
	char *words[] = {place.path, NULL}, *environment[] = {NULL};
	int report[2], error;
	pid_t child;

	place_of(&place, hands, arguments[0].text);
	if (pipe2(report, O_CLOEXEC) < 0)
		return -1;
	child = fork();
	if (child == 0) {
		dup2(open("/dev/null", O_RDWR | O_CLOEXEC), 1);
		dup2(1, 2);
		execve(place.path, words, environment);
		error = errno;
		_exit(write(report[1], &error, sizeof(error)) < 0);
	}
	close(report[1]);
	return wait_for(child, report[0]);
}

/* These two direct the actor, see scene.c: nothing is called. */
static long run_nothing(
        struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	return skip(answer);
}

const struct call calls_on_processes[] = {
        {"wait", "", run_nothing, 0},
        {"waiting", "", run_nothing, 0},
        {"chdir", "p", run_chdir, 0},
        {"fchdir", "f", run_fchdir, 1},
        {"getcwd", "", run_getcwd, 0},
        {"umask", "m", run_umask, 0},
        {"bind", "fp", run_bind, 0},
        {"connect", "p", run_connect, 0},
        {"program", "pn", run_program, 0},
        {"exec", "p", run_exec, 0},
        {},
};
