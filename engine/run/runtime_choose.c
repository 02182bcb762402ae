/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which runtime runs some code: the setting, the handler, or what the code holds.
 *
 * Code is looked at, never read: files are opened as mere paths and never by a link that leads out of
 * code/, which might lead into our own mount.
 */
#include "run/runtime.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

#define HANDLER_MARK "{handler}"
#define CODE_AT      "/opt/function/code/"

enum presence { ABSENT, PRESENT, EXECUTABLE };

static enum presence code_file(int code_fd, const char *name)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC,
	        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV};
	CLEANUP(close_p) int fd = (int)syscall(SYS_openat2, code_fd, name, &how, sizeof(how));
	struct stat st;

	if (fd < 0 && errno == ENOSYS)
		fd = openat(code_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return ABSENT;
	return st.st_mode & 0111 ? EXECUTABLE : PRESENT;
}

static void closedir_p(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}

static DIR *open_directory(int code_fd)
{
	int fd = openat(code_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);

	if (!directory)
		close_fd(fd);
	return directory;
}

/* The file that a sign of `detect` speaks of: "main+x", "{handler}+x". False when it speaks of none. */
static bool sign_read(const char *sign, const char *handler, char name[PATH_MAX], bool *executable)
{
	size_t length = strlen(sign);

	*executable = length > 2 && strcmp(sign + length - 2, "+x") == 0;
	if (*executable)
		length -= 2;
	if (length == strlen(HANDLER_MARK) && strncmp(sign, HANDLER_MARK, length) == 0)
		return *handler && snprintf(name, PATH_MAX, "%s", handler) < PATH_MAX;
	return snprintf(name, PATH_MAX, "%.*s", (int)length, sign) < PATH_MAX;
}

static bool sign_holds(const char *sign, const char *handler, int code_fd)
{
	char name[PATH_MAX];
	bool executable;

	return sign_read(sign, handler, name, &executable) &&
	       code_file(code_fd, name) >= (executable ? EXECUTABLE : PRESENT);
}

/* "src/app.handler" names src/app.EXTENSION, or src/app itself when that ends in the extension. */
static bool handler_names(const char *handler, const char *extension, int code_fd)
{
	const char *base = strrchr(handler, '/'), *dot = strrchr(base ? base : handler, '.');
	int stem = dot ? (int)(dot - handler) : 0, tail = (int)strlen(extension);
	char name[PATH_MAX];

	if (!stem)
		return false;
	if (snprintf(name, sizeof(name), "%.*s.%s", stem, handler, extension) < PATH_MAX &&
	        code_file(code_fd, name))
		return true;
	return stem > tail + 1 && handler[stem - tail - 1] == '.' &&
	       strncmp(handler + stem - tail, extension, (size_t)tail) == 0 &&
	       snprintf(name, sizeof(name), "%.*s", stem, handler) < PATH_MAX &&
	       code_file(code_fd, name);
}

static const struct runtime *by_handler(
        const struct runtimes *runtimes, const char *handler, int code_fd)
{
	const struct runtime *runtime;

	for (size_t i = 0; (runtime = runtimes_at(runtimes, i)); i++)
		for (char **extension = runtime->extensions; *extension; extension++)
			if (handler_names(handler, *extension, code_fd))
				return runtime;
	return NULL;
}

static const struct runtime *by_detection(
        const struct runtimes *runtimes, const char *handler, int code_fd)
{
	const struct runtime *runtime;

	for (size_t i = 0; (runtime = runtimes_at(runtimes, i)); i++)
		for (char **sign = runtime->detect; *sign; sign++)
			if (sign_holds(*sign, handler, code_fd))
				return runtime;
	return NULL;
}

/* "Bootstrap", "bootstrap.sh": what somebody may have meant. NULL: there is no such file. */
static char *misspelt(const char *name, int code_fd)
{
	CLEANUP(closedir_p) DIR *directory = open_directory(code_fd);
	const size_t length = strlen(name);
	struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		if (strncasecmp(entry->d_name, name, length) == 0 &&
		        (entry->d_name[length] == 0 || entry->d_name[length] == '.') &&
		        strcmp(entry->d_name, name) != 0 && code_file(code_fd, entry->d_name))
			return strdup(entry->d_name);
	return NULL;
}

