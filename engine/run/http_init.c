/* SPDX-License-Identifier: Apache-2.0 */
#include "run/http_init.h"

#include <errno.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "run/http_client.h"
#include "run/invocation.h"

enum { SAID_MOST = 64 * 1024 };

static bool is_unknown_there(int status)
{
	return status == 404 || status == 405 || status == 501;
}

static void head_came(void *userdata, int status)
{
	struct http_init *init = userdata;

	init->status = status;
}

static void data_came(void *userdata, const char *data, size_t length)
{
	struct http_init *init = userdata;

	if (init->said.length + length <= SAID_MOST)
		buf_append(&init->said, data, length);
}

static void ended(void *userdata, const char *trouble)
{
	struct http_init *init = userdata;
	CLEANUP(buf_deinit) struct buf said = init->said;
	bool good = (init->status >= 200 && init->status < 300) || is_unknown_there(init->status);

	init->exchange = NULL;
	buf_init(&init->said);
	if (trouble) {
		buf_clear(&said);
		error_body(&said, "Runtime.InitError",
		        "the image's program did not answer POST /init as an HTTP server does: %s",
		        trouble);
	} else if (!good && !said.length) {
		error_body(&said, "Runtime.InitError", "POST /init was answered with status %d",
		        init->status);
	}
	if (!trouble && good)
		init->done(init->userdata, NULL, 0, true);
	else
		init->done(init->userdata, said.data ? said.data : "", said.length, !trouble);
}

int http_init_send(struct http_init *init, struct http_client *client, const char *headers)
{
	static const struct http_exchange_events events = {head_came, data_came, ended};

	init->exchange = http_client_send(client,
	        &(struct http_request){
	                .method = "POST",
	                .target = "/init",
	                .headers = headers,
	                .body = "{}",
	                .body_length = 2,
	                .has_body = true,
	        },
	        &events, init);
	return init->exchange ? 0 : -ENOMEM;
}

void http_init_drop(struct http_init *init)
{
	if (init->exchange)
		http_exchange_drop(take(init->exchange));
	buf_deinit(&init->said);
}
