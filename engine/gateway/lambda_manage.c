/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS Lambda's management of functions, versions and aliases, below /2015-03-31/functions: what it is called with
 * is a row of a table. What a client asks for that cannot be had here is refused, and not left out.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/cleanup.h"
#include "gateway/dialects.h"
#include "gateway/lambda.h"

enum answers { A_FUNCTION, AN_ALIAS, WITH_CODE, NOTHING };

/* `below`: what stands behind the name; NULL: not even a name. `last`: another name behind that. */
static const struct operation {
	const char *method, *below;
	bool last;
	enum wire_verb verb;
	int status;
	enum answers answers;
	const char *list; /* the member that holds what is listed; NULL: no list */
} operations[] = {
        {"GET", NULL, false, VERB_LIST, 200, A_FUNCTION, "Functions"},
        {"POST", NULL, false, VERB_CREATE, 201, A_FUNCTION, NULL},
        {"GET", "", false, VERB_SHOW, 200, WITH_CODE, NULL},
        {"DELETE", "", false, VERB_REMOVE, 204, NOTHING, NULL},
        {"GET", "configuration", false, VERB_SHOW, 200, A_FUNCTION, NULL},
        {"PUT", "configuration", false, VERB_CONFIGURE, 200, A_FUNCTION, NULL},
        {"PUT", "code", false, VERB_CODE, 200, A_FUNCTION, NULL},
        {"GET", "versions", false, VERB_VERSIONS, 200, A_FUNCTION, "Versions"},
        {"POST", "versions", false, VERB_PUBLISH, 201, A_FUNCTION, NULL},
        {"GET", "aliases", false, VERB_ALIASES, 200, AN_ALIAS, "Aliases"},
        {"POST", "aliases", false, VERB_ALIAS_CREATE, 201, AN_ALIAS, NULL},
        {"GET", "aliases", true, VERB_ALIAS_SHOW, 200, AN_ALIAS, NULL},
        {"PUT", "aliases", true, VERB_ALIAS_CHANGE, 200, AN_ALIAS, NULL},
        {"DELETE", "aliases", true, VERB_ALIAS_REMOVE, 204, NOTHING, NULL},
};

static bool claims(const struct exchange *exchange)
{
	const struct url *url = &exchange->url;

	return url->count >= 2 && strcmp(url->segments[0], "2015-03-31") == 0 &&
	       strcmp(url->segments[1], "functions") == 0;
}

/* --- which it is ------------------------------------------------------------------------------ */

/* The segment, or NULL; a slash at the end is none. */
static const char *segment(const struct url *url, size_t at)
{
	return at < url->count && *url->segments[at] ? url->segments[at] : NULL;
}

static bool is_at(const struct operation *operation, const struct url *url)
{
	const char *name = segment(url, 2), *below = segment(url, 3);

	if (!operation->below || !name)
		return !operation->below && !name;
	return strcmp(operation->below, below ? below : "") == 0 &&
	       operation->last == (segment(url, 4) != NULL) && !segment(url, 5);
}

/* NULL: there is none; then `elsewhere` says whether one of another method is. */
static const struct operation *operation_of(const struct exchange *exchange, bool *elsewhere)
{
	*elsewhere = false;
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++) {
		if (!is_at(&operations[i], &exchange->url))
			continue;
		if (strcmp(operations[i].method, exchange->request->method) == 0)
			return &operations[i];
		*elsewhere = true;
	}
	return NULL;
}

static bool carries_code(const struct operation *operation)
{
	return operation->verb == VERB_CREATE || operation->verb == VERB_CODE;
}

static bool is_of_alias(const struct operation *operation)
{
	return operation->answers == AN_ALIAS || operation->last;
}

/* --- asking ----------------------------------------------------------------------------------- */

static void ask(struct exchange *exchange)
{
	struct target_name *target = &exchange->target;
	const char *name = segment(&exchange->url, 2);
	bool elsewhere;
	const struct operation *operation = operation_of(exchange, &elsewhere);

	if (!operation) {
		exchange_refuse(exchange, elsewhere ? EOPNOTSUPP : ENOSYS,
		        "this is not understood here: %s %s", exchange->request->method,
		        exchange->url.path);
		return;
	}
	if (name && (target_name_parse(target, name) < 0 ||
	                    target_name_qualify(
	                            target, url_parameter(&exchange->url, "Qualifier")) < 0)) {
		exchange_refuse(exchange, EINVAL, "the function's name, or its qualifier, is none");
		return;
	}
	wire_put_number(&exchange->ask, FIELD_VERB, operation->verb);
	if (name)
		wire_put(&exchange->ask, FIELD_FUNCTION, target->function);
	/* An alias is named elsewhere, and its function as a whole. */
	if (name && !is_of_alias(operation))
		wire_put(&exchange->ask, FIELD_QUALIFIER, target->qualifier);
	if (carries_code(operation))
		exchange->event_most = LAMBDA_BODY_MOST;
}

