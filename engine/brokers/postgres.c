/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table of PostgreSQL as an outbox. Rows are locked, handed over, answered, deleted (or marked), and then comes the
 * commit: whoever dies before it has changed nothing. Rows that others have locked are skipped, so several may read one
 * table. NOTIFY only wakes; what was notified while nobody listened stands in the table. With `mode=notify` there is no
 * table, and what is notified while nobody listens is lost, as PostgreSQL has it.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include "base/cleanup.h"
#include "brokers/message.h"

enum { BATCH_MOST = 256, BYTEA = 17, JSON = 114, JSONB = 3802 };

struct reader {
	struct origin origin;
	PGconn *server;
	bool notify;
	char *select, *settle, *listen; /* statements; settle takes an array of ids */
	const char *channel;
	int poll_s, batch;
	unsigned tries;
	char trouble[256];
};

static void PQclear_p(PGresult **result)
{
	PQclear(*result);
}

static void disconnect(struct reader *reader)
{
	PQfinish(reader->server);
	reader->server = NULL;
}

static void note_trouble(struct reader *reader)
{
	snprintf(reader->trouble, sizeof(reader->trouble), "%s", PQerrorMessage(reader->server));
}

/* NULL: `trouble` says what. */
static PGresult *ask(struct reader *reader, const char *statement, const char *value)
{
	PGresult *result =
	        PQexecParams(reader->server, statement, value ? 1 : 0, NULL, &value, NULL, NULL, 0);
	ExecStatusType status = PQresultStatus(result);

	if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
		return result;
	note_trouble(reader);
	PQclear(result);
	return NULL;
}

static bool run(struct reader *reader, const char *statement, const char *value)
{
	PGresult *result = ask(reader, statement, value);

	PQclear(result);
	return result != NULL;
}

/* --- connecting ------------------------------------------------------------------------------- */

static bool connect_to(struct reader *reader)
{
	const struct address *address = &reader->origin.address;
	char port[16];
	const char *const keys[] = {"host", "port", "user", "password", "dbname", "sslmode",
	        "sslrootcert", "connect_timeout", "keepalives_idle", "keepalives_interval",
	        "keepalives_count", "application_name", "client_encoding", NULL};
	const char *const values[] = {address->host, port, address->user, address->password,
	        *address->path ? address->path : NULL, address_option(address, "sslmode", "prefer"),
	        address_option(address, "ca", NULL), "10", "15", "5", "3",
	        reader->origin.source.name, "UTF8", NULL};

	snprintf(port, sizeof(port), "%d", address->port);
	reader->server = PQconnectdbParams(keys, values, 0);
	if (PQstatus(reader->server) == CONNECTION_OK)
		return run(reader, reader->listen, NULL);
	note_trouble(reader);
	return false;
}

/* Libpq has no code for it. Servers that start or stop say so before they ask for a password. */
static bool is_denial(const struct reader *reader)
{
	return PQconnectionNeedsPassword(reader->server) ||
	       (PQconnectionUsedPassword(reader->server) &&
	               PQstatus(reader->server) != CONNECTION_OK &&
	               strstr(reader->trouble, "FATAL"));
}

static void connect_again(struct reader *reader)
{
	const struct address *address = &reader->origin.address;

	for (;;) {
		if (!reader->tries)
			source_state("connecting", "%s", address->hosts);
		if (connect_to(reader))
			break;
		source_state(is_denial(reader) ? "denied" : "retrying", "%s: %s", address->hosts,
		        reader->trouble);
		disconnect(reader);
		source_pause(reader->tries++);
	}
	if (reader->notify)
		source_state("connected", "%s, channel %s, at most once", address->hosts,
		        address->subject);
}

/* --- rows ------------------------------------------------------------------------------------- */

