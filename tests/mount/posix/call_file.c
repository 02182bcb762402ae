/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading and writing through descriptors. What is written is told by a seed, what was read by a
 * digest.
 */
#include "call.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define MOST_BYTES (1 << 20)

static size_t sensible(long length)
{
	return length < 0 ? 0 : length > MOST_BYTES ? MOST_BYTES : length;
}

/* Bytes that differ by place and by seed. The caller frees them. */
static char *filled(size_t length, long seed)
{
	char *data = malloc(length + 1);
	size_t i;

	for (i = 0; data && i < length; i++)
		data[i] = (char)((size_t)seed * 37 + i * 7 + i / 251);
	return data;
}

static long told_bytes(struct answer *answer, const char *data, ssize_t length)
{
	if (length > 0)
		tell(answer, " %08x", digest(data, length));
	return length;
}

static long run_close(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	long slot = arguments[0].number;
	int file = hand(hands, slot);

	if (file < 0)
		return skip(answer);
	hands->files[slot] = -1;
	return close(file);
}

static long run_dup(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	long slot = arguments[0].number;

	if (slot < 0 || slot >= HANDS_FILES || hands->files[slot] >= 0)
		return skip(answer);
	hands->files[slot] = fcntl(hand(hands, arguments[1].number), F_DUPFD_CLOEXEC, 0);
	return hands->files[slot] < 0 ? -1 : 0;
}

static long run_read(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	char *data = malloc(sensible(arguments[1].number) + 1);
	long length;

	length = read(hand(hands, arguments[0].number), data, sensible(arguments[1].number));
	told_bytes(answer, data, length);
	free(data);
	return length;
}

static long run_pread(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	char *data = malloc(sensible(arguments[1].number) + 1);
	long length;

	length = pread(hand(hands, arguments[0].number), data, sensible(arguments[1].number),
	        arguments[2].number);
	told_bytes(answer, data, length);
	free(data);
	return length;
}

static long run_readv(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	size_t half = sensible(arguments[1].number) / 2;
	char *data = malloc(half * 2 + 1);
	struct iovec parts[2] = {{data + half, half}, {data, half}};
	long length;

	memset(data, 0, half * 2);
	length = readv(hand(hands, arguments[0].number), parts, 2);
	if (length >= 0)
		told_bytes(answer, data, half * 2);
	free(data);
	return length;
}

static long run_write(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	size_t length = sensible(arguments[1].number);
	char *data = filled(length, arguments[2].number);
	long written = write(hand(hands, arguments[0].number), data, length);

	free(data);
	return written;
}

static long run_pwrite(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	size_t length = sensible(arguments[1].number);
	char *data = filled(length, arguments[3].number);
	long written = pwrite(hand(hands, arguments[0].number), data, length, arguments[2].number);

	free(data);
	return written;
}

static long run_writev(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	size_t half = sensible(arguments[1].number) / 2;
	char *data = filled(half * 2, arguments[2].number);
	struct iovec parts[3] = {{data + half, half}, {data, 0}, {data, half}};
	long written = writev(hand(hands, arguments[0].number), parts, 3);

	free(data);
	return written;
}

/* One aligned block with O_DIRECT, from memory that fits. */
static long run_direct(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	int file = hand(hands, arguments[0].number);
	char *data = aligned_alloc(4096, 8192);
	char *fill = filled(8192, arguments[2].number);
	long length;

	memcpy(data, fill, 8192);
	length = pwrite(file, data, 8192, arguments[1].number);
	if (length == 8192) {
		memset(data, 0, 8192);
		length = pread(file, data, 8192, arguments[1].number);
		told_bytes(answer, data, length);
	}
	free(fill);
	free(data);
	return length;
}

static bool is_directory(int file)
{
	struct stat status;

	return fstat(file, &status) == 0 && S_ISDIR(status.st_mode);
}

static long run_lseek(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	int file = hand(hands, arguments[0].number);

	if (hands->licence.seek && is_directory(file))
		return 0;
	return lseek(file, arguments[1].number, arguments[2].number);
}

static long run_fsync(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	return fsync(hand(hands, arguments[0].number));
}

static long run_fdatasync(
        struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	return fdatasync(hand(hands, arguments[0].number));
}

/* Turns O_APPEND on or off; what fcntl says of the flags must fit. */
static long run_setappend(
        struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	int file = hand(hands, arguments[0].number);
	int flags = fcntl(file, F_GETFL);

	if (flags < 0)
		return -1;
	flags = arguments[1].number ? flags | O_APPEND : flags & ~O_APPEND;
	if (fcntl(file, F_SETFL, flags) < 0)
		return -1;
	return fcntl(file, F_GETFL) & (O_APPEND | O_ACCMODE);
}

static long run_copy(struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	off_t from = arguments[1].number, to = arguments[3].number;

	return copy_file_range(hand(hands, arguments[0].number), &from,
	        hand(hands, arguments[2].number), &to, sensible(arguments[4].number), 0);
}

static long run_sendfile(
        struct hands *hands, const struct argument *arguments, struct answer *answer)
{
	off_t from = arguments[2].number;

	return sendfile(hand(hands, arguments[0].number), hand(hands, arguments[1].number), &from,
	        sensible(arguments[3].number));
}

const struct call calls_on_files[] = {
        {"close", "f", run_close, 0},
        {"dup", "ff", run_dup, 1},
        {"read", "fn", run_read, 1},
        {"pread", "fnn", run_pread, 1},
        {"readv", "fn", run_readv, 1},
        {"write", "fnn", run_write, 1},
        {"pwrite", "fnnn", run_pwrite, 1},
        {"writev", "fnn", run_writev, 1},
        {"direct", "fnn", run_direct, 1},
        {"lseek", "fnw", run_lseek, 1},
        {"fsync", "f", run_fsync, 1},
        {"fdatasync", "f", run_fdatasync, 1},
        {"setappend", "fn", run_setappend, 1},
        {"copy", "fnfnn", run_copy, 3},
        {"sendfile", "ffnn", run_sendfile, 1},
        {},
};
