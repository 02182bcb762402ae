/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libmicrohttpd without threads: it has an epoll descriptor of its own, which our loop watches, and is
 * run when that is ready, or when a connection that rested goes on. While one rests the library reads
 * nothing of it, so its socket is watched here for the client's going.
 */
#include "gateway/server.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/list.h"
#include "gateway/framing.h"
#include "gateway/patience.h"
#include "gateway/pieces.h"

enum {
	TURNS_AT_ONCE = 16,
	SILENCE_S = 30,
	CONNECTION_MEMORY = 48 << 10, /* all headers of a request have to fit in half of it */
	PIECE = 32 << 10,
};

struct server {
	struct MHD_Daemon *daemon;
	struct loop *loop;
	struct source source;
	const char *kind;
	const struct server_events *events;
	void *userdata;
	struct patience patience;
	bool again, stopping;
};

struct request;

struct connection {
	struct patience_wait wait;
	struct source source; /* tells when the client shuts its side */
	struct server *server;
	struct request *rests; /* the one under way, while it rests */
	int fd;
	bool left;
};

struct request {
	struct http_request http; /* first */
	struct server *server;
	struct MHD_Connection *mhd;
	struct connection *connection;
	struct MHD_Response *response;
	int status;
	char *method, *target;
	struct pieces pieces;
	size_t swallowed;
	bool begun, complete, rests, answered, streams, ended, well;
};

static struct request *request_of(const struct http_request *http)
{
	return (struct request *)http;
}

/* --- time ------------------------------------------------------------------------------------- */

static void enter(struct server *server, struct connection *connection, enum patience_phase phase)
{
	if (connection)
		patience_enter(&server->patience, &connection->wait, phase, loop_now_ms());
}

/* Whatever it is about, the library finds its end when it reads or writes. */
static void cut_off(struct connection *connection)
{
	shutdown(connection->fd, SHUT_RDWR);
}

static void too_late(struct patience_wait *wait)
{
	cut_off(container_of(wait, struct connection, wait));
}

static int library_wait_ms(struct server *server)
{
	MHD_UNSIGNED_LONG_LONG wait_ms = 0;

	if (MHD_get_timeout(server->daemon, &wait_ms) != MHD_YES)
		return -1;
	return wait_ms < PATIENCE_SWEEP_MS ? (int)wait_ms : PATIENCE_SWEEP_MS;
}

int server_turn(struct server *server)
{
	int wait_ms = server->again ? 0 : library_wait_ms(server);

	server->again = false;
	patience_sweep(&server->patience, loop_now_ms(), too_late);
	for (int turn = 0; turn < TURNS_AT_ONCE && wait_ms == 0; turn++) {
		MHD_run(server->daemon);
		wait_ms = library_wait_ms(server);
	}
	return server->again ? 0 : wait_ms;
}

static void library_ready(struct source *source, uint32_t events)
{
	container_of(source, struct server, source)->again = true;
}

/* --- resting ---------------------------------------------------------------------------------- */

static void go_on(struct request *request)
{
	if (!request->rests)
		return;
	request->rests = false;
	request->connection->rests = NULL;
	MHD_resume_connection(request->mhd);
	request->server->again = true;
}

/* Nobody is there to be answered. */
static void abandon(struct request *request)
{
	cut_off(request->connection);
	request->answered = true; /* where there is no response yet, the connection ends */
	request->ended = true;
	request->well = false;
	go_on(request);
}

/*
 * It went, or shut its side, which is the same here. An end that came at the same moment as the last bytes has
 * been told by the same edge of epoll, and the library, which took the bytes, would not look again:
 * shutdown() raises another one.
 */
static void client_left(struct source *source, uint32_t events)
{
	struct connection *connection = container_of(source, struct connection, source);

	connection->left = true;
	connection->server->again = true;
	if (connection->rests)
		abandon(connection->rests);
	else
		shutdown(connection->fd, SHUT_RD);
}

static void rest(struct request *request)
{
	request->rests = true;
	request->connection->rests = request;
	MHD_suspend_connection(request->mhd);
	if (request->connection->left)
		abandon(request);
}

/* --- a request -------------------------------------------------------------------------------- */

static void request_free(struct request *request)
{
	if (request->response)
		MHD_destroy_response(request->response);
	buf_deinit(&request->pieces.buf);
	free(request->method);
	free(request->target);
	free(request);
}

/* Called with the first line, before there are headers: the target is never again to be had so. */
static void *line_came(void *userdata, const char *target, struct MHD_Connection *mhd)
{
	struct request *request = calloc(1, sizeof(*request));

	if (!request)
		return NULL;
	request->server = userdata;
	request->http.kind = request->server->kind;
	request->mhd = mhd;
	request->http.target = request->target = strdup(target);
	return request;
}

