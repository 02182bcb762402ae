/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libmicrohttpd without threads: it has an epoll descriptor of its own, which our loop watches, and is
 * run when that is ready. A connection that rests is suspended; the answer resumes it, and its handler
 * is then called once more and finds the answer.
 */
#include "run/http_server.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "base/list.h"
#include "run/watch.h"

enum {
	TURNS_AT_ONCE = 16,
	SILENCE_S = 30, /* of a connection that has never asked for anything */
	DRAIN_TURNS = 512,
	SPARE_CONNECTIONS = 8,
	/* Clients of Lambda send headers of up to a megabyte; those with many connections do not. */
	MEMORY_MOST = 1280 << 10,
	MEMORY_LEAST = 96 << 10,
	MEMORY_OF_ALL = 24 << 20,
};

struct http_server {
	struct MHD_Daemon *daemon;
	struct watch *watch;
	struct alarms *alarms;
	struct alarm again;
	struct list requests;
	const struct http_server_events *events;
	void *userdata;
	bool busy, ending;
};

struct request {
	struct http_served served; /* first */
	struct list link;
	struct http_server *server;
	struct MHD_Connection *connection;
	struct MHD_Response *response; /* the answer, until it is queued */
	unsigned status;
	char *method, *path;
	bool complete, rests, answered, broken;
};

static struct request *request_of(const struct http_served *served)
{
	return (struct request *)served;
}

/* --- the turns ------------------------------------------------------------------------------ */

static void run_again(struct alarm *alarm);

static void run(struct http_server *server, int turns)
{
	MHD_UNSIGNED_LONG_LONG timeout_ms = 0;
	bool waits = true;

	if (server->busy)
		return;
	server->busy = true;
	for (int turn = 0; turn < turns && waits && !timeout_ms; turn++) {
		MHD_run(server->daemon);
		waits = MHD_get_timeout(server->daemon, &timeout_ms) == MHD_YES;
	}
	server->busy = false;
	if (waits)
		alarm_set(server->alarms, &server->again, (int64_t)timeout_ms * 1000, run_again);
}

static void ready(void *userdata, int events)
{
	run(userdata, TURNS_AT_ONCE);
}

static void run_again(struct alarm *alarm)
{
	ready(container_of(alarm, struct http_server, again), 0);
}

void http_server_drain(struct http_server *server)
{
	run(server, DRAIN_TURNS);
}

/* --- a request ------------------------------------------------------------------------------ */

static struct request *request_new(struct http_server *server, struct MHD_Connection *connection,
        const char *method, const char *path)
{
	struct request *request = calloc(1, sizeof(*request));

	if (!request)
		return NULL;
	list_init(&request->link);
	request->server = server;
	request->connection = connection;
	request->method = strdup(method);
	request->path = strdup(path);
	request->served.method = request->method;
	request->served.path = request->path;
	if (request->method && request->path)
		return request;
	free(request->method);
	free(request->path);
	free(request);
	return NULL;
}

static enum MHD_Result queue(struct request *request)
{
	struct MHD_Response *response = take(request->response);
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	result = MHD_queue_response(request->connection, request->status, response);
	MHD_destroy_response(response);
	return result;
}

static int descriptor_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
	        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	return info ? info->connect_fd : -1;
}

/* A client that writes headers and body apart waits, by Nagle's rule, for the ACK of the first. */
static void acknowledge(struct MHD_Connection *connection)
{
	int one = 1;

	setsockopt(descriptor_of(connection), IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one));
}

/*
 * The peer's end that came at the same moment as the last bytes has been told by the same edge of epoll, and
 * libmicrohttpd, which took the bytes, would not look again: shutdown() raises another edge.
 */
static void look_for_end(struct MHD_Connection *connection)
{
	int fd = descriptor_of(connection);
	char byte;

	if (recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
		shutdown(fd, SHUT_RD);
}

static enum MHD_Result handle(void *userdata, struct MHD_Connection *connection, const char *path,
        const char *method, const char *version, const char *data, size_t *length, void **own)
{
	struct http_server *server = userdata;
	struct request *request = *own;

	if (!request) {
		request = *own = request_new(server, connection, method, path);
		if (!request)
			return MHD_NO;
		list_append(&server->requests, &request->link);
		acknowledge(connection);
		MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, 0u);
		server->events->begin(server->userdata, &request->served);
		look_for_end(connection);
		return MHD_YES;
	}
	if (*length) {
		server->events->data(server->userdata, &request->served, data, *length);
		*length = 0;
		look_for_end(connection);
		return MHD_YES;
	}
	request->rests = false;
	if (!request->complete) {
		request->complete = true;
		server->events->complete(server->userdata, &request->served);
	}
	if (request->answered)
		return queue(request);
	request->rests = true;
	MHD_suspend_connection(connection);
	return MHD_YES;
}