/* Column 0 is the id, column 1 the payload; NULL is an empty one. False: there is no memory. */
static bool send_row(const struct reader *reader, const PGresult *rows, int row)
{
	const char *id = PQgetvalue(rows, row, 0), *text = PQgetvalue(rows, row, 1);
	Oid type = PQftype(rows, 1);
	unsigned char *bytes = NULL;
	struct message message = {
	        .id = id,
	        .subject = id,
	        .data = text,
	        .length = (size_t)PQgetlength(rows, row, 1),
	        .content_type = type == JSON || type == JSONB ? "application/json" : NULL,
	};

	if (type == BYTEA) {
		bytes = PQunescapeBytea((const unsigned char *)text, &message.length);
		if (!bytes)
			return false;
		message.data = bytes;
	}
	message_send(&reader->origin, &message, NULL, NULL);
	PQfreemem(bytes);
	return true;
}

/* As an array is written: {"1","2"}. */
static void put_element(struct buf *out, const char *text)
{
	buf_puts(out, out->length ? ",\"" : "{\"");
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			buf_puts(out, "\\");
		buf_append(out, text, 1);
	}
	buf_puts(out, "\"");
}

/* A row that is refused is settled like the others: it would never be taken. */
static bool hand_over(struct reader *reader, const PGresult *rows)
{
	CLEANUP(buf_deinit) struct buf ids = BUF_INIT;
	int count = PQntuples(rows);
	size_t bytes = 0;

	for (int row = 0; row < count; row++) {
		bytes += (size_t)PQgetlength(rows, row, 1);
		put_element(&ids, PQgetvalue(rows, row, 0));
		if (!send_row(reader, rows, row)) {
			fprintf(stderr, "there is no memory for row %s\n",
			        PQgetvalue(rows, row, 0));
			exit(1);
		}
	}
	for (int row = 0; row < count; row++)
		message_settled(-1);
	reader->batch = message_batch(reader->batch, BATCH_MOST, bytes);
	buf_puts(&ids, "}");
	if (ids.failed)
		return false;
	return !count || run(reader, reader->settle, ids.data);
}

/* `*count`: how many rows there were. */
static bool read_batch(struct reader *reader, int *count)
{
	CLEANUP(PQclear_p) PGresult *rows = NULL;
	char limit[16];

	snprintf(limit, sizeof(limit), "%d", reader->batch);
	if (!run(reader, "BEGIN", NULL))
		return false;
	rows = ask(reader, reader->select, limit);
	if (!rows)
		return false;
	source_state("connected", "%s, table %s", reader->origin.address.hosts,
	        reader->origin.address.subject);
	*count = PQntuples(rows);
	return hand_over(reader, rows) && run(reader, "COMMIT", NULL);
}

/* --- notifications ---------------------------------------------------------------------------- */

static void send_notification(const struct reader *reader, const PGnotify *note)
{
	struct message message = {
	        .id = "-",
	        .subject = note->relname,
	        .data = note->extra,
	        .length = strlen(note->extra),
	};

	message_send(&reader->origin, &message, NULL, NULL);
	message_settled(-1);
}

/* Whether there were any. */
static bool take_notifications(struct reader *reader)
{
	bool any = false;

	for (PGnotify *note; (note = PQnotifies(reader->server)); PQfreemem(note)) {
		any = true;
		if (!reader->notify)
			continue;
		send_notification(reader, note);
		reader->tries = 0;
	}
	return any;
}

/* Until something was notified, or `poll` seconds are over. False: the connection is lost. */
static bool wait_for_word(struct reader *reader)
{
	struct pollfd word = {.fd = PQsocket(reader->server), .events = POLLIN};

	if (poll(&word, 1, reader->poll_s * 1000) > 0 && !PQconsumeInput(reader->server)) {
		note_trouble(reader);
		return false;
	}
	return true;
}

/* What is notified during a transaction comes with the end of it: then there is nothing to wait for. */
static void follow(struct reader *reader)
{
	int count = 0;

	do {
		if (!reader->notify && !read_batch(reader, &count))
			return;
		if (count)
			reader->tries = 0;
	} while (count || take_notifications(reader) || wait_for_word(reader));
}

