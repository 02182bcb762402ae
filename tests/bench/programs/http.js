#!/usr/bin/node
// SPDX-License-Identifier: Apache-2.0
// An HTTP function that sends back what it is sent; PORT is for when nobody keeps 8000 free.
const { createServer } = require("node:http");

const server = createServer((request, response) => {
	const parts = [];
	request.on("data", (part) => parts.push(part));
	request.on("end", () => {
		const body = Buffer.concat(parts);
		response.writeHead(200, { "Content-Length": body.length });
		response.end(body);
	});
});
server.keepAliveTimeout = 0;
server.listen(Number(process.env.PORT || 8000), "127.0.0.1");