static void completed(void *userdata, struct MHD_Connection *connection, void **own,
        enum MHD_RequestTerminationCode code)
{
	struct http_server *server = userdata;
	struct request *request = *own;

	if (!request)
		return;
	*own = NULL;
	list_unlink(&request->link);
	server->events->gone(
	        server->userdata, &request->served, code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
	if (request->response)
		MHD_destroy_response(request->response);
	free(request->method);
	free(request->path);
	free(request);
}

const char *http_served_header(const struct http_served *served, const char *name)
{
	return MHD_lookup_connection_value(request_of(served)->connection, MHD_HEADER_KIND, name);
}

const char *http_served_trailer(const struct http_served *served, const char *name)
{
	return MHD_lookup_connection_value(request_of(served)->connection, MHD_FOOTER_KIND, name);
}

bool http_served_waits(const struct http_served *served)
{
	int fd = descriptor_of(request_of(served)->connection);
	char byte;
	ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return n > 0 || (n < 0 && errno == EAGAIN);
}

static void add_headers(struct MHD_Response *response, const char *headers)
{
	for (; headers && *headers; headers += strlen(headers) + 1) {
		const char *colon = strchr(headers, ':');
		char name[64];

		snprintf(name, sizeof(name), "%.*s", (int)(colon - headers), headers);
		MHD_add_response_header(response, name, colon + 2);
	}
}

void http_served_answer(struct http_served *served, const struct http_answer *answer)
{
	struct request *request = request_of(served);

	if (request->answered)
		return;
	request->answered = true;
	request->status = answer->status;
	request->response = MHD_create_response_from_buffer(
	        answer->length, (void *)answer->body, MHD_RESPMEM_MUST_COPY);
	if (request->response) {
		MHD_add_response_header(
		        request->response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->content_type);
		add_headers(request->response, answer->headers);
	}
	if (!request->rests)
		return;
	MHD_resume_connection(request->connection);
	alarm_set(request->server->alarms, &request->server->again, 0, run_again);
}

/* --- life ----------------------------------------------------------------------------------- */

static unsigned connection_memory(unsigned connections)
{
	unsigned memory = MEMORY_OF_ALL / connections;

	return memory > MEMORY_MOST ? MEMORY_MOST : memory < MEMORY_LEAST ? MEMORY_LEAST : memory;
}

static void log_nothing(void *userdata, const char *format, va_list arguments)
{
}

static int start(struct http_server *server, uv_loop_t *loop, int listener, unsigned connections)
{
	const union MHD_DaemonInfo *info;

	server->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
	        handle, server, MHD_OPTION_LISTEN_SOCKET, listener, MHD_OPTION_CONNECTION_LIMIT,
	        connections, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SILENCE_S,
	        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)connection_memory(connections),
	        MHD_OPTION_NOTIFY_COMPLETED, completed, server, MHD_OPTION_EXTERNAL_LOGGER,
	        log_nothing, NULL, MHD_OPTION_END);
	if (!server->daemon) {
		close(listener);
		return fail(-ENOMEM, "starting an HTTP server");
	}
	info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	server->watch = info ? watch_new(loop, info->epoll_fd, ready, server) : NULL;
	if (!server->watch)
		return fail(-ENOMEM, "watching an HTTP server");
	watch_events(server->watch, UV_READABLE);
	return 0;
}

int http_server_new(struct http_server **out, uv_loop_t *loop, struct alarms *alarms, int listener,
        unsigned connections_max, const struct http_server_events *events, void *userdata)
{
	struct http_server *server = calloc(1, sizeof(*server));
	int r;

	if (!server) {
		close(listener);
		return -ENOMEM;
	}
	list_init(&server->requests);
	server->alarms = alarms;
	server->events = events;
	server->userdata = userdata;
	r = start(server, loop, listener, connections_max + SPARE_CONNECTIONS);
	if (r < 0)
		server = http_server_free(server);
	*out = server;
	return r;
}

struct http_server *http_server_free(struct http_server *server)
{
	struct request *request;

	if (!server)
		return NULL;
	server->watch = watch_free(server->watch);
	alarm_clear(server->alarms, &server->again);
	server->busy = true; /* it runs no more but to end */
	list_each(request, &server->requests, link) {
		request->answered = true;
		if (request->rests)
			MHD_resume_connection(request->connection);
	}
	if (server->daemon)
		MHD_stop_daemon(server->daemon);
	free(server);
	return NULL;
}
