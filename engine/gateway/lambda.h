/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the files of Lambda's dialects share. Management is asked for in Lambda's words and described by the daemon in
 * ours (engine/door_manage.h); lambda_words.c translates.
 */
#include "base/json.h"
#include "gateway/exchange.h"

enum { LAMBDA_PARAMETERS_MOST = 48 << 10 }; /* of the frame that asks */
#define LAMBDA_BODY_MOST \
	((size_t)70167211) /* of a request that carries an archive, as Lambda has it */

void lambda_refuse(struct exchange *exchange, int error, const char *sentence);

/* Of an invocation: what it asks for; headers of its answer; the end of its log, in Base64. */
void lambda_ask(struct exchange *exchange);
void lambda_head(struct exchange *exchange);
void lambda_put_log(const struct exchange *exchange, struct buf *out);

/* --- lambda_words.c: no I/O --- */

/* What the body of a request says of a function, as the daemon's `config`, `env` and so on: 0 or -EINVAL with a sentence. */
int lambda_read_function(const cJSON *body, cJSON *parameters, struct buf *why);
int lambda_read_alias(const cJSON *body, cJSON *parameters, struct buf *why);

/* ZipFile: -EINVAL with a sentence when it is no zip archive. */
int lambda_read_archive(const cJSON *code, struct buf *archive, struct buf *why);

/* Our name of a version for `$LATEST`, and back. */
const char *lambda_version_ours(const char *version);
const char *lambda_version_theirs(const char *version);

/* A description as Lambda's FunctionConfiguration, AliasConfiguration. */
cJSON *lambda_function(const cJSON *described);
cJSON *lambda_alias(const cJSON *described);
