/* SPDX-License-Identifier: Apache-2.0 */
#include "store/blob_format.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

enum { RECORD_MAGIC = 0x424f4c42, RECORD_CHECKED = PACK_RECORD_SIZE - 4, FOOTER_DIGESTED = 32 };

static const char header_magic[8] = {'f', 'n', 'f', 's', 'p', 'a', 'c', 'k'};
static const char footer_magic[8] = {'f', 'n', 'f', 's', 'i', 'n', 'd', 'x'};

static unsigned char *put_u32(unsigned char *bytes, uint32_t value)
{
	value = htole32(value);
	memcpy(bytes, &value, sizeof(value));
	return bytes + sizeof(value);
}

static unsigned char *put_u64(unsigned char *bytes, uint64_t value)
{
	value = htole64(value);
	memcpy(bytes, &value, sizeof(value));
	return bytes + sizeof(value);
}

static unsigned char *put_bytes(unsigned char *bytes, const void *data, size_t length)
{
	memcpy(bytes, data, length);
	return bytes + length;
}

static uint32_t get_u32(const unsigned char *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof(value));
	return le32toh(value);
}

static uint64_t get_u64(const unsigned char *bytes)
{
	uint64_t value;

	memcpy(&value, bytes, sizeof(value));
	return le64toh(value);
}

void header_put(unsigned char out[PACK_HEADER_SIZE])
{
	out = put_bytes(out, header_magic, sizeof(header_magic));
	put_u32(put_u32(out, PACK_VERSION), 0);
}

static uint32_t record_check(const unsigned char *bytes, struct sha256 *sha256)
{
	unsigned char digest[SHA256_SIZE];

	sha256_of(sha256, bytes, RECORD_CHECKED, digest);
	return get_u32(digest);
}

void record_put(unsigned char out[PACK_RECORD_SIZE], const struct blob_record *record,
        struct sha256 *sha256)
{
	unsigned char *p = put_u32(out, RECORD_MAGIC);

	p = put_u32(p, record->coding);
	p = put_u32(p, record->size);
	p = put_u32(p, record->stored);
	p = put_bytes(p, record->id.bytes, BLOB_ID_SIZE);
	p = put_u32(p, 0);
	put_u32(p, record_check(out, sha256));
}

bool record_begins(const unsigned char *bytes)
{
	return get_u32(bytes) == RECORD_MAGIC;
}

int record_get(
        struct blob_record *out, const unsigned char bytes[PACK_RECORD_SIZE], struct sha256 *sha256)
{
	if (!record_begins(bytes) || get_u32(bytes + RECORD_CHECKED) != record_check(bytes, sha256))
		return -EBADMSG;
	out->coding = get_u32(bytes + 4);
	out->size = get_u32(bytes + 8);
	out->stored = get_u32(bytes + 12);
	memcpy(out->id.bytes, bytes + 16, BLOB_ID_SIZE);
	if (out->coding > BLOB_ZSTD || out->size > BLOB_MAX || out->stored > out->size ||
	        (out->coding == BLOB_RAW && out->stored != out->size))
		return -EBADMSG;
	return 0;
}

void entry_put(unsigned char out[PACK_ENTRY_SIZE], const struct blob_entry *entry)
{
	out = put_bytes(out, entry->id.bytes, BLOB_ID_SIZE);
	out = put_u64(out, entry->place);
	put_u32(put_u32(out, entry->size), entry->stored);
}

void entry_get(struct blob_entry *out, const unsigned char bytes[PACK_ENTRY_SIZE])
{
	memcpy(out->id.bytes, bytes, BLOB_ID_SIZE);
	out->place = get_u64(bytes + 32);
	out->size = get_u32(bytes + 40);
	out->stored = get_u32(bytes + 44);
}

static void footer_put_begin(unsigned char out[FOOTER_DIGESTED], const struct pack_footer *footer)
{
	out = put_bytes(out, footer_magic, sizeof(footer_magic));
	out = put_u32(put_u32(out, footer->version), 0);
	put_u64(put_u64(out, footer->index_place), footer->count);
}

void footer_put(unsigned char out[PACK_FOOTER_SIZE], const struct pack_footer *footer,
        struct sha256 *index_digest)
{
	footer_put_begin(out, footer);
	sha256_add(index_digest, out, FOOTER_DIGESTED);
	sha256_end(index_digest, out + FOOTER_DIGESTED);
}

int footer_get(struct pack_footer *out, const unsigned char bytes[PACK_FOOTER_SIZE])
{
	if (memcmp(bytes, footer_magic, sizeof(footer_magic)) != 0 || get_u32(bytes + 12) != 0)
		return -EBADMSG;
	out->version = get_u32(bytes + 8);
	out->index_place = get_u64(bytes + 16);
	out->count = get_u64(bytes + 24);
	memcpy(out->digest, bytes + FOOTER_DIGESTED, SHA256_SIZE);
	return 0;
}

bool footer_fits(const struct pack_footer *footer, struct sha256 *index_digest)
{
	unsigned char bytes[FOOTER_DIGESTED], digest[SHA256_SIZE];

	footer_put_begin(bytes, footer);
	sha256_add(index_digest, bytes, sizeof(bytes));
	sha256_end(index_digest, digest);
	return memcmp(digest, footer->digest, sizeof(digest)) == 0;
}

int entry_compare_ids(const void *a, const void *b)
{
	const struct blob_entry *left = a, *right = b;

	return memcmp(left->id.bytes, right->id.bytes, BLOB_ID_SIZE);
}

int entry_compare_places(const void *a, const void *b)
{
	const struct blob_entry *left = a, *right = b;

	return (left->place > right->place) - (left->place < right->place);
}
