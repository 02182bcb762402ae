/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one place that calls libcurl. What a server could do to us is bounded: it must go on sending, send
 * what it promised, send no more than is allowed, and lead to no other scheme and not in circles.
 */
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "fetch/source.h"

enum { REDIRECTS = 10, CONNECT_S = 30, SLOWEST = 100 /* bytes per second */ };

static const struct {
	CURLcode code;
	int error;
	const char *sentence;
} troubles[] = {
        {CURLE_UNSUPPORTED_PROTOCOL, -EPROTONOSUPPORT, "the server leads to another scheme"},
        {CURLE_URL_MALFORMAT, -EINVAL, "this is no URL"},
        {CURLE_COULDNT_RESOLVE_HOST, -EHOSTUNREACH, "there is no such server"},
        {CURLE_COULDNT_RESOLVE_PROXY, -EHOSTUNREACH, "there is no such proxy"},
        {CURLE_COULDNT_CONNECT, -ECONNREFUSED, "the server cannot be reached"},
        {CURLE_PARTIAL_FILE, -EPROTO, "the server sent less than it had promised"},
        {CURLE_OPERATION_TIMEDOUT, -ETIMEDOUT, "the server is too slow"},
        {CURLE_TOO_MANY_REDIRECTS, -ELOOP, "the server redirects for ever"},
        {CURLE_GOT_NOTHING, -ECONNRESET, "the server sent nothing"},
        {CURLE_RECV_ERROR, -ECONNRESET, "the connection broke"},
        {CURLE_FILESIZE_EXCEEDED, -EFBIG, "the archive is larger than is allowed"},
        {CURLE_PEER_FAILED_VERIFICATION, -EPROTO, "the server's certificate is not trusted"},
        {CURLE_SSL_CONNECT_ERROR, -EPROTO, "no secure connection could be made"},
};

struct transfer {
	CURL *curl;
	struct spool *spool;
};

static size_t take_data(char *data, size_t one, size_t length, void *userdata)
{
	struct transfer *transfer = userdata;

	return spool_write(transfer->spool, data, length) < 0 ? 0 : length;
}

static int take_progress(
        void *userdata, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up)
{
	struct transfer *transfer = userdata;
	struct spool *spool = transfer->spool;
	curl_off_t speed = 0;

	if (!spool->bytes)
		return 0;
	curl_easy_getinfo(transfer->curl, CURLINFO_SPEED_DOWNLOAD_T, &speed);
	report_progress(spool->report, spool->bytes, total, speed, false);
	return 0;
}

static int refuse_answer(struct spool *spool, long status)
{
	int error = status == 404 || status == 410   ? -ENOENT
	            : status == 401 || status == 403 ? -EACCES
	                                             : -EREMOTEIO;

	return report_refuse(spool->report, error, "the server answered with status %ld", status);
}

static int judge(CURL *curl, CURLcode code, const char *words, struct spool *spool)
{
	long status = 0;

	if (code == CURLE_OK)
		return 0;
	if (spool->error)
		return spool->error;
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	if (code == CURLE_HTTP_RETURNED_ERROR)
		return refuse_answer(spool, status);
	if (*words == 0)
		words = curl_easy_strerror(code);
	for (size_t i = 0; i < ARRAY_SIZE(troubles); i++)
		if (troubles[i].code == code)
			return report_refuse(spool->report, troubles[i].error, "%s: %s",
			        troubles[i].sentence, words);
	return report_refuse(spool->report, -EREMOTEIO, "fetching failed: %s", words);
}

static void set_schemes(CURL *curl)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
#else
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
	curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

static void set_bounds(CURL *curl, const struct bounds *bounds)
{
	set_schemes(curl);
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)REDIRECTS);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, (long)SLOWEST);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)bounds->stall_s);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)bounds->whole_s);
	curl_easy_setopt(curl, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)bounds->archive_bytes);
}

static void set_output(struct transfer *transfer, char *words)
{
	CURL *curl = transfer->curl;

	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_data);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, take_progress);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, transfer);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, words);
	curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 256L * 1024);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "fnfs/" FNFS_VERSION);
}

static struct curl_slist *sign(CURL *curl, const char *region)
{
	struct curl_slist *headers = NULL;
	const char *token = getenv("AWS_SESSION_TOKEN");
	char provider[128];
	char *header = NULL;

	snprintf(provider, sizeof(provider), "aws:amz:%s:s3", region);
	curl_easy_setopt(curl, CURLOPT_AWS_SIGV4, provider);
	curl_easy_setopt(curl, CURLOPT_USERNAME, getenv("AWS_ACCESS_KEY_ID"));
	curl_easy_setopt(curl, CURLOPT_PASSWORD, getenv("AWS_SECRET_ACCESS_KEY"));
	/* The signature of the request covers it; older libraries do not send it by themselves. */
	headers = curl_slist_append(headers, "x-amz-content-sha256: UNSIGNED-PAYLOAD");
	if (token && *token && asprintf(&header, "x-amz-security-token: %s", token) > 0)
		headers = curl_slist_append(headers, header);
	free(header);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	return headers;
}

static int perform(CURL *curl, struct spool *spool)
{
	struct transfer transfer = {curl, spool};
	char words[CURL_ERROR_SIZE] = "";
	const char *authorities = getenv("SSL_CERT_FILE");
	curl_off_t speed = 0;
	CURLcode code;

	set_output(&transfer, words);
	if (authorities && *authorities)
		curl_easy_setopt(curl, CURLOPT_CAINFO, authorities);
	code = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_SPEED_DOWNLOAD_T, &speed);
	report_progress(spool->report, spool->bytes, code ? 0 : spool->bytes, speed, true);
	return judge(curl, code, words, spool);
}

int download(const char *url, const char *region, const struct bounds *bounds, struct spool *spool)
{
	struct curl_slist *headers = NULL;
	CURL *curl = curl_easy_init();
	int error;

	if (!curl)
		return report_refuse(spool->report, -ENOMEM, "out of memory");
	curl_easy_setopt(curl, CURLOPT_URL, url);
	set_bounds(curl, bounds);
	if (region)
		headers = sign(curl, region);
	error = perform(curl, spool);
	curl_easy_cleanup(curl);
	curl_slist_free_all(headers);
	return error;
}
