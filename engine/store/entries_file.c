/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies have a table of their own: a row changes three times in its life, and a body of 6 MiB is not
 * to be written again each time. A row is always put whole, so that there is one statement for every
 * change; AUTOINCREMENT only remembers the highest id there ever was.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fail.h"
#include "store/entries_private.h"
#include "store/store_schema.h"

static const char *const migrations[] = {
        /* 1: entries and their bodies */
        "CREATE TABLE entries ("
        "	id INTEGER PRIMARY KEY AUTOINCREMENT,"
        "	function INTEGER NOT NULL, version INTEGER NOT NULL, alias INTEGER NOT NULL,"
        "	name TEXT NOT NULL, request_id TEXT NOT NULL, source TEXT NOT NULL,"
        "	place INTEGER NOT NULL,"
        "	accepted_us INTEGER NOT NULL, due_us INTEGER NOT NULL, ended_us INTEGER NOT NULL,"
        "	begun INTEGER NOT NULL, tries INTEGER NOT NULL,"
        "	max_retries INTEGER NOT NULL, max_age_ms INTEGER NOT NULL,"
        "	uid INTEGER NOT NULL, gid INTEGER NOT NULL, mode INTEGER NOT NULL,"
        "	hops INTEGER NOT NULL,"
        "	request_bytes INTEGER NOT NULL, answer_bytes INTEGER NOT NULL);"
        "CREATE TABLE requests ("
        "	id INTEGER PRIMARY KEY REFERENCES entries (id) ON DELETE CASCADE,"
        "	body BLOB NOT NULL);"
        "CREATE TABLE answers ("
        "	id INTEGER PRIMARY KEY REFERENCES entries (id) ON DELETE CASCADE,"
        "	body BLOB NOT NULL);",
};

enum statement {
	PUT,
	DROP,
	SET_REQUEST,
	REMOVE_REQUEST,
	GET_REQUEST,
	SET_ANSWER,
	REMOVE_ANSWER,
	GET_ANSWER,
	STATEMENTS
};

#define COLUMNS \
	"id, function, version, alias, name, request_id, source, place, accepted_us, due_us," \
	" ended_us, begun, tries, max_retries, max_age_ms, uid, gid, mode, hops, request_bytes," \
	" answer_bytes"

static const char *const texts[STATEMENTS] = {
        [PUT] = "INSERT INTO entries (" COLUMNS ") VALUES"
                " (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21)"
                " ON CONFLICT (id) DO UPDATE SET function=?2, version=?3, alias=?4, name=?5,"
                " place=?8, accepted_us=?9, due_us=?10, ended_us=?11, begun=?12, tries=?13,"
                " uid=?16, gid=?17, mode=?18, request_bytes=?20, answer_bytes=?21",
        [DROP] = "DELETE FROM entries WHERE id = ?1",
        [SET_REQUEST] = "INSERT OR REPLACE INTO requests (id, body) VALUES (?1, ?2)",
        [REMOVE_REQUEST] = "DELETE FROM requests WHERE id = ?1",
        [GET_REQUEST] = "SELECT body FROM requests WHERE id = ?1",
        [SET_ANSWER] = "INSERT OR REPLACE INTO answers (id, body) VALUES (?1, ?2)",
        [REMOVE_ANSWER] = "DELETE FROM answers WHERE id = ?1",
        [GET_ANSWER] = "SELECT body FROM answers WHERE id = ?1",
};

struct entry_file {
	struct store *store;
	sqlite3_stmt *statements[STATEMENTS];
};

