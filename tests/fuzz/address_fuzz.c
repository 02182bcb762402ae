/* SPDX-License-Identifier: Apache-2.0 */
/* What a user writes for a broker: a refusal says why, and what is taken has a scheme, a host and a port of those that there are. */
#include <stdlib.h>
#include <string.h>

#include "brokers/address.h"
#include "fuzz.h"

static void try_form(const struct address_form *form, const char *text)
{
	struct buf why = BUF_INIT;
	struct address address;

	if (address_parse(&address, form, text, &why) < 0) {
		if (!why.length || address.text || address.hosts)
			abort();
	} else if (!*address.host || address.port < 1 || address.port > 65535 ||
	           !*address.subject || !strstr(address.hosts, address.host) ||
	           strpbrk(address.hosts, "@?# ")) {
		abort();
	}
	address_deinit(&address);
	buf_deinit(&why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const schemes[] = {"amqp", "amqps", NULL};
	static const char *const options[] = {"ids", "ca", NULL};
	char *text = strndup((const char *)data, size);

	if (!text)
		return 0;
	try_form(&(struct address_form){schemes, options, .port = 5672}, text);
	try_form(&(struct address_form){schemes, options, .port = 5672, .many_hosts = true}, text);
	free(text);
	return 0;
}

void fuzz_sample(struct buf *out)
{
	buf_puts(out, "amqp://u%40:p%41@[::1]:5672,b:1/v%2Fh orders ids=none ca=/x");
}
