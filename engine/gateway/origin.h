/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Where no token is asked for, a web page that a browser on this machine shows could ask as well: by its
 * own scripts, or by a name of its own that it lets point here. Both can be told by headers that scripts
 * cannot set.
 */
#include <stdbool.h>

struct http_request;

bool origin_is_ours(const struct http_request *request);
