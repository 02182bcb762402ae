/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What a user writes into the file of a source, the same for all brokers:
 *
 *	scheme://[user[:password]@]host[:port][,host[:port]...][/path] SUBJECT [key=value ...]
 *
 * User, password and path may have escapes as in URLs (%40 is @). Only `host` is fit to be shown.
 */
#include <stddef.h>

#include "base/buf.h"

enum { ADDRESS_OPTIONS = 12 };

/* What an adapter takes. Lists end with NULL. */
struct address_form {
	const char *const *schemes; /* without :// */
	const char *const *options;
	int port; /* when none is written */
	bool many_hosts;
};

struct address {
	char *text; /* the others point into it */
	const char *scheme, *host, *path, *subject;
	const char *user, *password; /* NULL when there is none */
	char *hosts; /* host:port,host:port, for libraries that take a list, and for messages */
	int port;    /* of the first host */
	struct {
		const char *key, *value;
	} options[ADDRESS_OPTIONS];
};

/* 0, -ENOMEM, or -EINVAL with a sentence in `why`, without the password. */
int address_parse(
        struct address *out, const struct address_form *form, const char *value, struct buf *why);
void address_deinit(struct address *address);

const char *address_option(const struct address *address, const char *key, const char *otherwise);

/* Reads the value of a source, or ends the process with `refused`. */
struct address address_read(const char *value, const struct address_form *form);

/* The index of an option's value in a list that ends with NULL, the first when it is not given; else `refused`. */
int address_choice(const struct address *address, const char *key, const char *const *choices);

/* An option that is a whole number from 1 to `most`; anything else is `refused`. */
int address_number(const struct address *address, const char *key, int otherwise, int most);
