/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/views/root.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

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
        "  head functions/hello/metrics/*             its numbers\n"
        "  echo 10s > functions/hello/config/timeout  a setting is a file\n"
        "  echo value > functions/hello/config/env/KEY\n"
        "  rm -rf functions/hello                     remove it, code and all\n"
        "\n"
        "Files with mode 0444 are facts; what you can write, `ls -l` shows. Looking is free:\n"
        "ls, grep -r, find and tar never call a function and never wait.\n"
        "When something is refused, `cat last_error` says why.\n"
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

/* The log is a plain file outside the mount; a reader is its descriptor, plus one to tell it from NULL. */
static int log_open(const struct subject *subject, void **reader)
{
	int fd = open(engine_log_path(subject->engine), O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	*reader = (void *)(intptr_t)(fd + 1);
	return 0;
}

static int log_fd(void *reader)
{
	return (int)(intptr_t)reader - 1;
}

static ssize_t log_read(void *reader, void *data, size_t size, int64_t offset)
{
	ssize_t n = pread(log_fd(reader), data, size, offset);

	return n < 0 ? -errno : n;
}

static void log_close(void *reader)
{
	close(log_fd(reader));
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