/* --- parameters ------------------------------------------------------------------------------- */

static int read_page(const struct exchange *exchange, cJSON *parameters, struct buf *why)
{
	const char *marker = url_parameter(&exchange->url, "Marker");
	const char *most = url_parameter(&exchange->url, "MaxItems");
	const char *of = url_parameter(&exchange->url, "FunctionVersion");

	if (marker)
		cJSON_AddStringToObject(parameters, "after", marker);
	if (most && (strspn(most, "0123456789") != strlen(most) || strlen(most) > 5 ||
	                    atoi(most) < 1)) {
		buf_printf(why, "MaxItems is 1 to 10000");
		return -EINVAL;
	}
	if (most)
		cJSON_AddNumberToObject(parameters, "most", atoi(most));
	if (of && segment(&exchange->url, 2))
		cJSON_AddStringToObject(parameters, "of", lambda_version_ours(of));
	else if (of)
		buf_printf(
		        why, "FunctionVersion is not understood here: list-versions-by-function");
	return why->length ? -EINVAL : 0;
}

static void take_archive(struct exchange *exchange, struct buf *archive)
{
	buf_deinit(&exchange->event);
	exchange->event = *archive;
	buf_init(archive);
}

static int read_code(
        struct exchange *exchange, const cJSON *body, cJSON *parameters, struct buf *why)
{
	bool creates = !segment(&exchange->url, 2);
	const char *name = json_string(body, "FunctionName", NULL);
	CLEANUP(buf_deinit) struct buf archive = BUF_INIT;
	const cJSON *code = creates ? cJSON_GetObjectItemCaseSensitive(body, "Code") : body;
	int r = lambda_read_archive(code, &archive, why);

	if (r == 0 && creates &&
	        (!name || target_name_parse(&exchange->target, name) < 0 ||
	                exchange->target.qualifier[0])) {
		buf_printf(why, "FunctionName is none");
		r = -EINVAL;
	}
	if (r < 0)
		return r;
	if (creates)
		wire_put(&exchange->ask, FIELD_FUNCTION, exchange->target.function);
	if (json_bool(body, "DryRun", 0))
		cJSON_AddTrueToObject(parameters, "check");
	take_archive(exchange, &archive);
	return 0;
}

static int read_update(const cJSON *body, cJSON *parameters)
{
	const char *revision = json_string(body, "RevisionId", NULL);

	if (revision)
		cJSON_AddStringToObject(parameters, "revision", revision);
	if (json_bool(body, "Publish", 0))
		cJSON_AddTrueToObject(parameters, "publish");
	return 0;
}

static int read_publish(const cJSON *body, cJSON *parameters, struct buf *why)
{
	const char *digest = json_string(body, "CodeSha256", NULL);
	const char *description =
	        json_string(body, "description", json_string(body, "Description", NULL));
	CLEANUP(buf_deinit) struct buf bytes = BUF_INIT;
	char hex[65] = "";

	if (description)
		cJSON_AddStringToObject(parameters, "description", description);
	if (digest && *digest) {
		if (base64_decode(digest, strlen(digest), &bytes) < 0 || bytes.length != 32) {
			buf_printf(why, "CodeSha256 is no digest");
			return -EINVAL;
		}
		for (size_t i = 0; i < bytes.length; i++)
			snprintf(hex + 2 * i, 3, "%02x", (unsigned char)bytes.data[i]);
		cJSON_AddStringToObject(parameters, "sha256", hex);
	}
	return read_update(body, parameters);
}

static int read_body(struct exchange *exchange, const struct operation *operation,
        const cJSON *body, cJSON *parameters, struct buf *why)
{
	int r = 0;

	if (operation->last)
		cJSON_AddStringToObject(parameters, "alias", segment(&exchange->url, 4));
	switch (operation->verb) {
	case VERB_CREATE:
		r = lambda_read_function(body, parameters, why);
		return r < 0 ? r : read_code(exchange, body, parameters, why);
	case VERB_CODE:
		read_update(body, parameters);
		return read_code(exchange, body, parameters, why);
	case VERB_CONFIGURE:
		return lambda_read_function(body, parameters, why);
	case VERB_PUBLISH:
		return read_publish(body, parameters, why);
	case VERB_ALIAS_CREATE:
	case VERB_ALIAS_CHANGE:
		return lambda_read_alias(body, parameters, why);
	default:
		return read_page(exchange, parameters, why);
	}
}

