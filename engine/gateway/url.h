/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The target of a request, cut apart: `/a/b%2Fc?x=1&y`. Segments and parameters are decoded after they were
 * cut. No I/O; what it is given comes from anybody.
 */
#include <stddef.h>

#include "base/buf.h"

enum { URL_SEGMENTS_MOST = 64, URL_PARAMETERS_MOST = 256 };

struct url_parameter {
	const char *name, *value; /* decoded; value "" when there is none */
};

struct url {
	char *text;   /* what the others point into */
	char *path;   /* as it was sent, without the query */
	size_t count; /* of segments; those of `/a/` are `a` and an empty one, `/` has none */
	const char *segments[URL_SEGMENTS_MOST]; /* decoded */
	const char *rests[URL_SEGMENTS_MOST]; /* the path from that segment on, as sent: `/b%2Fc` */
	size_t parameter_count;
	struct url_parameter parameters[URL_PARAMETERS_MOST];
};

/*
 * 0; -EINVAL: it is no path, an escape is none or stands for a zero byte or a line's end, or a segment is
 * `.` or `..`; -E2BIG: more segments or parameters than there may be; -ENOMEM. Deinit in any case.
 */
int url_parse(struct url *url, const char *target);
void url_deinit(struct url *url);

const char *url_parameter(const struct url *url, const char *name); /* the first; or NULL */
