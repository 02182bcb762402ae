/* SPDX-License-Identifier: Apache-2.0 */
/* What programs post: responses, piece by piece as they come, and errors. */
#include "run/runtime_api_private.h"

#include <errno.h>
#include <string.h>

#include "base/base64.h"
#include "base/cleanup.h"
#include "run/host.h"
#include "run/invocation.h"
#include "run/pool.h"
#include "run/runtime_error.h"

static struct invocation *invocation_of(const struct runtime_api *api, const struct api_call *call)
{
	return call ? instance_find_running(api->http->instance, call->call) : NULL;
}

static struct api_call *call_by_id(const struct runtime_api *api, const char *id, size_t length)
{
	struct api_call *call;

	list_each(call, &api->calls, link)
		if (call->delivered && strlen(call->id) == length &&
		        memcmp(call->id, id, length) == 0)
			return call;
	return NULL;
}

static void finish(struct runtime_api *api, struct api_call *call, const struct invocation_end *end)
{
	struct invocation *invocation = invocation_of(api, call);

	api_call_free(call);
	if (invocation)
		instance_finish(api->http->instance, invocation, end);
}

static void finish_with_error(
        struct runtime_api *api, struct api_call *call, int error, const struct buf *body)
{
	finish(api, call,
	        &(struct invocation_end){
	                .outcome = OUTCOME_FUNCTION_ERROR,
	                .error = error,
	                .error_body = body->data ? body->data : "",
	                .error_length = body->length,
	        });
}

/* The call stays the request's until one of them goes. */
void api_look_up(struct runtime_api *api, struct api_request *request)
{
	const char *mode =
	        http_served_header(request->served, "Lambda-Runtime-Function-Response-Mode");
	struct api_call *call = call_by_id(api, request->id, request->id_length);

	if (call && !call->post && !call->is_broken && invocation_of(api, call)) {
		request->call = call;
		call->post = request;
	}
	request->bad_mode = mode && *mode && strcasecmp(mode, "streaming") != 0;
}

/* The caller hears it now, the program when it has sent the rest. */
static void refuse_too_large(struct runtime_api *api, struct api_request *request)
{
	CLEANUP(buf_deinit) struct buf error = BUF_INIT;

	request->too_large = true;
	error_body(&error, "Function.ResponseSizeTooLarge",
	        "Response payload size exceeded maximum allowed payload size (%u bytes).",
	        INVOCATION_RESPONSE_MAX);
	finish_with_error(api, request->call, -EFBIG, &error);
}

void api_take_response_data(
        struct runtime_api *api, struct api_request *request, const char *data, size_t length)
{
	struct invocation *invocation = invocation_of(api, request->call);

	if (!invocation || request->bad_mode)
		return;
	if (invocation->response_bytes + length <= INVOCATION_RESPONSE_MAX)
		instance_take_data(api->http->instance, invocation, data, length);
	else
		refuse_too_large(api, request);
}

static void finish_response(struct runtime_api *api, struct api_request *request)
{
	static const struct invocation_end success = {OUTCOME_SUCCESS, 0, "", 0};
	const char *type =
	        http_served_trailer(request->served, "Lambda-Runtime-Function-Error-Type");
	const char *body =
	        http_served_trailer(request->served, "Lambda-Runtime-Function-Error-Body");
	CLEANUP(buf_deinit) struct buf decoded = BUF_INIT;
	CLEANUP(buf_deinit) struct buf error = BUF_INIT;

	api_accept(request);
	if (!type || !*type) {
		finish(api, request->call, &success);
		return;
	}
	if (body)
		base64_decode(body, strlen(body), &decoded);
	runtime_error_read(&error, decoded.data, decoded.length, type, false);
	finish_with_error(api, request->call, -EREMOTEIO, &error);
}

void api_take_response(struct runtime_api *api, struct api_request *request)
{
	if (request->too_large)
		api_refuse(request->served, 413, "RequestEntityTooLarge",
		        "Exceeded maximum allowed payload size (6291456 bytes).");
	else if (!invocation_of(api, request->call))
		api_refuse(request->served, 400, "InvalidRequestID", "Invalid request ID");
	else if (request->bad_mode)
		api_refuse(request->served, 400, "InvalidFunctionResponseMode",
		        "Invalid function response mode");
	else
		finish_response(api, request);
}

static void read_error(struct api_request *request, struct buf *error)
{
	const char *type =
	        http_served_header(request->served, "Lambda-Runtime-Function-Error-Type");
	const char *content = http_served_header(request->served, "Content-Type");

	runtime_error_read(error, request->body.data, request->body.length, type,
	        content && strstr(content, "vnd.aws.lambda.error.cause"));
}

void api_take_error(struct runtime_api *api, struct api_request *request)
{
	CLEANUP(buf_deinit) struct buf error = BUF_INIT;

	if (!invocation_of(api, request->call)) {
		api_refuse(request->served, 400, "InvalidRequestID", "Invalid request ID");
		return;
	}
	read_error(request, &error);
	api_accept(request);
	finish_with_error(api, request->call, -EREMOTEIO, &error);
}

/* Its program is about to go; it is given the time to say why in its log. */
void api_take_init_error(struct runtime_api *api, struct api_request *request)
{
	struct instance *instance = api->http->instance;
	CLEANUP(buf_deinit) struct buf error = BUF_INIT;

	if (!instance_in(instance, INSTANCE_STARTING)) {
		api_refuse_state(request->served);
		return;
	}
	read_error(request, &error);
	api_accept(request);
	instance_stop_counting(instance, INSTANCE_ENDING);
	alarm_set(
	        &instance->pool->host->alarms, &instance->alarm, GENTLE_END_US, instance_kill_late);
	instance_start_failed(instance, OUTCOME_NOT_LOADED, -ENOEXEC, error.data, error.length);
}

void api_tell_broken(struct api_call *call)
{
	CLEANUP(buf_deinit) struct buf error = BUF_INIT;

	error_body(&error, "Runtime.TruncatedResponse",
	        "The connection was closed before the response was complete");
	finish_with_error(call->api, call, -EREMOTEIO, &error);
}

static void tell_late(struct alarm *alarm)
{
	struct api_call *call = container_of(alarm, struct api_call, broken);

	if (!instance_http_awaits_end(call->api->http, alarm, &call->patiences, tell_late))
		api_tell_broken(call);
}

/* Its client went away in the middle of a response. */
void api_response_broke(struct api_call *call)
{
	call->is_broken = true;
	if (alarm_set(&call->api->http->instance->pool->host->alarms, &call->broken,
	            END_PATIENCE_US, tell_late) < 0)
		api_tell_broken(call);
}