static void event(struct exchange *exchange)
{
	bool elsewhere;
	const struct operation *operation = operation_of(exchange, &elsewhere);
	const char *text = exchange->event.data ? exchange->event.data : "";
	bool wants =
	        strcmp(operation->method, "GET") != 0 && strcmp(operation->method, "DELETE") != 0;
	CLEANUP(json_delete_p) cJSON *body = exchange->event.length ? cJSON_Parse(text) : NULL;
	CLEANUP(json_delete_p) cJSON *parameters = cJSON_CreateObject();
	CLEANUP(free_p) char *said = NULL;
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	int r = 0;

	buf_deinit(&exchange->event);
	if (wants && !cJSON_IsObject(body) && (body || operation->verb != VERB_PUBLISH)) {
		exchange_refuse(exchange, EBADMSG, "the body of the request is no JSON object");
		return;
	}
	r = read_body(exchange, operation, body, parameters, &why);
	said = r == 0 ? cJSON_PrintUnformatted(parameters) : NULL;
	if (r < 0)
		exchange_refuse(exchange, -r, "%s", why.data ? why.data : "");
	else if (!said)
		exchange_refuse(exchange, ENOMEM, "no memory");
	else if (strlen(said) > LAMBDA_PARAMETERS_MOST)
		exchange_refuse(exchange, EFBIG, "the request is too large");
	else
		wire_put(&exchange->ask, FIELD_PARAMETERS, said);
}

/* --- answering -------------------------------------------------------------------------------- */

/* Where the code stands: a file on this machine, for there is no store to get it from. */
static cJSON *with_code(const cJSON *described)
{
	const char *mount = json_string(described, "mount", ""),
	           *name = json_string(described, "name", "");
	const char *version = json_string(described, "version", "latest");
	bool latest = strcmp(version, "latest") == 0;
	cJSON *out = cJSON_CreateObject(), *code;
	char location[4200];

	snprintf(location, sizeof(location), "file://%s/functions/%s%s%s/code", mount, name,
	        latest ? "" : "/versions/", latest ? "" : version);
	cJSON_AddItemToObject(out, "Configuration", lambda_function(described));
	code = cJSON_AddObjectToObject(out, "Code");
	cJSON_AddStringToObject(code, "RepositoryType", "fnfs");
	cJSON_AddStringToObject(code, "Location", location);
	return out;
}

static cJSON *translate(const struct operation *operation, const cJSON *described)
{
	if (operation->answers == AN_ALIAS)
		return lambda_alias(described);
	return operation->answers == WITH_CODE ? with_code(described) : lambda_function(described);
}

static cJSON *translate_list(const struct operation *operation, const cJSON *described)
{
	cJSON *out = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(out, operation->list);
	const char *after = json_string(described, "after", NULL);
	const cJSON *one;

	cJSON_ArrayForEach(one, cJSON_GetObjectItemCaseSensitive(described, "items")) {
		cJSON_AddItemToArray(list, translate(operation, one));
	}
	if (after)
		cJSON_AddStringToObject(out, "NextMarker", after);
	return out;
}

static void answer(struct exchange *exchange)
{
	bool elsewhere;
	const struct operation *operation = operation_of(exchange, &elsewhere);
	CLEANUP(json_delete_p)
	cJSON *described = exchange->response.data ? cJSON_Parse(exchange->response.data) : NULL;
	CLEANUP(json_delete_p) cJSON *out = NULL;
	CLEANUP(free_p) char *text = NULL;

	exchange_header(exchange, "x-amzn-RequestId", exchange->id);
	if (operation->answers == NOTHING) {
		exchange_answer(exchange, operation->status, "", 0);
		return;
	}
	if (described)
		out = operation->list ? translate_list(operation, described)
		                      : translate(operation, described);
	text = out ? cJSON_PrintUnformatted(out) : NULL;
	if (!text) {
		lambda_refuse(exchange, ENOMEM, "no memory");
		return;
	}
	exchange_header(exchange, "Content-Type", "application/json");
	exchange_answer(exchange, operation->status, text, strlen(text));
}

const struct dialect lambda_manage_dialect = {
        .claims = claims, .ask = ask, .event = event, .answer = answer, .refuse = lambda_refuse};
