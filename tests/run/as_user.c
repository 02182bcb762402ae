/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `as_user PROGRAM [ARGUMENT]...` runs a test as an ordinary user. Who is one already, just runs it; root
 * becomes nobody. 77 (skipped), with the reason, when that user cannot even reach the program.
 */
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <errno.h>
#include <unistd.h>

enum { NOBODY = 65534, SKIPPED = 77 };

int main(int argc, char **argv)
{
	char directory[PATH_MAX];

	if (argc < 2 || !getcwd(directory, sizeof(directory)))
		return 2;
	if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
	                              setresuid(NOBODY, NOBODY, NOBODY) < 0)) {
		printf("skipped: cannot become an ordinary user: %s\n", strerror(errno));
		return SKIPPED;
	}
	if (access(directory, X_OK) < 0) {
		printf("skipped: an ordinary user cannot reach %s: %s\n", directory,
		        strerror(errno));
		return SKIPPED;
	}
	execv(argv[1], argv + 1);
	printf("skipped: an ordinary user cannot run %s: %s\n", argv[1], strerror(errno));
	return SKIPPED;
}
