/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `auth` of a trigger as its owner writes it, and requests against it as anybody sends them: three lines, the value, the
 * Authorization header, and the event. Nobody comes in without what is asked for: the secrets are appended here, so
 * no input knows them.
 */
#include "events/http_auth.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "fuzz.h"
#include "model/trigger_auth.h"

#define HOLDS(condition) \
	do { \
		if (!(condition)) \
			abort(); \
	} while (0)

static void check_value(const char *value)
{
	CLEANUP(trigger_auth_deinit) struct trigger_auth auth;
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	int r = trigger_auth_parse(&auth, value, &why);

	HOLDS(r == 0 || (r == -EINVAL && why.length));
	HOLDS(r < 0 || auth.kind < AUTH_BASIC || *auth.secrets);
}

static void ask(const char *auth, const char *authorization, const char *text)
{
	CLEANUP(buf_deinit) struct buf event = BUF_INIT;
	CLEANUP(buf_deinit) struct buf why = BUF_INIT;
	int r;

	buf_puts(&event, text);
	r = http_auth_judge(auth, authorization, &event, &why);
	HOLDS(r == -EBADMSG || (r == -EPERM && why.length));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(free_p) char *text = malloc(size + 1);
	char *rest = text, *value, *authorization;

	HOLDS(text);
	memcpy(text, data, size);
	text[size] = 0;
	value = strsep(&rest, "\n");
	authorization = rest ? strsep(&rest, "\n") : NULL;
	check_value(value);
	ask("basic eva:what-no-input-has-8f3a", authorization, rest ? rest : "");
	ask("hmac what-no-input-has-8f3a X-Own", authorization, rest ? rest : "");
	return 0;
}

void fuzz_sample(struct buf *out)
{
	buf_puts(out, "hmac 12345678 X-Own\nBasic ZXZhOmdlaGVpbQ==\n"
	              "{\"headers\":{\"X-Own\":\"sha256=00\",\"authorization\":\"x\"},"
	              "\"isBase64Encoded\":true,\"body\":\"aGVsbG8=\"}");
}
