/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is in the image that tools/bench calls: sends back what is posted to it, one connection after the
 * other, and knows no /init. PORT is for when nobody keeps 8000 free.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

static char data[64 * 1024];

/* Bytes of the head, with the empty line behind it; 0: it is not all there. */
static size_t head_length(size_t got)
{
	const char *end = memmem(data, got, "\r\n\r\n", 4);

	return end ? (size_t)(end + 4 - data) : 0;
}

static size_t body_length(size_t head)
{
	static const char name[] = "\ncontent-length:";

	for (const char *at = data; at < data + head; at++)
		if (strncasecmp(at, name, sizeof(name) - 1) == 0)
			return strtoul(at + sizeof(name) - 1, NULL, 10);
	return 0;
}

static int answer(int connection, const char *body, size_t length)
{
	static const char unknown[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
	char reply[sizeof(data) + 128];
	int head;

	if (strncmp(data, "POST /init ", 11) == 0)
		return write(connection, unknown, sizeof(unknown) - 1) > 0;
	head = snprintf(reply, 128, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", length);
	memcpy(reply + head, body, length);
	return write(connection, reply, (size_t)head + length) > 0;
}

static void serve(int connection)
{
	size_t got = 0, head, length;
	ssize_t more;

	while ((more = read(connection, data + got, sizeof(data) - 1 - got)) > 0) {
		got += (size_t)more;
		data[got] = 0;
		head = head_length(got);
		length = head ? body_length(head) : 0;
		if (!head || got < head + length)
			continue;
		if (!answer(connection, data + head, length))
			return;
		got = 0;
	}
}

int main(void)
{
	const char *port = getenv("PORT");
	struct sockaddr_in address = {.sin_family = AF_INET,
	        .sin_port = htons((uint16_t)(port ? atoi(port) : 8000)),
	        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1, connection;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	        listen(listener, 16) < 0)
		return 1;
	while ((connection = accept(listener, NULL, NULL)) >= 0) {
		setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		serve(connection);
		close(connection);
	}
	return 1;
}
