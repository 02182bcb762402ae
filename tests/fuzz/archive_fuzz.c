/* SPDX-License-Identifier: Apache-2.0 */
/* A closed log segment as a broken disk may give it back. */
#include "engine/logbook_archive.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(close_p) int fd = memfd_create("input", MFD_CLOEXEC);
	static char text[ARCHIVE_PIECE + 1000];
	struct archive *archive = NULL;
	int64_t offset = 0;
	ssize_t done;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	if (archive_open(&archive, fd) < 0)
		return 0;
	while (offset < archive_size(archive)) {
		done = archive_read(archive, text, sizeof(text), offset);
		if (done == 0 || done > (ssize_t)sizeof(text))
			abort(); /* neither progress nor an error */
		offset += done > 0 ? done : ARCHIVE_PIECE;
	}
	if (archive_read(archive, text, sizeof(text), archive_size(archive)) != 0)
		abort();
	archive_free(archive);
	return 0;
}

void fuzz_sample(struct buf *out)
{
	CLEANUP(close_p) int from = memfd_create("text", MFD_CLOEXEC);
	CLEANUP(close_p) int to = memfd_create("archive", MFD_CLOEXEC);
	atomic_bool canceled = false;
	int64_t size = 2 * ARCHIVE_PIECE + 100;
	off_t packed;

	if (ftruncate(from, size) < 0 || archive_write(from, size, to, &canceled) < 0)
		abort();
	packed = lseek(to, 0, SEEK_END);
	if (pread(to, buf_reserve(out, (size_t)packed), (size_t)packed, 0) != packed)
		abort();
	buf_added(out, (size_t)packed);
}
