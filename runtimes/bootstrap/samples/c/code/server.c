/* An HTTP function: a small web server on 127.0.0.1:8000, a thread for each connection. */
#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "answer.h"

#define REQUEST_MAX (8 << 20)

struct connection {
	int fd;
	char *data; /* what was read and not used yet */
	size_t length;
};

static int read_more(struct connection *connection)
{
	ssize_t n = read(connection->fd, connection->data + connection->length,
		REQUEST_MAX - connection->length);

	if (n > 0)
		connection->length += (size_t)n;
	connection->data[connection->length] = 0;
	return n > 0;
}

/* The length of the head, with the empty line; 0 when the other end is gone. */
static size_t read_head(struct connection *connection)
{
	char *end;

	while (!(end = strstr(connection->data, "\r\n\r\n")))
		if (!read_more(connection))
			return 0;
	return (size_t)(end + 4 - connection->data);
}

static size_t content_length(const char *head)
{
	const char *line;

	for (line = strstr(head, "\r\n"); line && line[2] != '\r'; line = strstr(line + 2, "\r\n"))
		if (strncasecmp(line + 2, "Content-Length:", 15) == 0)
			return strtoul(line + 17, NULL, 10);
	return 0;
}

static int send_all(int fd, const char *data, size_t length)
{
	while (length) {
		ssize_t n = write(fd, data, length);

		if (n <= 0)
			return 0;
		data += n;
		length -= (size_t)n;
	}
	return 1;
}

static int respond(int fd, const char *body, size_t length)
{
	char head[128];
	int n = snprintf(head, sizeof(head),
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
		length);

	return send_all(fd, head, (size_t)n) && send_all(fd, body, length);
}

static int serve_one(struct connection *connection)
{
	size_t head = read_head(connection), body, length;
	char *out;
	int held;

	if (!head)
		return 0;
	body = content_length(connection->data);
	if (body > REQUEST_MAX - head)
		return 0;
	while (connection->length < head + body)
		if (!read_more(connection))
			return 0;
	out = malloc(body + 256);
	if (!out)
		return 0;
	length = body ? answer(connection->data + head, body, out, body + 256)
		      : answer("{}", 2, out, 256);
	held = respond(connection->fd, out, length);
	free(out);
	connection->length -= head + body;
	memmove(connection->data, connection->data + head + body, connection->length + 1);
	return held;
}

static void *serve(void *fd)
{
	struct connection connection = {.fd = (int)(intptr_t)fd, .data = calloc(1, REQUEST_MAX + 1)};

	while (connection.data && serve_one(&connection))
		continue;
	free(connection.data);
	close(connection.fd);
	return NULL;
}

int main(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons(8000),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int one = 1, fd, listener = socket(AF_INET, SOCK_STREAM, 0);
	pthread_t thread;

	signal(SIGPIPE, SIG_IGN);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(listener, 128) < 0) {
		perror("127.0.0.1:8000");
		return 1;
	}
	while ((fd = accept(listener, NULL, NULL)) >= 0)
		if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) == 0)
			pthread_detach(thread);
		else
			close(fd);
	return 1;
}