/* --- statements ------------------------------------------------------------------------------- */

/* Names may have a schema before a dot; what stands in them is quoted as it is, capitals too. */
static void put_name(struct buf *out, const char *name, bool dotted)
{
	buf_puts(out, "\"");
	for (; *name; name++) {
		if (*name == '"')
			buf_puts(out, "\"\"");
		else if (*name == '.' && dotted)
			buf_puts(out, "\".\"");
		else
			buf_append(out, name, 1);
	}
	buf_puts(out, "\"");
}

static char *finish(struct buf *statement)
{
	char *text = buf_take(statement);

	if (!text) {
		fprintf(stderr, "there is no memory\n");
		exit(1);
	}
	return text;
}

static void make_select(struct reader *reader, const char *id, const char *done)
{
	struct buf out = BUF_INIT;

	buf_puts(&out, "SELECT ");
	put_name(&out, id, false);
	buf_puts(&out, ", ");
	put_name(&out, address_option(&reader->origin.address, "payload", "payload"), false);
	buf_puts(&out, " FROM ");
	put_name(&out, reader->origin.address.subject, true);
	if (done) {
		buf_puts(&out, " WHERE ");
		put_name(&out, done, false);
		buf_puts(&out, " IS NULL");
	}
	buf_puts(&out, " ORDER BY ");
	put_name(&out, id, false);
	buf_puts(&out, " LIMIT $1 FOR UPDATE SKIP LOCKED");
	reader->select = finish(&out);
}

static void make_settle(struct reader *reader, const char *id, const char *done)
{
	struct buf out = BUF_INIT;

	buf_puts(&out, done ? "UPDATE " : "DELETE FROM ");
	put_name(&out, reader->origin.address.subject, true);
	if (done) {
		buf_puts(&out, " SET ");
		put_name(&out, done, false);
		buf_puts(&out, " = now()");
	}
	buf_puts(&out, " WHERE ");
	put_name(&out, id, false);
	buf_puts(&out, " = ANY ($1)");
	reader->settle = finish(&out);
}

static void make_statements(struct reader *reader)
{
	const struct address *address = &reader->origin.address;
	const char *id = address_option(address, "id", "id");
	const char *done = address_option(address, "done", NULL);
	struct buf out = BUF_INIT;

	make_select(reader, id, done);
	make_settle(reader, id, done);
	buf_puts(&out, "LISTEN ");
	put_name(&out, address_option(address, "channel", address->subject), false);
	reader->listen = finish(&out);
}

static void check_options(const struct address *address, bool notify)
{
	static const char *const of_tables[] = {"id", "payload", "done", "channel", "poll", NULL};

	for (size_t i = 0; notify && of_tables[i]; i++)
		if (address_option(address, of_tables[i], NULL))
			source_refuse("%s is no option of mode=notify", of_tables[i]);
	address_choice(address, "sslmode",
	        (const char *const[]){
	                "prefer", "disable", "allow", "require", "verify-ca", "verify-full", NULL});
}

int main(void)
{
	static const char *const schemes[] = {"postgres", "postgresql", NULL};
	static const char *const options[] = {
	        "mode", "id", "payload", "done", "channel", "poll", "sslmode", "ca", NULL};
	static const struct address_form form = {schemes, options, .port = 5432};
	struct reader reader = {
	        .origin = {.source = source_begin(), .kind = "postgres", .type = "POSTGRES"},
	        .batch = 16,
	};
	const struct address *address = &reader.origin.address;

	reader.origin.address = address_read(reader.origin.source.value, &form);
	reader.notify =
	        address_choice(address, "mode", (const char *const[]){"table", "notify", NULL});
	check_options(address, reader.notify);
	reader.poll_s = address_number(address, "poll", 5, 3600);
	make_statements(&reader);
	for (;;) {
		connect_again(&reader);
		follow(&reader);
		source_state("retrying", "%s: %s", address->hosts, reader.trouble);
		disconnect(&reader);
		source_pause(reader.tries++);
	}
}