struct entry_file *entry_file_close(struct entry_file *file)
{
	if (!file)
		return NULL;
	for (int i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(file->statements[i]);
	store_close(file->store);
	free(file);
	return NULL;
}

/* It is as large as what waits in it, so it is not read through at each start: a page says what is wrong with it. */
int entry_file_open(struct entry_file **out, const char *state_dir)
{
	struct entry_file *file = calloc(1, sizeof(*file));
	const struct store_file database = {"queue.db", migrations, ARRAY_SIZE(migrations), false};
	int r = file ? 0 : fail(-ENOMEM, "opening the queues");

	if (r == 0)
		r = store_open_file(&file->store, state_dir, &database);
	if (r == 0)
		r = store_set_durability(file->store, true);
	for (int i = 0; r == 0 && i < STATEMENTS; i++)
		r = store_prepare(file->store, texts[i], &file->statements[i]);
	if (r == 0)
		*out = take(file);
	entry_file_close(file);
	return r;
}

/* --- writing ---------------------------------------------------------------------------------- */

static void bind_row(sqlite3_stmt *put, const struct entry_row *row)
{
	const int64_t numbers[] = {(int64_t)row->id, (int64_t)row->function, (int64_t)row->version,
	        (int64_t)row->alias, 0, 0, 0, row->place, row->accepted_us, row->due_us,
	        row->ended_us, row->begun, row->tries, row->max_retries, row->max_age_ms, row->uid,
	        row->gid, row->mode, row->hops, row->request_bytes, row->answer_bytes};
	const char *const words[] = {row->name, row->request_id, row->source};

	for (int i = 0; i < (int)ARRAY_SIZE(numbers); i++)
		if (i >= 4 && i <= 6)
			sqlite3_bind_text(put, i + 1, words[i - 4], -1, SQLITE_STATIC);
		else
			sqlite3_bind_int64(put, i + 1, numbers[i]);
}

static int run(struct entry_file *file, enum statement which)
{
	int r = store_finish(file->store, file->statements[which], "writing to a queue");

	sqlite3_clear_bindings(file->statements[which]);
	return r;
}

static int write_body(struct entry_file *file, uint64_t id, enum entry_body verb, struct buf *body,
        enum statement set, enum statement gone)
{
	enum statement which = verb == ENTRY_SET ? set : gone;

	if (verb == ENTRY_KEEP)
		return 0;
	sqlite3_bind_int64(file->statements[which], 1, (int64_t)id);
	if (verb == ENTRY_SET)
		sqlite3_bind_blob64(file->statements[which], 2, body->length ? body->data : "",
		        body->length, SQLITE_STATIC);
	return run(file, which);
}

static int write_one(struct entry_file *file, struct entry_write *change)
{
	uint64_t id = change->row.id;
	int r;

	if (change->verb == ENTRY_DROP) {
		sqlite3_bind_int64(file->statements[DROP], 1, (int64_t)id);
		return run(file, DROP);
	}
	bind_row(file->statements[PUT], &change->row);
	r = run(file, PUT);
	if (r == 0)
		r = write_body(file, id, change->request_is, &change->request, SET_REQUEST,
		        REMOVE_REQUEST);
	if (r == 0)
		r = write_body(
		        file, id, change->answer_is, &change->answer, SET_ANSWER, REMOVE_ANSWER);
	return r;
}

static int write_commit(struct entry_file *file, struct entry_commit *commit)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < commit->count; i++)
		r = write_one(file, &commit->writes[i]);
	return r;
}

static int begin(struct entry_file *file)
{
	store_roll_back(
	        file->store); /* where the last one failed there was perhaps no memory for it */
	return store_finish(file->store, file->store->begin, "beginning to write to the queues");
}

static int end(struct entry_file *file, int r)
{
	if (r == 0)
		r = store_finish(file->store, file->store->commit, "committing to the queues");
	if (r < 0)
		store_roll_back(file->store);
	return r;
}

static int together(struct entry_file *file, struct list *commits)
{
	struct entry_commit *commit;
	int r = begin(file);

	if (r < 0)
		return r;
	list_each(commit, commits, link)
		if (r == 0)
			r = write_commit(file, commit);
	return end(file, r);
}

/* What is too large for the disk is not to take the small ones down with it. */
static void one_by_one(struct entry_file *file, struct list *commits)
{
	struct entry_commit *commit;

	list_each(commit, commits, link) {
		commit->status = begin(file);
		if (commit->status == 0)
			commit->status = end(file, write_commit(file, commit));
	}
}

