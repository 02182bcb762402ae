/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcurl's multi interface with its sockets watched by our loop and its timer one of our alarms. Its
 * functions must not be called from within its callbacks, and what our callbacks do is not ours to
 * know; so while it works (`busy`) exchanges that are sent or dropped are only noted, and taken up
 * in settle(), which is also where ends are told.
 */
#include "run/http_client.h"

#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/list.h"
#include "run/watch.h"

enum {
	HEADERS_MAX = 256 << 10, /* of one response, all together */
	HEADER_LINES_MAX = 1000,
	DRAIN_TURNS = 1024,
};

struct http_client {
	struct http_client_options options;
	CURLM *multi;
	struct list exchanges; /* with libcurl */
	struct list unsent, dropped;
	struct list sockets;
	struct alarm alarm;
	char url[64];
	bool busy;
};

struct http_exchange {
	struct list link; /* in exactly one of the client's three */
	struct http_client *client;
	CURL *easy;
	struct curl_slist *headers;
	const struct http_exchange_events *events; /* NULL: dropped */
	void *userdata;
	size_t header_bytes, header_lines;
	bool has_head;
	char trouble[CURL_ERROR_SIZE];
};

/* A socket while libcurl wants to hear of it. */
struct client_socket {
	struct list link;
	struct http_client *client;
	struct watch *watch;
	curl_socket_t fd;
};

static void exchange_free(struct http_exchange *exchange)
{
	list_unlink(&exchange->link);
	curl_easy_cleanup(exchange->easy);
	curl_slist_free_all(exchange->headers);
	free(exchange);
}

/* --- the end of exchanges ------------------------------------------------------------------- */

static void end_exchange(struct http_exchange *exchange, CURLcode code)
{
	const char *trouble = NULL;

	if (code != CURLE_OK)
		trouble = exchange->trouble[0] ? exchange->trouble : curl_easy_strerror(code);
	/* Out of reach of a drop in what follows. */
	list_unlink(&exchange->link);
	if (exchange->events)
		exchange->events->ended(exchange->userdata, trouble);
	curl_multi_remove_handle(exchange->client->multi, exchange->easy);
	exchange_free(exchange);
}

static void remove_dropped(struct http_client *client)
{
	struct http_exchange *exchange;

	while ((exchange = list_first(&client->dropped, struct http_exchange, link))) {
		curl_multi_remove_handle(client->multi, exchange->easy);
		exchange_free(exchange);
	}
}

static void add_unsent(struct http_client *client)
{
	struct http_exchange *exchange;

	while ((exchange = list_first(&client->unsent, struct http_exchange, link))) {
		list_unlink(&exchange->link);
		list_append(&client->exchanges, &exchange->link);
		curl_multi_add_handle(client->multi, exchange->easy);
	}
}

static void settle(struct http_client *client)
{
	CURLMsg *message;
	int left;

	if (client->busy)
		return;
	client->busy = true;
	while ((message = curl_multi_info_read(client->multi, &left))) {
		struct http_exchange *exchange = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &exchange);
		end_exchange(exchange, message->data.result);
	}
	remove_dropped(client);
	add_unsent(client);
	client->busy = false;
}

static void act(struct http_client *client, curl_socket_t fd, int events)
{
	int running;

	if (client->busy)
		return;
	client->busy = true;
	curl_multi_socket_action(client->multi, fd, events, &running);
	client->busy = false;
	settle(client);
}

/* --- libcurl's wishes ----------------------------------------------------------------------- */

static void time_passed(struct alarm *alarm)
{
	act(container_of(alarm, struct http_client, alarm), CURL_SOCKET_TIMEOUT, 0);
}

static int set_timer(CURLM *multi, long timeout_ms, void *userdata)
{
	struct http_client *client = userdata;

	if (timeout_ms < 0)
		alarm_clear(client->options.alarms, &client->alarm);
	else
		alarm_set(client->options.alarms, &client->alarm, timeout_ms * 1000, time_passed);
	return 0;
}

/*
 * A server that writes headers and body apart waits, by Nagle's rule, for our ACK of the first, which the
 * kernel would delay by 40 ms. It goes at once when all was read.
 */
static void acknowledge(curl_socket_t fd)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one));
}

