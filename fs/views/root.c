/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/views/root.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "engine/engine.h"

static const char readme[] =
        "A function platform as a directory. Everything is done with file operations.\n"
        "\n"
        "  mkdir functions/hello                      make a function\n"
        "  cp -r runtimes/python/template/. functions/hello/code\n"
        "                                             start from a sample (also nodejs, exec)\n"
        "  vim functions/hello/code/index.py          saving deploys\n"
        "  cat functions/hello/status                 does it load? why not?\n"
        "\n"
        "  fnfs call hello '{\"name\":\"you\"}'           call it; or, without the command:\n"
        "  exec 3<>functions/hello/invoke; echo '{}' >&3; cat <&3; exec 3>&-\n"
        "  echo '{}' > functions/hello/invoke; cat functions/hello/invoke\n"
        "\n"
        "  tail -F functions/hello/logs/current       follow its log\n"
        "  ls functions/hello/calls                   its last calls, each a directory\n"
        "  cat functions/hello/metrics/p99            its numbers, one per file\n"
        "  echo 10s > functions/hello/config/timeout  a setting is a file\n"
        "  echo value > functions/hello/config/env/KEY\n"
        "\n"
        "  cp requests.zip dependencies/              an archive becomes a package\n"
        "  cat dependencies/requests/status           is it unpacked?\n"
        "  ln -s ../../../../dependencies/requests functions/hello/config/dependencies/\n"
        "                                             the function can import it\n"
        "\n"
        "  rm -rf functions/hello                     remove it, code and all\n"
        "\n"
        "Files with mode 0444 are facts; `ls -l` shows what can be written. Looking is\n"
        "free: ls, grep -r, find and tar never call a function and never wait. When\n"
        "something is refused, `cat last_error` says why.\n"
        "More: man 7 fnfs, man 1 fnfs.\n";

int root_show_readme(const struct subject *subject, struct buf *out)
{
	buf_append(out, readme, sizeof(readme) - 1);
	return 0;
}

int root_show_status(const struct subject *subject, struct buf *out)
{
	engine_show_status(subject->engine, out);
	return 0;
}

int root_show_metrics(const struct subject *subject, struct buf *out)
{
	engine_show_openmetrics(subject->engine, out);
	return 0;
}

int root_show_last_error(const struct subject *subject, struct buf *out)
{
	const char *sentence =
	        last_error_get(engine_last_error(subject->engine), subject->caller.uid);

	if (*sentence)
		buf_printf(out, "%s\n", sentence);
	return 0;
}

/*
 * The log is a plain file outside the mount. Each read opens it, for it is renamed away once it is large:
 * a reader that stays sees the fresh one then, as shorter, which `tail -F` takes for what it is.
 */
static int log_open(const struct subject *subject, void **reader)
{
	*reader = strdup(engine_log_path(subject->engine));
	return *reader ? 0 : -ENOMEM;
}

static ssize_t log_read(void *reader, void *data, size_t size, int64_t offset)
{
	CLEANUP(close_p) int fd = open(reader, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : pread(fd, data, size, offset);

	if (n < 0)
		return errno == ENOENT ? 0 : -errno;
	return n;
}

static void log_close(void *reader)
{
	free(reader);
}

static int64_t log_size(const struct subject *subject)
{
	struct stat st;

	return stat(engine_log_path(subject->engine), &st) < 0 ? 0 : st.st_size;
}

static int64_t log_modified_us(const struct subject *subject)
{
	struct stat st;

	if (stat(engine_log_path(subject->engine), &st) < 0)
		return subject->time_us;
	return st.st_mtim.tv_sec * INT64_C(1000000) + st.st_mtim.tv_nsec / 1000;
}

const struct tail root_log = {
        .open = log_open,
        .read = log_read,
        .close = log_close,
        .size = log_size,
        .modified_us = log_modified_us,
};
