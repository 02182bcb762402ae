/* SPDX-License-Identifier: Apache-2.0 */
/*
 * held   one open `invoke`: write, read
 * open   open, write, read to the end, close
 * once   open, write, one read, close: for who knows that the response is no longer than that
 * http   one TCP connection to 127.0.0.1, POST and its response, HTTP/1.1 keep-alive; the target is the port
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transport.h"

static int held_connect(const char *target)
{
	return open(target, O_RDWR | O_CLOEXEC);
}

static long held_call(
        int fd, const char *target, const char *event, size_t length, char *response, size_t size)
{
	if (write(fd, event, length) != (ssize_t)length)
		return -1;
	return read(fd, response, size);
}

static long read_to_end(int fd, char *response, size_t size)
{
	size_t have = 0;
	ssize_t got;

	while ((got = read(fd, response + have, size - have)) > 0)
		have += (size_t)got;
	return got < 0 ? -1 : (long)have;
}

static long read_once(int fd, char *response, size_t size)
{
	return read(fd, response, size);
}

static long opened_call(const char *target, const char *event, size_t length, char *response,
        size_t size, long (*take)(int fd, char *response, size_t size))
{
	int fd = open(target, O_RDWR | O_CLOEXEC);
	long got = -1;

	if (fd < 0)
		return -1;
	if (write(fd, event, length) == (ssize_t)length)
		got = take(fd, response, size);
	close(fd);
	return got;
}

static long open_call(int unused, const char *target, const char *event, size_t length,
        char *response, size_t size)
{
	return opened_call(target, event, length, response, size, read_to_end);
}

static long once_call(int unused, const char *target, const char *event, size_t length,
        char *response, size_t size)
{
	return opened_call(target, event, length, response, size, read_once);
}

static int http_connect(const char *target)
{
	struct sockaddr_in address = {
	        .sin_family = AF_INET,
	        .sin_port = htons((uint16_t)atoi(target)),
	        .sin_addr = {htonl(INADDR_LOOPBACK)},
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Puts the chunks behind a head together, when all are there; false while they are not. */
static bool join_chunks(char *at, char *end, size_t *length)
{
	char *to = at;
	size_t size = 1;

	for (char *line; size && (line = memmem(at, (size_t)(end - at), "\r\n", 2));) {
		size = strtoul(at, NULL, 16);
		at = line + 2;
		if ((size_t)(end - at) < size + 2)
			return false;
		memmove(to, at, size);
		to += size;
		at += size + 2;
		*length += size;
	}
	return !size;
}

static bool is_chunked(const char *response, const char *end)
{
	static const char name[] = "\r\nTransfer-Encoding: chunked";

	for (const char *at = response; at + sizeof(name) <= end + 4; at++)
		if (strncasecmp(at, name, sizeof(name) - 1) == 0)
			return true;
	return false;
}

/* Finds the body when the whole response is in the buffer; NULL while it is not. */
static const char *http_body(char *response, size_t have, size_t *length)
{
	char *end = memmem(response, have, "\r\n\r\n", 4);
	const char *line = response;

	*length = 0;
	if (end && is_chunked(response, end)) {
		/* It is put together once, when its end is there. */
		if (memcmp(response + have - 5, "0\r\n\r\n", 5) != 0)
			return NULL;
		return join_chunks(end + 4, response + have, length) ? end + 4 : NULL;
	}
	while (end && line && line < end && strncasecmp(line, "content-length:", 15) != 0) {
		line = memchr(line, '\n', (size_t)(end - line));
		line = line ? line + 1 : NULL;
	}
	if (!end || !line || line >= end)
		return NULL;
	*length = strtoul(line + 15, NULL, 10);
	return end + 4 + *length <= response + have ? end + 4 : NULL;
}

static int http_send(int fd, const char *target, const char *event, size_t length)
{
	const char *path = strchr(target, '/');
	char request[65536];
	int head = snprintf(request, sizeof(request),
	        "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
	        "Content-Length: %zu\r\n\r\n",
	        path ? path : "/", length);

	if ((size_t)head + length > sizeof(request)) {
		errno = EMSGSIZE;
		return -1;
	}
	memcpy(request + head, event, length);
	return write(fd, request, (size_t)head + length) == head + (ssize_t)length ? 0 : -1;
}

static long http_call(
        int fd, const char *target, const char *event, size_t length, char *response, size_t size)
{
	const char *body = NULL;
	size_t have = 0, whole = 0;

	if (http_send(fd, target, event, length) < 0)
		return -1;
	while (!body) {
		ssize_t got = read(fd, response + have, size - have);
		if (got <= 0)
			return -1;
		have += (size_t)got;
		body = http_body(response, have, &whole);
	}
	memmove(response, body, whole);
	return (long)whole;
}

static const struct transport transports[] = {
        {"held", held_connect, held_call},
        {"open", NULL, open_call},
        {"once", NULL, once_call},
        {"http", http_connect, http_call},
};

const struct transport *transport_find(const char *name)
{
	for (size_t i = 0; i < sizeof(transports) / sizeof(transports[0]); i++)
		if (strcmp(transports[i].name, name) == 0)
			return &transports[i];
	return NULL;
}
