/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* HMAC (RFC 2104) with SHA-256, and a comparison that takes the same time for all that is different. */
#include <stdbool.h>
#include <stddef.h>

#include "base/sha256.h"

/* 0 or -ENOMEM. */
int hmac_sha256(const void *key, size_t key_length, const void *data, size_t length,
        unsigned char out[SHA256_SIZE]);

bool hmac_same(const unsigned char one[SHA256_SIZE], const unsigned char other[SHA256_SIZE]);
