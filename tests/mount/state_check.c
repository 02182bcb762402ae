/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a daemon left in its state directory, judged without it: every blob, and the whole of every version.
 *
 *	state_check DIRECTORY
 *
 * Says what is wrong, a line each, then counts; 1 when anything was.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/function.h"
#include "model/version.h"
#include "store/blob.h"
#include "store/snapshot.h"
#include "store/store.h"

struct judge {
	struct blobs *blobs;
	struct blob_set *seen;
	unsigned problems, versions;
};

static void bad(void *userdata, const char *sentence)
{
	struct judge *judge = userdata;

	judge->problems++;
	printf("%s\n", sentence);
}

static void check_version(struct judge *judge, const struct version *version)
{
	struct snapshot_summary summary;
	struct blob_id root;

	memcpy(root.bytes, version->snapshot.root, sizeof(root.bytes));
	judge->versions++;
	if (snapshot_check(judge->blobs, &root, true, judge->seen, bad, judge) < 0)
		bad(judge, "a snapshot could not be checked");
	if (snapshot_summarise(judge->blobs, &root, &summary) == 0 &&
	        (summary.files != version->snapshot.files ||
	                summary.bytes != version->snapshot.bytes))
		bad(judge, "a version counts other files than its snapshot");
}

static void check_versions(struct judge *judge, struct functions *functions)
{
	struct function *function = NULL;

	while ((function = functions_next(functions, function ? function->id : 0))) {
		struct version *version = NULL;

		while ((version = versions_next(function, version ? version->id : 0)))
			check_version(judge, version);
	}
}

int main(int count, char **arguments)
{
	struct judge judge = {.seen = blob_set_new()};
	struct blob_check_result counts = {};
	struct functions *functions = NULL;
	struct store *store = NULL;

	if (count != 2 || store_open(&store, arguments[1]) < 0 ||
	        blobs_open(&judge.blobs, arguments[1]) < 0 ||
	        functions_new(&functions, store, NULL, NULL) < 0) {
		printf("%s cannot be opened\n", count == 2 ? arguments[1] : "nothing");
		return 1;
	}
	check_versions(&judge, functions);
	if (blobs_check(judge.blobs, bad, &judge, &counts) < 0)
		bad(&judge, "the packs could not be checked");
	printf("%u versions, %llu packs, %llu records, %u problems\n", judge.versions,
	        (unsigned long long)counts.packs, (unsigned long long)counts.records,
	        judge.problems);
	functions_free(functions);
	blobs_close(judge.blobs);
	store_close(store);
	blob_set_free(judge.seen);
	return judge.problems ? 1 : 0;
}