/* Where the user's own file is what is started: whether it can be. */
static bool own_program_holds(
        const struct runtime *runtime, const int *directories, size_t count, struct buf *why)
{
	CLEANUP(free_p) char *meant = NULL;
	const char *name = runtime->argv[0];

	if (strncmp(name, CODE_AT, strlen(CODE_AT)) != 0)
		return true;
	name += strlen(CODE_AT);
	for (size_t i = 1; i < count; i++)
		if (code_file(directories[i], name) == EXECUTABLE)
			return true;
	switch (code_file(directories[0], name)) {
	case EXECUTABLE:
		return true;
	case PRESENT:
		buf_printf(why, "code/%s is not executable; type: chmod +x code/%s", name, name);
		return false;
	case ABSENT:
		break;
	}
	meant = misspelt(name, directories[0]);
	buf_printf(why, "there is no file code/%s, which is what starts the function", name);
	if (meant)
		buf_printf(why, "; code/%s must be named exactly so: mv code/%s code/%s", meant,
		        meant, name);
	return false;
}

static void explain_nothing(
        const struct runtimes *runtimes, const char *handler, int code_fd, struct buf *why)
{
	const struct runtime *runtime;
	char name[PATH_MAX];
	bool executable, first = true;

	for (size_t i = 0; (runtime = runtimes_at(runtimes, i)); i++)
		for (char **sign = runtime->detect; *sign; sign++)
			if (sign_read(*sign, handler, name, &executable) && executable &&
			        code_file(code_fd, name) == PRESENT) {
				buf_printf(why, "code/%s is not executable; type: chmod +x code/%s",
				        name, name);
				return;
			}
	for (size_t i = 0; (runtime = runtimes_at(runtimes, i)); i++) {
		CLEANUP(free_p) char *meant = NULL;

		if (strncmp(runtime->argv[0], CODE_AT, strlen(CODE_AT)) == 0)
			meant = misspelt(runtime->argv[0] + strlen(CODE_AT), code_fd);
		if (!meant)
			continue;
		buf_printf(why,
		        "code/ has %s, but the file that starts a function must be named exactly "
		        "%s: mv code/%s code/%s",
		        meant, runtime->argv[0] + strlen(CODE_AT), meant,
		        runtime->argv[0] + strlen(CODE_AT));
		return;
	}
	buf_puts(why, "code/ holds nothing that can be run");
	for (size_t i = 0; (runtime = runtimes_at(runtimes, i)); i++)
		for (char **sign = runtime->detect; *sign; sign++) {
			if (!sign_read(*sign, "", name, &executable))
				continue;
			buf_printf(why, "%s%s%s (%s)", first ? ": no " : ", no ",
			        executable ? "executable " : "", name, runtime->name);
			first = false;
		}
}

static const struct runtime *found(
        const struct runtime *runtime, const int *directories, size_t count, struct buf *why)
{
	if (runtime->available)
		return own_program_holds(runtime, directories, count, why) ? runtime : NULL;
	buf_puts(why, runtime->missing);
	return NULL;
}

static const struct runtime *configured_choose(const struct runtimes *runtimes, const char *name,
        const int *directories, size_t count, struct buf *why)
{
	const struct runtime *runtime = runtimes_find(runtimes, name);

	if (runtime)
		return found(runtime, directories, count, why);
	buf_printf(why, "there is no runtime %s; `ls runtimes` shows those there are", name);
	return NULL;
}

const struct runtime *runtimes_choose(const struct runtimes *runtimes, const char *configured,
        const char *handler, const int *directories, size_t count, struct buf *why)
{
	const struct runtime *runtime;

	if (strcmp(configured, "auto") != 0)
		return configured_choose(runtimes, configured, directories, count, why);
	for (size_t i = 0; i < count; i++)
		if ((runtime = by_handler(runtimes, handler, directories[i])))
			return found(runtime, directories, count, why);
	for (size_t i = 0; i < count; i++)
		if ((runtime = by_detection(runtimes, handler, directories[i])))
			return found(runtime, directories, count, why);
	explain_nothing(runtimes, handler, directories[0], why);
	return NULL;
}
