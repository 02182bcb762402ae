/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fnfs-gateway: HTTP in front of the daemon. The guardian starts it with one socket, the daemon's, as
 * descriptor 0; over it come, once, the sockets to listen on (setup.h), and from then on the answers to what
 * clients ask (exchange.c). It has no file, no name, and no right but these; when the daemon is
 * gone, so is it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/list.h"
#include "gateway/exchange.h"
#include "gateway/gateway.h"
#include "gateway/seal.h"
#include "gateway/setup.h"

enum {
	DAEMON = 0,
	DESCRIPTORS_OWN = 64,
	CONNECTIONS_MOST = 20000,
	LINGER_MS = 5000, /* for clients that read slowly, when there is nothing else left to do */
};

static bool frame_came(void *userdata, const struct wire_frame *frame)
{
	struct gateway *gateway = userdata;
	struct exchange *exchange = map_get(&gateway->calls, frame->call);

	if (frame->type == WIRE_STOP) {
		gateway->stopping = true;
		return true;
	}
	/* It left, and the daemon did not know yet. */
	if (exchange && !exchange_frame(exchange, frame))
		gateway->lost = true;
	return !gateway->lost;
}

static void link_ready(struct source *source, uint32_t events)
{
	struct gateway *gateway = container_of(source, struct gateway, link_source);

	if (events & ~(uint32_t)EPOLLOUT &&
	        wire_link_receive(&gateway->link, frame_came, gateway) < 0)
		gateway->lost = true;
	exchanges_stream(gateway);
}

static void flush(struct gateway *gateway)
{
	int r = wire_link_flush(&gateway->link);
	bool full = r == -EAGAIN;

	if (r < 0 && !full)
		gateway->lost = true;
	if (gateway->link_source.fd >= 0 && full == gateway->link_full)
		return;
	gateway->link_full = full;
	loop_watch(&gateway->loop, &gateway->link_source, gateway->link.fd,
	        EPOLLIN | (full ? EPOLLOUT : 0));
}

static void note(struct gateway *gateway, const char *sentence)
{
	wire_link_send(&gateway->link, WIRE_NOTE, 0, sentence, strlen(sentence));
}

static unsigned connections_each(size_t servers)
{
	struct rlimit files = {.rlim_cur = 1024};
	rlim_t each;

	getrlimit(RLIMIT_NOFILE, &files);
	each = (files.rlim_cur - DESCRIPTORS_OWN) / servers;
	return each < CONNECTIONS_MOST ? (unsigned)each : CONNECTIONS_MOST;
}

static int listen_on_all(struct gateway *gateway, const struct setup *setup)
{
	for (size_t i = 0; i < setup->count; i++) {
		bool tls = strcmp(setup->kinds[i], "unix") != 0;
		const struct server_options options = {
		        .listener = setup->listeners[i],
		        .kind = setup->kinds[i],
		        .certificate = tls ? setup->said.fields[FIELD_CERTIFICATE] : NULL,
		        .private_key = tls ? setup->said.fields[FIELD_PRIVATE_KEY] : NULL,
		        .connections = connections_each(setup->count),
		        .events = &exchange_events,
		        .userdata = gateway,
		};
		int r = server_new(
		        &gateway->servers[gateway->server_count], &gateway->loop, &options);

		if (r < 0)
			return r;
		gateway->server_count++;
	}
	return 0;
}

/* Runs all servers, and says how long there is nothing to do. */
static int turn_servers(struct gateway *gateway)
{
	int wait_ms = -1;

	for (size_t i = 0; i < gateway->server_count; i++) {
		int own_ms = server_turn(gateway->servers[i]);

		if (own_ms >= 0 && (wait_ms < 0 || own_ms < wait_ms))
			wait_ms = own_ms;
	}
	return wait_ms;
}

static void serve(struct gateway *gateway)
{
	int64_t until_ms = 0;

	while (!gateway->lost) {
		int wait_ms = turn_servers(gateway);

		flush(gateway);
		if (gateway->stopping) {
			for (size_t i = 0; i < gateway->server_count; i++)
				server_stop(gateway->servers[i]);
			if (!gateway->exchanges)
				break;
			if (gateway->calls.count || !until_ms)
				until_ms = loop_now_ms() + LINGER_MS;
			else if (loop_now_ms() > until_ms)
				break;
			wait_ms = wait_ms < 0 || wait_ms > 100 ? 100 : wait_ms;
		}
		loop_turn(&gateway->loop, wait_ms);
	}
}

int main(void)
{
	static struct gateway gateway = {.link_source.fd = -1};
	static struct setup setup;
	int r;

	seal_begin();
	r = setup_receive(&setup, DAEMON);
	if (r == 0)
		r = loop_init(&gateway.loop);
	if (r < 0)
		_exit(-r);
	map_init(&gateway.calls);
	list_init(&gateway.fresh);
	wire_link_init(&gateway.link, DAEMON, WIRE_TO_GATEWAY);
	gateway.link_source.ready = link_ready;
	r = listen_on_all(&gateway, &setup);
	setup_deinit(&setup);
	if (r < 0) {
		note(&gateway, "it cannot serve: are certificate and private key a pair of PEM?");
		wire_link_flush(&gateway.link);
		_exit(-r);
	}
	seal_serving();
	wire_link_send(&gateway.link, WIRE_READY, 0, NULL, 0);
	serve(&gateway);
	_exit(0);
}
