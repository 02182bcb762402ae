/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sockets are the daemon's: what cannot be had is said when it starts, and they outlive a gateway. The
 * socket in the state directory has its mode before it has its name.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "engine/door_private.h"
#include "engine/engine_state.h"

#define SOCKET_NAME "gateway.sock"

enum { BACKLOG = 4096 };

static int add(struct door *door, int fd, const char *kind, char *address)
{
	if (!address) {
		close(fd);
		return -ENOMEM;
	}
	door->listeners[door->listener_count++] = (struct door_listener){fd, kind, address};
	return 0;
}

/* --- in the state directory ------------------------------------------------------------------- */

/* A socket's path has at most 107 bytes; a longer one is taken by way of its directory. */
static int bind_in(const struct engine *engine, int fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t size = sizeof(address.sun_path);

	if ((size_t)snprintf(address.sun_path, size, "%s/%s", engine->state_dir, SOCKET_NAME) >=
	        size)
		snprintf(address.sun_path, size, "/proc/self/fd/%d/%s", engine->state_fd,
		        SOCKET_NAME);
	unlinkat(engine->state_fd, SOCKET_NAME, 0);
	if (fchmod(fd, 0600) < 0 ||
	        bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	        listen(fd, BACKLOG) < 0)
		return -errno;
	return 0;
}

static int listen_in_state_directory(struct door *door)
{
	CLEANUP(close_p)
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	char *address;
	int r = fd < 0 ? -errno : bind_in(door->engine, fd);

	if (r < 0)
		return fail(r, "listening on %s/%s", door->engine->state_dir, SOCKET_NAME);
	if (asprintf(&address, "unix:%s/%s", door->engine->state_dir, SOCKET_NAME) < 0)
		return -ENOMEM;
	return add(door, take_fd(fd), "unix", address);
}

/* --- addresses -------------------------------------------------------------------------------- */

static bool is_loopback(const struct sockaddr *address)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
	const struct sockaddr_in *four = (const struct sockaddr_in *)address;

	if (address->sa_family == AF_INET)
		return ntohl(four->sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
}

/* HOST:PORT or [HOST]:PORT, cut apart in place. */
static int cut(char *text, char **host, char **port)
{
	char *colon = strrchr(text, ':'), *bracket = strrchr(text, ']');

	if (!colon || !colon[1] || colon == text)
		return -EINVAL;
	*colon = 0;
	*port = colon + 1;
	*host = text;
	if (strspn(*port, "0123456789") != strlen(*port) || strlen(*port) > 5 ||
	        atoi(*port) > UINT16_MAX)
		return -EINVAL;
	if (!bracket)
		return strchr(text, ':') ? -EINVAL : 0;
	if (text[0] != '[' || bracket != colon - 1)
		return -EINVAL;
	*bracket = 0;
	*host = text + 1;
	return 0;
}

static int resolve(const char *typed, struct addrinfo **out, struct buf *why)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
	        .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
	CLEANUP(free_p) char *copy = strdup(typed);
	char *host, *port;

	if (!copy)
		return -ENOMEM;
	if (cut(copy, &host, &port) == 0) {
		if (strcmp(host, "localhost") == 0)
			host = "127.0.0.1";
		if (getaddrinfo(host, port, &hints, out) == 0)
			return 0;
	}
	buf_printf(why, "--listen %s: an address and a port are wanted, as 127.0.0.1:8080", typed);
	return -EINVAL;
}

static int open_at(const struct addrinfo *at)
{
	CLEANUP(close_p)
	int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (at->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, at->ai_addr, at->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	return take_fd(fd);
}

/* As a client types it; port 0 has become one by now. */
static char *url_of(const struct door *door, int fd)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	char host[INET6_ADDRSTRLEN], port[8], *url;
	bool six;

	if (getsockname(fd, (struct sockaddr *)&address, &size) < 0 ||
	        getnameinfo((struct sockaddr *)&address, size, host, sizeof(host), port,
	                sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return NULL;
	six = address.ss_family == AF_INET6;
	return asprintf(&url, "%s://%s%s%s:%s", door->certificate ? "https" : "http",
	               six ? "[" : "", host, six ? "]" : "", port) < 0
	               ? NULL
	               : url;
}

static int listen_at(
        struct door *door, const char *typed, const struct door_options *options, struct buf *why)
{
	struct addrinfo *found = NULL;
	bool loopback;
	int fd, r = resolve(typed, &found, why);

	if (r < 0)
		return r;
	loopback = is_loopback(found->ai_addr);
	fd = open_at(found);
	freeaddrinfo(found);
	if (fd < 0) {
		buf_printf(why, "--listen %s: %s", typed, strerror(-fd));
		return fd;
	}
	return add(
	        door, fd, loopback && options->open_loopback ? "open" : "token", url_of(door, fd));
}

int door_listen(struct door *door, const struct door_options *options, struct buf *why)
{
	const char *const *typed = options->listen;
	int r = listen_in_state_directory(door);

	if (r != -ENOMEM)
		r = 0; /* not every file system has sockets; it was logged */
	for (; r == 0 && typed && *typed; typed++) {
		if (door->listener_count == DOOR_LISTENERS_MOST) {
			buf_printf(why, "--listen at most %d times", DOOR_LISTENERS_MOST - 1);
			return -E2BIG;
		}
		r = listen_at(door, *typed, options, why);
	}
	return r;
}

void door_close_listeners(struct door *door)
{
	for (size_t i = 0; i < door->listener_count; i++) {
		close_fd(door->listeners[i].fd);
		free(door->listeners[i].address);
	}
	if (door->listener_count)
		unlinkat(door->engine->state_fd, SOCKET_NAME, 0);
	door->listener_count = 0;
}