static void socket_ready(void *userdata, int events)
{
	struct client_socket *socket = userdata;
	curl_socket_t fd = socket->fd;
	int what = 0;

	if (events & (UV_READABLE | UV_DISCONNECT))
		what |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		what |= CURL_CSELECT_OUT;
	act(socket->client, fd, what);
	acknowledge(fd);
}

static void socket_free(struct client_socket *socket)
{
	if (!socket)
		return;
	list_unlink(&socket->link);
	watch_free(socket->watch);
	free(socket);
}

static struct client_socket *socket_new(struct http_client *client, curl_socket_t fd)
{
	struct client_socket *socket = calloc(1, sizeof(*socket));

	if (!socket)
		return NULL;
	list_init(&socket->link);
	socket->client = client;
	socket->fd = fd;
	socket->watch = watch_new(client->options.loop, fd, socket_ready, socket);
	if (!socket->watch) {
		socket_free(socket);
		return NULL;
	}
	list_append(&client->sockets, &socket->link);
	curl_multi_assign(client->multi, fd, socket);
	return socket;
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *userdata, void *assigned)
{
	struct client_socket *socket = assigned;

	if (what == CURL_POLL_REMOVE) {
		socket_free(socket);
		return 0;
	}
	if (!socket && !(socket = socket_new(userdata, fd)))
		return -1;
	acknowledge(fd); /* it may have been read before it came here */
	watch_events(socket->watch,
	        (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0));
	return 0;
}

static curl_socket_t open_socket(
        void *userdata, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct http_exchange *exchange = userdata;
	const struct http_client_options *options = &exchange->client->options;
	bool connected = false;
	int fd = options->open(options->userdata, &connected);

	if (fd < 0)
		return CURL_SOCKET_BAD;
	curl_easy_setopt(exchange->easy, CURLOPT_SOCKOPTDATA, connected ? exchange : NULL);
	return fd;
}

static int prepare_socket(void *connected, curl_socket_t fd, curlsocktype purpose)
{
	return connected ? CURL_SOCKOPT_ALREADY_CONNECTED : CURL_SOCKOPT_OK;
}

static int close_socket(void *userdata, curl_socket_t fd)
{
	struct http_client *client = userdata;

	client->options.close(client->options.userdata, fd);
	return 0;
}

/* --- the response --------------------------------------------------------------------------- */

/* Lines of the head, the empty one that ends it, and after the body those of trailers. */
static size_t take_header(char *line, size_t size, size_t count, void *userdata)
{
	struct http_exchange *exchange = userdata;
	size_t length = size * count;
	long status = 0;

	exchange->header_bytes += length;
	if (exchange->header_bytes > HEADERS_MAX || ++exchange->header_lines > HEADER_LINES_MAX) {
		strcpy(exchange->trouble, "the headers of the response are too large");
		return 0;
	}
	if (exchange->has_head || (line[0] != '\r' && line[0] != '\n'))
		return length;
	curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200)
		return length; /* "100 Continue" and its like come before the true one */
	exchange->has_head = true;
	if (exchange->events)
		exchange->events->head(exchange->userdata, (int)status);
	return exchange->events ? length : 0;
}

static size_t take_body(char *data, size_t size, size_t count, void *userdata)
{
	struct http_exchange *exchange = userdata;
	size_t length = size * count;

	if (exchange->events)
		exchange->events->data(exchange->userdata, data, length);
	return exchange->events ? length : 0;
}

bool http_exchange_header(
        struct http_exchange *exchange, void **position, const char **name, const char **value)
{
	struct curl_header *header =
	        curl_easy_nextheader(exchange->easy, CURLH_HEADER, -1, *position);

	*position = header;
	if (!header)
		return false;
	*name = header->name;
	*value = header->value;
	return true;
}

/* --- requests ------------------------------------------------------------------------------- */

