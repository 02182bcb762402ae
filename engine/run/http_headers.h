/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a request to an HTTP function says of the function and its call, as FunctionGraph's do. */
struct deployment;
struct http_event;
struct invocation;

/* `invocation` NULL: it is no call. Ends the headers with a zero byte. */
void http_headers_add(struct http_event *event, const struct deployment *deployment,
        const struct invocation *invocation);
