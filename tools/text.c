/* SPDX-License-Identifier: Apache-2.0 */
/* Files here are rendered at open: one that is read to its end in several reads is still of a piece. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "text.h"

#define TEXT_MAX (1 << 20)

static int read_into(int fd, struct buf *text)
{
	for (;;) {
		char *room = text->length < TEXT_MAX ? buf_reserve(text, 4096) : NULL;
		ssize_t got;

		if (!room)
			return text->length < TEXT_MAX ? -ENOMEM : -EFBIG;
		got = read(fd, room, 4096);
		if (got > 0)
			buf_added(text, (size_t)got);
		else if (got == 0)
			return 0;
		else if (errno != EINTR)
			return -errno;
	}
}

char *text_read(int directory, const char *path)
{
	CLEANUP(close_p) int fd = openat(directory, path, O_RDONLY | O_CLOEXEC);
	CLEANUP(buf_deinit) struct buf text = BUF_INIT;
	int error;

	if (fd < 0)
		return NULL;
	error = read_into(fd, &text);
	if (error) {
		errno = -error;
		return NULL;
	}
	return buf_take(&text);
}

char *text_read_line(int directory, const char *path)
{
	char *text = text_read(directory, path);
	size_t length = text ? strlen(text) : 0;

	if (length && text[length - 1] == '\n')
		text[length - 1] = 0;
	return text;
}

char *text_value(const char *text, const char *key)
{
	size_t length = strlen(key);

	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		if (*line == '\n')
			line++;
		if (strncmp(line, key, length) == 0 && line[length] == ' ')
			return strndup(line + length + 1, strcspn(line + length + 1, "\n"));
	}
	return NULL;
}
