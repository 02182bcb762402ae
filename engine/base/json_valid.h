/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Whether a text is JSON to the letter (RFC 8259), UTF-8 and pairs of surrogates included, so that it can be put
 * into other JSON as it is: cJSON takes more than that. White space round it is allowed. At most 512 levels deep.
 */
#include <stdbool.h>
#include <stddef.h>

bool json_valid(const char *text, size_t length);
