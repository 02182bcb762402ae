/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The algorithm is fetched once for each calculator: EVP_sha256() would look it up anew at every use,
 * under a lock, which costs as much as hashing a kilobyte. With algorithm and context at hand nothing
 * below can fail: no memory is taken, and no input is refused.
 */
#include "base/sha256.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdlib.h>

struct sha256 {
	EVP_MD *algorithm;
	EVP_MD_CTX *context;
};

struct sha256 *sha256_new(void)
{
	struct sha256 *sha256 = calloc(1, sizeof(*sha256));

	if (!sha256)
		return NULL;
	sha256->algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
	sha256->context = EVP_MD_CTX_new();
	if (!sha256->algorithm || !sha256->context ||
	        !EVP_DigestInit_ex2(sha256->context, sha256->algorithm, NULL))
		return sha256_free(sha256);
	return sha256;
}

struct sha256 *sha256_free(struct sha256 *sha256)
{
	if (!sha256)
		return NULL;
	EVP_MD_CTX_free(sha256->context);
	EVP_MD_free(sha256->algorithm);
	free(sha256);
	return NULL;
}

static void must(int done)
{
	assert(done == 1);
}

void sha256_begin(struct sha256 *sha256)
{
	must(EVP_DigestInit_ex2(sha256->context, NULL, NULL));
}

void sha256_add(struct sha256 *sha256, const void *data, size_t length)
{
	must(EVP_DigestUpdate(sha256->context, data, length));
}

void sha256_end(struct sha256 *sha256, unsigned char out[SHA256_SIZE])
{
	must(EVP_DigestFinal_ex(sha256->context, out, NULL));
}

void sha256_of(
        struct sha256 *sha256, const void *data, size_t length, unsigned char out[SHA256_SIZE])
{
	sha256_begin(sha256);
	sha256_add(sha256, data, length);
	sha256_end(sha256, out);
}
