/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Who may call an `http` trigger: the value of its `auth`.
 *
 *	token                    whoever has a token of the gateway that opens its target
 *	none                     everybody
 *	basic USER:SECRET ...    one of these, as Authorization: Basic
 *	hmac SECRET [HEADER]     whoever can sign: the body's HMAC-SHA256 in hexadecimal digits, perhaps behind
 *	                         `sha256=`, in that header (X-Hub-Signature-256)
 */
#include "base/buf.h"

enum trigger_auth_kind { AUTH_TOKEN, AUTH_NONE, AUTH_BASIC, AUTH_HMAC };

enum { AUTH_SECRET_SHORTEST = 8, AUTH_VALUE_LONGEST = 4096 };

struct trigger_auth {
	enum trigger_auth_kind kind;
	char *text;          /* what the others point into */
	const char *secrets; /* USER:SECRET with blanks between them; the secret; "" */
	const char *header;
};

/* 0, -EINVAL with a sentence that tells nothing of a secret, -ENOMEM. Deinit in any case. */
int trigger_auth_parse(struct trigger_auth *auth, const char *value, struct buf *why);
void trigger_auth_deinit(struct trigger_auth *auth);