static int set_headers(struct http_exchange *exchange, const char *headers)
{
	/* An empty one takes away what libcurl would add. */
	static const char *const without[] = {"Expect:", "Accept:"};
	struct curl_slist *list = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(without); i++) {
		list = curl_slist_append(exchange->headers, without[i]);
		if (!list)
			return -ENOMEM;
		exchange->headers = list;
	}
	for (; *headers; headers += strlen(headers) + 1) {
		list = curl_slist_append(exchange->headers, headers);
		if (!list)
			return -ENOMEM;
		exchange->headers = list;
	}
	curl_easy_setopt(exchange->easy, CURLOPT_HTTPHEADER, exchange->headers);
	return 0;
}

static void set_body(CURL *easy, const struct http_request *request)
{
	if (request->has_body) {
		curl_easy_setopt(easy, CURLOPT_POST, 1L);
		curl_easy_setopt(
		        easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body ? request->body : "");
	} else if (strcmp(request->method, "HEAD") == 0) {
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	}
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

static void set_options(struct http_exchange *exchange, const struct http_request *request)
{
	struct http_client *client = exchange->client;
	CURL *easy = exchange->easy;

	curl_easy_setopt(easy, CURLOPT_URL, client->url);
	curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, request->target);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
	curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* whatever our environment says */
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, exchange);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, exchange->trouble);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, exchange);
	curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, prepare_socket);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, client);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, exchange);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 65536L);
	set_body(easy, request);
}

/* The exchange begins on a later turn: libcurl sets its timer to now. */
struct http_exchange *http_client_send(struct http_client *client,
        const struct http_request *request, const struct http_exchange_events *events,
        void *userdata)
{
	struct http_exchange *exchange = calloc(1, sizeof(*exchange));

	if (!exchange)
		return NULL;
	list_init(&exchange->link);
	exchange->client = client;
	exchange->events = events;
	exchange->userdata = userdata;
	exchange->easy = curl_easy_init();
	if (!exchange->easy || set_headers(exchange, request->headers) < 0) {
		exchange_free(exchange);
		return NULL;
	}
	set_options(exchange, request);
	list_append(&client->unsent, &exchange->link);
	settle(client);
	return exchange;
}

void http_exchange_drop(struct http_exchange *exchange)
{
	struct http_client *client = exchange->client;

	exchange->events = NULL;
	list_unlink(&exchange->link);
	list_append(&client->dropped, &exchange->link);
	settle(client);
}

/* --- life ----------------------------------------------------------------------------------- */

int http_client_new(struct http_client **out, const struct http_client_options *options)
{
	struct http_client *client = calloc(1, sizeof(*client));

	if (!client)
		return -ENOMEM;
	client->options = *options;
	list_init(&client->exchanges);
	list_init(&client->unsent);
	list_init(&client->dropped);
	list_init(&client->sockets);
	snprintf(client->url, sizeof(client->url), "http://127.0.0.1:%u/", options->port);
	curl_global_init(CURL_GLOBAL_NOTHING); /* counted */
	client->multi = curl_multi_init();
	if (!client->multi) {
		curl_global_cleanup();
		free(client);
		return -ENOMEM;
	}
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	curl_multi_setopt(
	        client->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)options->connections_max);
	curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)options->connections_max);
	*out = client;
	return 0;
}

static void drop_all(struct http_client *client)
{
	struct http_exchange *exchange;

	while ((exchange = list_first(&client->exchanges, struct http_exchange, link)) ||
	        (exchange = list_first(&client->unsent, struct http_exchange, link)))
		http_exchange_drop(exchange);
}

struct http_client *http_client_free(struct http_client *client)
{
	struct client_socket *socket;

	if (!client)
		return NULL;
	drop_all(client);
	settle(client);
	curl_multi_cleanup(client->multi); /* closes what is kept open */
	alarm_clear(client->options.alarms, &client->alarm);
	while ((socket = list_first(&client->sockets, struct client_socket, link)))
		socket_free(socket);
	curl_global_cleanup();
	free(client);
	return NULL;
}

void http_client_drain(struct http_client *client)
{
	struct client_socket *socket;

	for (int turn = 0; turn < DRAIN_TURNS; turn++) {
		socket = list_first(&client->sockets, struct client_socket, link);
		if (!socket || client->busy)
			return;
		/* To the end: the next turn is another one's. */
		list_unlink(&socket->link);
		list_append(&client->sockets, &socket->link);
		act(client, socket->fd, CURL_CSELECT_IN);
	}
}
