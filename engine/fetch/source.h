/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Where archives come from: an absolute path, read with the rights this process was started with, or a
 * URL: http, https, and s3://BUCKET/KEY, which is https to the endpoint of the environment:
 *
 *	AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL   https://s3.REGION.amazonaws.com when neither is there
 *	AWS_REGION, AWS_DEFAULT_REGION          us-east-1
 *	AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN     without them it is not signed
 */
#include <stdbool.h>

#include "base/buf.h"
#include "fetch/job.h"
#include "fetch/spool.h"

/* Whether it has the form of a URL, of whatever scheme. */
bool source_is_url(const char *source);

/* Fills the spool. 0, or a negative errno with its sentence. */
int source_fetch(const struct job *job, struct spool *spool);

/* download.c: http and https; `region` not NULL = sign as s3 does. */
int download(const char *url, const char *region, const struct bounds *bounds, struct spool *spool);

/* s3.c: the http(s) URL of s3://BUCKET/KEY, path-style. 0 or -EINVAL. */
int s3_url(const char *source, struct buf *url);
const char *s3_region(void);
bool s3_has_key(void);
