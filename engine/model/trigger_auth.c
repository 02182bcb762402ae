/* SPDX-License-Identifier: Apache-2.0 */
#include "model/trigger_auth.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/why.h"

#define DEFAULT_HEADER "X-Hub-Signature-256"

static const char *const kinds[] = {
        [AUTH_TOKEN] = "token",
        [AUTH_NONE] = "none",
        [AUTH_BASIC] = "basic",
        [AUTH_HMAC] = "hmac",
};

static int refuse(struct buf *why)
{
	why_say(why,
	        "auth is token, none, basic USER:SECRET [USER:SECRET...], or hmac SECRET "
	        "[HEADER], a secret of %d characters and more without blanks",
	        AUTH_SECRET_SHORTEST);
	return -EINVAL;
}

/* Moves to the next word and ends it; NULL: there is none. */
static char *word(char **rest)
{
	char *found;

	do
		found = strsep(rest, " \t");
	while (found && !*found);
	return found;
}

static bool is_printable(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 127)
			return false;
	return true;
}

static bool are_users(const char *users)
{
	size_t count = 0;

	for (; *(users += strspn(users, " ")); users += strcspn(users, " "), count++) {
		size_t length = strcspn(users, " ");
		const char *colon = memchr(users, ':', length);

		if (!colon || colon == users ||
		        (size_t)(users + length - colon - 1) < AUTH_SECRET_SHORTEST)
			return false;
	}
	return count > 0;
}

static bool is_header(const char *name)
{
	size_t length =
	        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");

	return length && !name[length] && length < 100;
}

static bool read_hmac(struct trigger_auth *auth, char *rest)
{
	char *secret = word(&rest), *header = word(&rest);

	if (!secret || strlen(secret) < AUTH_SECRET_SHORTEST || word(&rest))
		return false;
	auth->secrets = secret;
	auth->header = header ? header : DEFAULT_HEADER;
	return is_header(auth->header);
}

int trigger_auth_parse(struct trigger_auth *auth, const char *value, struct buf *why)
{
	char *rest, *kind;

	*auth = (struct trigger_auth){.secrets = "", .header = ""};
	if (strlen(value) > AUTH_VALUE_LONGEST || !is_printable(value))
		return refuse(why);
	auth->text = rest = strdup(value);
	if (!auth->text)
		return -ENOMEM;
	kind = word(&rest);
	while (kind && strcmp(kinds[auth->kind], kind) != 0)
		if (++auth->kind == ARRAY_SIZE(kinds))
			return refuse(why);
	if (!kind)
		return refuse(why);
	if (auth->kind == AUTH_BASIC) {
		auth->secrets = rest ? rest : "";
		return are_users(auth->secrets) ? 0 : refuse(why);
	}
	if (auth->kind == AUTH_HMAC)
		return read_hmac(auth, rest) ? 0 : refuse(why);
	return word(&rest) ? refuse(why) : 0;
}

void trigger_auth_deinit(struct trigger_auth *auth)
{
	if (auth->text)
		explicit_bzero(auth->text, strlen(auth->text));
	free(auth->text);
}
