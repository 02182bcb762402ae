/* SPDX-License-Identifier: Apache-2.0 */
#include "base/compression.h"

#include <errno.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#define LEVEL 3

/* zstd's own contexts under our names: nothing is added to them. */
static ZSTD_CCtx *compressing(struct compressor *compressor)
{
	return (ZSTD_CCtx *)compressor;
}

static ZSTD_DCtx *decompressing(struct decompressor *decompressor)
{
	return (ZSTD_DCtx *)decompressor;
}

struct compressor *compressor_new(bool checksums)
{
	ZSTD_CCtx *context = ZSTD_createCCtx();

	if (!context)
		return NULL;
	ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, LEVEL);
	ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, checksums);
	ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 1);
	return (struct compressor *)context;
}

struct compressor *compressor_free(struct compressor *compressor)
{
	ZSTD_freeCCtx(compressing(compressor));
	return NULL;
}

struct decompressor *decompressor_new(void)
{
	return (struct decompressor *)ZSTD_createDCtx();
}

struct decompressor *decompressor_free(struct decompressor *decompressor)
{
	ZSTD_freeDCtx(decompressing(decompressor));
	return NULL;
}

size_t frame_bound(size_t size)
{
	return ZSTD_compressBound(size);
}

ssize_t frame_compress(
        struct compressor *compressor, void *to, size_t room, const void *from, size_t size)
{
	size_t length = ZSTD_compress2(compressing(compressor), to, room, from, size);

	if (!ZSTD_isError(length))
		return (ssize_t)length;
	return ZSTD_getErrorCode(length) == ZSTD_error_dstSize_tooSmall ? -EMSGSIZE : -ENOMEM;
}

ssize_t frame_decompress(
        struct decompressor *decompressor, void *to, size_t room, const void *from, size_t size)
{
	size_t length = ZSTD_decompressDCtx(decompressing(decompressor), to, room, from, size);

	if (!ZSTD_isError(length))
		return (ssize_t)length;
	return ZSTD_getErrorCode(length) == ZSTD_error_memory_allocation ? -ENOMEM : -EBADMSG;
}

int frame_measure(const void *bytes, size_t length, size_t *compressed, size_t *size)
{
	unsigned long long content = ZSTD_getFrameContentSize(bytes, length);

	*compressed = ZSTD_findFrameCompressedSize(bytes, length);
	if (ZSTD_isError(*compressed) || content == ZSTD_CONTENTSIZE_UNKNOWN ||
	        content == ZSTD_CONTENTSIZE_ERROR)
		return -EBADMSG;
	*size = (size_t)content;
	return 0;
}

bool frame_begins(const unsigned char bytes[4])
{
	static const unsigned char magic[4] = {0x28, 0xB5, 0x2F, 0xFD};

	_Static_assert(ZSTD_MAGICNUMBER == 0xFD2FB528, "the bytes above");
	return memcmp(bytes, magic, sizeof(magic)) == 0;
}