void entry_file_commit(struct entry_file *file, struct list *commits)
{
	struct entry_commit *commit;
	int r;

	if (list_empty(commits))
		return;
	r = together(file, commits);
	list_each(commit, commits, link)
		commit->status = r;
	if (r < 0 && commits->next->next != commits)
		one_by_one(file, commits);
}

/* --- reading ---------------------------------------------------------------------------------- */

void entry_file_read(struct entry_file *file, struct entry_read *read)
{
	sqlite3_stmt *get = file->statements[read->answer ? GET_ANSWER : GET_REQUEST];
	int answer;

	sqlite3_bind_int64(get, 1, (int64_t)read->id);
	answer = sqlite3_step(get);
	if (answer == SQLITE_ROW) {
		buf_append(&read->data, sqlite3_column_blob(get, 0),
		        (size_t)sqlite3_column_bytes(get, 0));
		read->status = read->data.failed ? fail(-ENOMEM, "reading a queue") : 0;
	} else {
		read->status = answer == SQLITE_DONE
		                       ? -ENOENT
		                       : store_error(file->store, answer, "reading a queue");
	}
	sqlite3_reset(get);
}

static int hand_row(
        sqlite3_stmt *row, int (*each)(void *userdata, const struct entry_row *row), void *userdata)
{
	int64_t n[21];
	struct entry_row entry;

	for (int i = 0; i < 21; i++)
		n[i] = i >= 4 && i <= 6 ? 0 : sqlite3_column_int64(row, i);
	entry = (struct entry_row){.id = (uint64_t)n[0],
	        .function = (uint64_t)n[1],
	        .version = (uint64_t)n[2],
	        .alias = (uint64_t)n[3],
	        .name = (const char *)sqlite3_column_text(row, 4),
	        .request_id = (const char *)sqlite3_column_text(row, 5),
	        .source = (const char *)sqlite3_column_text(row, 6),
	        .place = (enum entry_place)n[7],
	        .accepted_us = n[8],
	        .due_us = n[9],
	        .ended_us = n[10],
	        .begun = (unsigned)n[11],
	        .tries = (unsigned)n[12],
	        .max_retries = (int)n[13],
	        .max_age_ms = n[14],
	        .uid = (uid_t)n[15],
	        .gid = (gid_t)n[16],
	        .mode = (mode_t)n[17],
	        .hops = (unsigned)n[18],
	        .request_bytes = (uint32_t)n[19],
	        .answer_bytes = (uint32_t)n[20]};
	if (!entry.name || !entry.request_id || !entry.source)
		return fail(-ENOMEM, "reading the queues");
	return each(userdata, &entry);
}

static int read_last(struct entry_file *file, uint64_t *last)
{
	sqlite3_stmt *statement = NULL;
	int answer, r = store_prepare(file->store,
	                    "SELECT seq FROM sqlite_sequence WHERE name = 'entries'", &statement);

	*last = 0;
	if (r < 0)
		return r;
	answer = sqlite3_step(statement);
	if (answer == SQLITE_ROW)
		*last = (uint64_t)sqlite3_column_int64(statement, 0);
	else if (answer != SQLITE_DONE)
		r = store_error(file->store, answer, "reading the queues");
	sqlite3_finalize(statement);
	return r;
}

int entry_file_each(struct entry_file *file,
        int (*each)(void *userdata, const struct entry_row *row), void *userdata, uint64_t *last)
{
	sqlite3_stmt *statement = NULL;
	int answer, r = read_last(file, last);

	if (r == 0)
		r = store_prepare(
		        file->store, "SELECT " COLUMNS " FROM entries ORDER BY id", &statement);
	while (r == 0 && (answer = sqlite3_step(statement)) != SQLITE_DONE)
		r = answer == SQLITE_ROW ? hand_row(statement, each, userdata)
		                         : store_error(file->store, answer, "reading the queues");
	sqlite3_finalize(statement);
	return r;
}
