/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A function's response has no type; its first piece looks like one. */
#include <stddef.h>

const char *sniff_type(const char *data, size_t length);
