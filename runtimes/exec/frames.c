/* SPDX-License-Identifier: Apache-2.0 */
#include "frames.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"

#define CHANNEL_OUT 4
#define TAIL_LINES  20

void frame_send(uint8_t type, uint8_t flags, uint64_t call, const void *data, size_t length)
{
	char header[PROTOCOL_HEADER_SIZE];
	struct iovec parts[] = {{header, sizeof(header)}, {(void *)data, length}};
	struct iovec *part = parts;

	protocol_encode_header(header, type, flags, call, length);
	while (parts[0].iov_len + parts[1].iov_len) {
		ssize_t n = writev(CHANNEL_OUT, part, (int)(parts + 2 - part));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			_exit(1); /* nobody can be told */
		for (; part < parts + 2 && (size_t)n >= part->iov_len; part++) {
			n -= (ssize_t)part->iov_len;
			part->iov_len = 0;
		}
		if (part < parts + 2) {
			part->iov_base = (char *)part->iov_base + n;
			part->iov_len -= (size_t)n;
		}
	}
}

_Noreturn void frame_refuse(const char *why)
{
	dprintf(2, "fnfs: %s\n", why);
	_exit(70);
}

static void quote_lines(struct buf *out, const struct buf *tail)
{
	const char *end = tail->data + tail->length, *start = end;
	bool first = true;

	for (int lines = 0; start > tail->data && lines < TAIL_LINES; lines++)
		for (start--; start > tail->data && start[-1] != '\n'; start--)
			;
	while (start < end) {
		const char *newline = memchr(start, '\n', (size_t)(end - start)) ?: end;

		buf_puts(out, first ? "" : ",");
		json_quote(out, start, (size_t)(newline - start));
		first = false;
		start = newline + 1;
	}
}

void frame_send_error(uint8_t type, uint8_t flags, uint64_t call, const char *kind,
        const char *message, const struct buf *tail)
{
	CLEANUP(buf_deinit) struct buf json = BUF_INIT;

	buf_puts(&json, "{\"errorMessage\":");
	json_quote(&json, message, strlen(message));
	buf_printf(&json, ",\"errorType\":\"%s\",\"stackTrace\":[", kind);
	if (tail && tail->length)
		quote_lines(&json, tail);
	buf_puts(&json, "]}");
	frame_send(type, flags, call, json.data, json.failed ? 0 : json.length);
}
