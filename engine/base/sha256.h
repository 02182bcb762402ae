/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * SHA-256, by libcrypto, which uses the processor's own instructions for it. Here is the only call of
 * it. A `struct sha256` is a calculator: it takes a while to make and may be used again and again, by one
 * thread at a time.
 */
#include <stddef.h>

enum { SHA256_SIZE = 32 };

struct sha256;

struct sha256 *sha256_new(void); /* NULL: no memory */
struct sha256 *sha256_free(struct sha256 *sha256);

/* Piece by piece: begin, add..., end. */
void sha256_begin(struct sha256 *sha256);
void sha256_add(struct sha256 *sha256, const void *data, size_t length);
void sha256_end(struct sha256 *sha256, unsigned char out[SHA256_SIZE]);

/* All at once. */
void sha256_of(
        struct sha256 *sha256, const void *data, size_t length, unsigned char out[SHA256_SIZE]);