static enum MHD_Result queue(struct request *request)
{
	struct MHD_Response *response = take(request->response);
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	enter(request->server, request->connection, request->streams ? PHASE_RESTS : PHASE_ANSWER);
	result = MHD_queue_response(request->mhd, (unsigned)request->status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result begin(struct request *request, const char *method, const char *version)
{
	struct server *server = request->server;
	const union MHD_ConnectionInfo *info =
	        MHD_get_connection_info(request->mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	const char *trouble;

	request->begun = true;
	request->connection = info ? info->socket_context : NULL;
	request->http.method = request->method = strdup(method);
	if (!request->method || !request->target || !request->connection)
		return MHD_NO;
	enter(server, request->connection, PHASE_BODY);
	trouble = framing_trouble(&request->http, version);
	if (trouble)
		http_request_answer(&request->http,
		        &(struct http_answer){.status = 400,
		                .headers = "Connection: close\0Content-Type: text/plain\0",
		                .body = trouble,
		                .length = strlen(trouble)});
	else
		server->events->begin(server->userdata, &request->http);
	return request->answered && (trouble || !framing_swallows(&request->http)) ? queue(request)
	                                                                           : MHD_YES;
}

static enum MHD_Result handle(void *userdata, struct MHD_Connection *mhd, const char *path,
        const char *method, const char *version, const char *data, size_t *length, void **own)
{
	struct server *server = userdata;
	struct request *request = *own;

	if (!request)
		return MHD_NO;
	if (!request->begun)
		return begin(request, method, version);
	if (*length) {
		request->swallowed += request->answered ? *length : 0;
		if (!request->answered)
			server->events->data(server->userdata, &request->http, data, *length);
		*length = 0;
		return request->swallowed <= FRAMING_SWALLOWED_MOST ? MHD_YES : MHD_NO;
	}
	if (!request->complete) {
		request->complete = true;
		enter(server, request->connection, PHASE_RESTS);
		if (!request->answered)
			server->events->complete(server->userdata, &request->http);
	}
	if (request->answered)
		return queue(request);
	rest(request);
	return MHD_YES;
}

static void completed(void *userdata, struct MHD_Connection *mhd, void **own,
        enum MHD_RequestTerminationCode code)
{
	struct server *server = userdata;
	struct request *request = *own;

	if (!request)
		return;
	*own = NULL;
	if (request->begun) {
		enter(server, request->connection, PHASE_HEAD);
		server->events->gone(server->userdata, &request->http,
		        code != MHD_REQUEST_TERMINATED_COMPLETED_OK);
		if (server->stopping && request->connection)
			cut_off(request->connection);
	}
	request_free(request);
}

/* --- connections ------------------------------------------------------------------------------ */

static void connection_changed(void *userdata, struct MHD_Connection *mhd, void **own,
        enum MHD_ConnectionNotificationCode code)
{
	struct server *server = userdata;
	const union MHD_ConnectionInfo *info;
	struct connection *connection = *own;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (connection) {
			patience_leave(&connection->wait);
			loop_drop(server->loop, &connection->source);
		}
		free(connection);
		*own = NULL;
		return;
	}
	info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	connection = info ? calloc(1, sizeof(*connection)) : NULL;
	*own = connection;
	if (!connection)
		return;
	patience_wait_init(&connection->wait);
	connection->server = server;
	connection->fd = info->connect_fd;
	connection->source = (struct source){-1, client_left};
	loop_watch(server->loop, &connection->source, connection->fd, EPOLLRDHUP | EPOLLET);
	enter(server, connection, PHASE_HEAD);
}

/* --- answers ---------------------------------------------------------------------------------- */

static void add_headers(struct MHD_Response *response, const char *headers)
{
	for (; headers && *headers; headers += strlen(headers) + 1) {
		const char *colon = strchr(headers, ':');
		char name[128];

		snprintf(name, sizeof(name), "%.*s", (int)(colon - headers), headers);
		MHD_add_response_header(response, name, colon + 2);
	}
}

static void give(struct request *request, int status, struct MHD_Response *response)
{
	if (request->server->stopping && response)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	request->answered = true;
	request->status = status;
	request->response = response;
	go_on(request);
}

void http_request_answer(struct http_request *http, const struct http_answer *answer)
{
	struct request *request = request_of(http);
	struct MHD_Response *response;

	if (request->answered)
		return;
	response = MHD_create_response_from_buffer(
	        answer->length, (void *)answer->body, MHD_RESPMEM_MUST_COPY);
	if (response)
		add_headers(response, answer->headers);
	give(request, answer->status, response);
}

static ssize_t next_piece(void *userdata, uint64_t position, char *out, size_t most)
{
	struct request *request = userdata;
	size_t taken = pieces_take(&request->pieces, out, most);

	if (taken)
		return (ssize_t)taken;
	if (request->ended)
		return request->well && !request->pieces.buf.failed
		               ? MHD_CONTENT_READER_END_OF_STREAM
		               : MHD_CONTENT_READER_END_WITH_ERROR;
	rest(request);
	return 0;
}

void http_request_stream(struct http_request *http, int status, const char *headers)
{
	struct request *request = request_of(http);
	struct MHD_Response *response;

	if (request->answered)
		return;
	request->streams = true;
	response = MHD_create_response_from_callback(
	        MHD_SIZE_UNKNOWN, PIECE, next_piece, request, NULL);
	if (response)
		add_headers(response, headers);
	give(request, status, response);
}

void http_request_piece(struct http_request *http, const char *data, size_t length)
{
	struct request *request = request_of(http);

	buf_append(&request->pieces.buf, data, length);
	go_on(request);
}

void http_request_end(struct http_request *http, bool well)
{
	struct request *request = request_of(http);

	if (request->ended)
		return;
	request->ended = true;
	request->well = well;
	enter(request->server, request->connection, PHASE_ANSWER);
	go_on(request);
}

/* --- what was sent ---------------------------------------------------------------------------- */

const char *http_request_header(const struct http_request *http, const char *name)
{
	return MHD_lookup_connection_value(request_of(http)->mhd, MHD_HEADER_KIND, name);
}

struct header_walk {
	http_header_fn each;
	void *userdata;
};

static enum MHD_Result next_header(
        void *userdata, enum MHD_ValueKind kind, const char *name, const char *value)
{
	const struct header_walk *walk = userdata;

	return walk->each(walk->userdata, name, value ? value : "") ? MHD_YES : MHD_NO;
}

void http_request_headers(const struct http_request *http, http_header_fn each, void *userdata)
{
	struct header_walk walk = {each, userdata};

	MHD_get_connection_values(request_of(http)->mhd, MHD_HEADER_KIND, next_header, &walk);
}

/* --- life ------------------------------------------------------------------------------------- */

/* Escapes stay: a path is cut at its slashes before it is decoded. */
static size_t leave_escaped(void *userdata, struct MHD_Connection *mhd, char *text)
{
	return strlen(text);
}

static int start(struct server *server, const struct server_options *options)
{
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;
	const union MHD_DaemonInfo *info;
	bool tls = options->certificate != NULL;
	struct MHD_OptionItem of_tls[] = {
	        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)options->certificate},
	        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)options->private_key},
	        {MHD_OPTION_END, 0, NULL},
	};

	server->daemon = MHD_start_daemon(flags | (tls ? MHD_USE_TLS : 0), 0, NULL, NULL, handle,
	        server, MHD_OPTION_LISTEN_SOCKET, options->listener, MHD_OPTION_CONNECTION_LIMIT,
	        options->connections, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SILENCE_S,
	        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
	        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK, line_came, server,
	        MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL, MHD_OPTION_NOTIFY_COMPLETED,
	        completed, server, MHD_OPTION_NOTIFY_CONNECTION, connection_changed, server,
	        MHD_OPTION_ARRAY, tls ? of_tls : &of_tls[2], MHD_OPTION_END);
	info = server->daemon ? MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD)
	                      : NULL;
	if (!info)
		return -EINVAL;
	server->source.ready = library_ready;
	server->again = true;
	return loop_watch(server->loop, &server->source, info->epoll_fd, EPOLLIN);
}

int server_new(struct server **out, struct loop *loop, const struct server_options *options)
{
	struct server *server = calloc(1, sizeof(*server));
	int r;

	if (!server) {
		close(options->listener);
		return -ENOMEM;
	}
	server->loop = loop;
	server->source.fd = -1;
	server->kind = options->kind;
	server->events = options->events;
	server->userdata = options->userdata;
	patience_init(&server->patience);
	r = start(server, options);
	*out = r < 0 ? server_free(server) : server;
	return r;
}

void server_stop(struct server *server)
{
	struct patience_wait *wait;

	if (server->stopping)
		return;
	server->stopping = true;
	close_fd(MHD_quiesce_daemon(server->daemon));
	list_each(wait, &server->patience.waits[PHASE_HEAD], link)
		too_late(wait);
	server->again = true;
}

struct server *server_free(struct server *server)
{
	if (!server)
		return NULL;
	loop_drop(server->loop, &server->source);
	if (server->daemon)
		MHD_stop_daemon(server->daemon);
	free(server);
	return NULL;
}
