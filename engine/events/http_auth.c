/* SPDX-License-Identifier: Apache-2.0 */
#include "events/http_auth.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/cleanup.h"
#include "base/hmac.h"
#include "base/json.h"
#include "model/trigger_auth.h"
#include "model/why.h"

static int refuse(struct buf *why, const char *sentence)
{
	why_say(why, "%s", sentence);
	return -EPERM;
}

/* --- basic ------------------------------------------------------------------------------------ */

/* All are compared, each as a digest: how long it takes tells nothing. */
static int find_user(const char *given, size_t length, const char *users, bool *found)
{
	struct sha256 *sha256 = sha256_new();
	unsigned char wanted[SHA256_SIZE], one[SHA256_SIZE];

	if (!sha256)
		return -ENOMEM;
	sha256_of(sha256, given, length, wanted);
	while (*(users += strspn(users, " "))) {
		size_t size = strcspn(users, " ");

		sha256_of(sha256, users, size, one);
		*found |= hmac_same(wanted, one);
		users += size;
	}
	sha256_free(sha256);
	return 0;
}

static int hide_header(const cJSON *json, const char *name, struct buf *event)
{
	cJSON *headers = cJSON_GetObjectItemCaseSensitive(json, "headers");
	CLEANUP(free_p) char *text = NULL;

	if (!cJSON_GetObjectItemCaseSensitive(headers, name))
		return 0;
	cJSON_DeleteItemFromObjectCaseSensitive(headers, name);
	text = cJSON_PrintUnformatted(json);
	if (!text)
		return -ENOMEM;
	buf_clear(event);
	buf_puts(event, text);
	return event->failed ? -ENOMEM : 0;
}

static int judge_basic(const struct trigger_auth *auth, const char *authorization,
        const cJSON *json, struct buf *event, struct buf *why)
{
	CLEANUP(buf_deinit) struct buf given = BUF_INIT;
	bool found = false;
	int r;

	if (!authorization || strncasecmp(authorization, "Basic ", 6) != 0)
		return refuse(why, "a user and a password are needed");
	if (base64_decode(authorization + 6, strlen(authorization + 6), &given) < 0 ||
	        !given.length)
		return refuse(why, "this is no user and no password");
	r = find_user(given.data, given.length, auth->secrets, &found);
	if (r < 0)
		return r;
	return found ? hide_header(json, "authorization", event)
	             : refuse(why, "there is no such user, or the password is another one");
}

/* --- hmac ------------------------------------------------------------------------------------- */

static const char *header(const cJSON *json, const char *name)
{
	const cJSON *headers = cJSON_GetObjectItemCaseSensitive(json, "headers"), *one;

	if (!cJSON_IsObject(headers))
		return NULL;
	cJSON_ArrayForEach(one, headers) {
		if (strcasecmp(one->string, name) == 0 && cJSON_IsString(one))
			return one->valuestring;
	}
	return NULL;
}

static int digit(char c)
{
	static const char digits[] = "0123456789abcdefABCDEF";
	const char *at = c ? strchr(digits, c) : NULL;

	return !at ? -1 : at - digits < 16 ? (int)(at - digits) : (int)(at - digits) - 6;
}

static bool read_digest(const char *text, unsigned char out[SHA256_SIZE])
{
	if (strncasecmp(text, "sha256=", 7) == 0)
		text += 7;
	if (strlen(text) != 2 * SHA256_SIZE)
		return false;
	for (size_t i = 0; i < SHA256_SIZE; i++) {
		int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

static int judge_hmac(const struct trigger_auth *auth, const cJSON *json, struct buf *why)
{
	const char *given = header(json, auth->header), *text = json_string(json, "body", "");
	unsigned char wanted[SHA256_SIZE], made[SHA256_SIZE];
	CLEANUP(buf_deinit) struct buf body = BUF_INIT;
	int r;

	if (!given || !read_digest(given, wanted)) {
		why_say(why, "a signature is needed, in %s", auth->header);
		return -EPERM;
	}
	if (!json_bool(json, "isBase64Encoded", 0))
		buf_puts(&body, text);
	else if (base64_decode(text, strlen(text), &body) < 0)
		return -EBADMSG;
	if (body.failed)
		return -ENOMEM;
	r = hmac_sha256(auth->secrets, strlen(auth->secrets), body.data ? body.data : "",
	        body.length, made);
	if (r < 0)
		return r;
	return hmac_same(wanted, made) ? 0 : refuse(why, "the signature is another one");
}

/* --- all -------------------------------------------------------------------------------------- */

int http_auth_judge(
        const char *value, const char *authorization, struct buf *event, struct buf *why)
{
	CLEANUP(json_delete_p) cJSON *json = NULL;
	CLEANUP(trigger_auth_deinit) struct trigger_auth auth;
	int r = trigger_auth_parse(&auth, value, why);

	if (r < 0 || auth.kind == AUTH_TOKEN || auth.kind == AUTH_NONE)
		return r;
	json = cJSON_ParseWithLength(event->data ? event->data : "", event->length);
	if (!json)
		return -EBADMSG;
	return auth.kind == AUTH_BASIC ? judge_basic(&auth, authorization, json, event, why)
	                               : judge_hmac(&auth, json, why);
}
