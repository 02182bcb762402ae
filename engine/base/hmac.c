/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hmac.h"

#include <errno.h>
#include <string.h>

enum { BLOCK = 64 };

static void begin(struct sha256 *sha256, const unsigned char key[BLOCK], unsigned char pad)
{
	unsigned char block[BLOCK];

	for (size_t i = 0; i < BLOCK; i++)
		block[i] = key[i] ^ pad;
	sha256_begin(sha256);
	sha256_add(sha256, block, BLOCK);
	explicit_bzero(block, BLOCK);
}

int hmac_sha256(const void *key, size_t key_length, const void *data, size_t length,
        unsigned char out[SHA256_SIZE])
{
	struct sha256 *sha256 = sha256_new();
	unsigned char block[BLOCK] = {0}, inner[SHA256_SIZE];

	if (!sha256)
		return -ENOMEM;
	if (key_length > BLOCK)
		sha256_of(sha256, key, key_length, block);
	else
		memcpy(block, key, key_length);
	begin(sha256, block, 0x36);
	sha256_add(sha256, data, length);
	sha256_end(sha256, inner);
	begin(sha256, block, 0x5c);
	sha256_add(sha256, inner, sizeof(inner));
	sha256_end(sha256, out);
	explicit_bzero(block, sizeof(block));
	sha256_free(sha256);
	return 0;
}

bool hmac_same(const unsigned char one[SHA256_SIZE], const unsigned char other[SHA256_SIZE])
{
	unsigned char different = 0;

	for (size_t i = 0; i < SHA256_SIZE; i++)
		different |= one[i] ^ other[i];
	return !different;
}
